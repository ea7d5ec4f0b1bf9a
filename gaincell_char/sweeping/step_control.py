"""Step control of a bench: measured cost and error of each setting, stored for later campaigns."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import DataError, ParameterError
from ..storage import untrusted
from ..storage.schema_fields import Finite, Label, Name, Text, complaint

SCHEMA_VERSION = 1
MOST_COPIES = 64
"""Largest number of copies of a bench in one deck."""


class Steps(BaseModel):
    """A setting: simulator options that override those of the bench, a factor on its largest step, copies per deck."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    options: dict[Name, Finite] = {}
    max_step: Annotated[Finite, Field(gt=0)] = 1.0
    copies: Annotated[int, Field(ge=1, le=MOST_COPIES)] = 1

    @property
    def label(self) -> str:
        """The setting as text."""
        parts = [f"{name}={value:g}" for name, value in self.options.items()]
        return ", ".join([*parts, f"step x{self.max_step:g}", f"{self.copies} per deck"])


class MeasuredSetting(BaseModel):
    """Measured error and cost of one setting.

    ``error`` is the largest deviation of any output from a simulation with tolerances a hundred times tighter, as a
    fraction of full scale; ``cost_s`` is the time per sample and point [s].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: Steps
    error: Finite
    cost_s: Finite


class StepControlSurvey(BaseModel):
    """All measured settings of a bench, cheapest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    circuit: Name
    bench: Name
    technology: Label
    technology_digest: Text
    simulator: Text
    n_samples: int
    seed: int
    trials: Annotated[list[MeasuredSetting], Field(min_length=1)]

    def front(self) -> list[MeasuredSetting]:
        """Pareto-optimal settings in cost and error, cheapest first."""
        best: list[MeasuredSetting] = []
        for trial in sorted(self.trials, key=lambda t: (t.cost_s, t.error)):
            if not best or trial.error < best[-1].error:
                best.append(trial)
        return best

    def choose(self, accuracy: float) -> MeasuredSetting:
        """Return the cheapest setting whose error is at most `accuracy`, a fraction of full scale.

        Raises
        ------
        ParameterError
            If no setting is accurate enough.
        """
        for trial in self.front():
            if trial.error <= accuracy:
                return trial
        best = min(trial.error for trial in self.trials)
        raise ParameterError(
            f"{self.circuit}.{self.bench}: no measured setting has an error of at most {100 * accuracy:.3g} %; "
            f"the best has {100 * best:.3g} %"
        )

    def to_json(self) -> str:
        """Serialize as JSON; floating-point numbers are exact."""
        return self.model_dump_json(indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> Self:
        """Read a text written by `to_json`; `where` names the file in errors.

        Raises
        ------
        DataError
            If the text is not a step-control measurement.
        """
        try:
            return cls.model_validate(untrusted.parse_json(text, where))
        except ValidationError as error:
            raise DataError(f"{where}: not a step-control measurement: {complaint(error)}") from None
