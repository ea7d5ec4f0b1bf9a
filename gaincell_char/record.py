"""The file a software model loads: every fit of one study, with units, errors, validity and origin."""

import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import DataError
from .fit import Fit
from .spread import Spread

SCHEMA_VERSION = 1


class Provenance(BaseModel):
    """Where the numbers come from: a simulation, or a publication (``source``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = ""
    simulator: str = ""
    package: str = ""
    technology_digest: str = ""
    plan_digest: str = ""
    options: dict[str, float] = {}
    n_points: int = 0
    n_ok: int = 0
    n_failed: int = 0


class Record(BaseModel):
    """Every model fitted to one study of one circuit in one technology.

    Attributes
    ----------
    parameters : mapping
        Value of every parameter that was not swept: sizes, supply, levels.
    numerics : mapping of str to float
        Output -> largest deviation from a run with a hundred times tighter tolerances, as a fraction of
        its full range.
    spread : Spread, optional
        How copies of the circuit differ, in the record of a Monte Carlo campaign.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    circuit: str
    bench: str
    study: str
    technology: str
    parameters: dict[str, float | str]
    numerics: dict[str, float] = {}
    fits: list[Fit]
    spread: Spread | None = None
    provenance: Provenance

    def fit(self, model: str, **conditions: float | str) -> Fit:
        """Return the fit of a model at the given conditions (``corner="tt", temp=27``).

        Raises
        ------
        DataError
            If there is none.
        """
        for fit in self.fits:
            if fit.model == model and conditions.items() <= fit.conditions.items():
                return fit
        have = sorted({f"{f.model} at {f.conditions}" for f in self.fits})
        raise DataError(f"record {self.circuit}.{self.study}: no {model} at {conditions}; have {'; '.join(have)}")

    def to_json(self) -> str:
        """Serialise; floats survive the round trip exactly."""
        return self.model_dump_json(indent=1, exclude=None if self.spread else {"spread"}) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "record") -> Self:
        """Read back what `to_json` wrote.

        Raises
        ------
        DataError
            If the text is no record, or one of another schema version.
        """
        try:
            raw: Any = json.loads(text)
        except json.JSONDecodeError as error:
            raise DataError(f"{where}: not JSON: {error}") from None
        version = raw.get("schema_version") if isinstance(raw, dict) else None
        if version != SCHEMA_VERSION:
            raise DataError(f"{where}: schema version {version}; this package reads version {SCHEMA_VERSION}")
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            raise DataError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def read_record(path: Path | str) -> Record:
    """Read a record from a file.

    Raises
    ------
    DataError
        If there is no such file, or it holds no record of this schema version.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from None
    return Record.from_json(text, str(path))


def make_record(
    *,
    attrs: dict[str, Any],
    study: str,
    fits: list[Fit],
    numerics: dict[str, float],
    spread: Spread | None = None,
) -> Record:
    """Put fits and the attributes of their dataset together."""
    return Record(
        circuit=attrs["circuit"],
        bench=attrs["bench"],
        study=study,
        technology=attrs["technology"],
        parameters=json.loads(attrs["parameters"]),
        numerics=numerics,
        fits=fits,
        spread=spread,
        provenance=Provenance(
            simulator=attrs["simulator"],
            package=attrs["package"],
            technology_digest=attrs["technology_digest"],
            plan_digest=attrs["plan_digest"],
            options=json.loads(attrs["options"]),
            n_points=int(attrs["n_points"]),
            n_ok=int(attrs["n_ok"]),
            n_failed=int(attrs["n_failed"]),
        ),
    )
