"""Step control of a bench for many runs: what each setting costs and how wrong it is, measured once and stored."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import DataError, ParameterError
from ..storage import untrusted
from ..storage.schema_fields import Finite, Label, Name, Text, complaint

SCHEMA_VERSION = 1
MOST_COPIES = 64
"""Copies of a bench that may share a deck."""


class Steps(BaseModel):
    """A setting: simulator options over the bench's own, a factor on its largest step, copies per deck."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    options: dict[Name, Finite] = {}
    max_step: Annotated[Finite, Field(gt=0)] = 1.0
    copies: Annotated[int, Field(ge=1, le=MOST_COPIES)] = 1

    @property
    def label(self) -> str:
        """The setting in words."""
        parts = [f"{name}={value:g}" for name, value in self.options.items()]
        return ", ".join([*parts, f"step x{self.max_step:g}", f"{self.copies} per deck"])


class MeasuredSetting(BaseModel):
    """What one setting was measured to do.

    ``error`` is the largest deviation of any output from a run a hundred times tighter, as a fraction of full
    scale; ``cost_s`` the time per sample and point [s].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: Steps
    error: Finite
    cost_s: Finite


class StepControlSurvey(BaseModel):
    """Every setting tried on a bench, cheapest first."""

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
        """The settings that no other beats in both cost and error, cheapest first."""
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
            If none is that accurate.
        """
        for trial in self.front():
            if trial.error <= accuracy:
                return trial
        best = min(trial.error for trial in self.trials)
        raise ParameterError(
            f"{self.circuit}.{self.bench}: no measured setting is accurate to {100 * accuracy:.3g} %; "
            f"the best has {100 * best:.3g} %"
        )

    def to_json(self) -> str:
        """Serialise; floats survive the round trip exactly."""
        return self.model_dump_json(indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> Self:
        """Read back what `to_json` wrote.

        Raises
        ------
        DataError
            If the text is something else.
        """
        try:
            return cls.model_validate(untrusted.parse_json(text, where))
        except ValidationError as error:
            raise DataError(f"{where}: no measured step control: {complaint(error)}") from None
