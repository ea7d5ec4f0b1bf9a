"""The file that a software model loads: every fit of one study, with units, errors, valid range and origin."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ..errors import DataError
from ..storage import untrusted
from ..storage.schema_fields import Count, Finite, Label, Name, Source, Text, complaint
from .fit import Fit
from .variation import VariationSummary
from .versions import upgrade

SCHEMA_VERSION = 2


class Provenance(BaseModel):
    """Origin of the numbers: a simulation, or a publication (``source``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Text = ""
    simulator: Text = ""
    library: Text = ""
    """Path of the library of the simulator, if the request named one."""
    package: Text = ""
    technology_digest: Text = ""
    plan_digest: Text = ""
    options: dict[Name, Finite] = {}
    n_points: Count = 0
    n_ok: Count = 0
    n_failed: Count = 0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.n_ok + self.n_failed > self.n_points:
            raise ValueError(f"{self.n_ok} good points and {self.n_failed} failed ones are more than {self.n_points}")
        return self


class Record(BaseModel):
    """Every model fitted to one study of one circuit in one technology.

    Attributes
    ----------
    parameters : mapping
        Value [SI unit] of every parameter that was not swept: sizes, supply, levels.
    numerics : mapping of str to float
        Output -> largest deviation from a run with a hundred times tighter tolerances, as a fraction of
        its full range.
    spread : VariationSummary, optional
        Statistics over copies of the circuit, in the record of a Monte Carlo campaign.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[2] = 2
    circuit: Name
    bench: Name
    study: Label
    technology: Source | Literal[""]
    parameters: dict[Name, Finite | Label]
    numerics: dict[Name, Finite] = {}
    fits: list[Fit]
    spread: VariationSummary | None = None
    provenance: Provenance

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        seen = [(fit.model, frozenset(fit.conditions.items())) for fit in self.fits]
        if len(set(seen)) < len(seen):
            twice = next(fit for place, fit in enumerate(self.fits) if seen[place] in seen[:place])
            raise ValueError(f"two fits of {twice.model}{_at(twice.conditions)}")
        return self

    def fit(self, model: str, /, **conditions: float | str) -> Fit:
        """Return the fit of a model at the given conditions (``corner="tt", temp=27``).

        Raises
        ------
        DataError
            If the record contains no such fit.
        """
        for fit in self.fits:
            if fit.model == model and conditions.items() <= fit.conditions.items():
                return fit
        have = sorted({f"{f.model}{_at(f.conditions)}" for f in self.fits})
        raise DataError(
            f"record {self.circuit}.{self.study}: no model {untrusted.shown(model)}{_at(conditions)}; "
            f"have {'; '.join(have)}"
        )

    def without_library(self) -> Self:
        """The same record without the path of the simulator's library, which other machines do not have."""
        return self.model_copy(update={"provenance": self.provenance.model_copy(update={"library": ""})})

    def to_json(self) -> str:
        """Serialise; `from_json` reads the same floats exactly."""
        unsaid: dict[str, Any] = {} if self.spread else {"spread": True}
        if not self.provenance.library:
            unsaid["provenance"] = {"library": True}
        return self.model_dump_json(indent=1, exclude=unsaid) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "record") -> Self:
        """Read the text of `to_json`, of this schema version or of version 1.

        Raises
        ------
        DataError
            If the text is not a record, or is a record of another schema version.
        """
        raw: Any = untrusted.parse_json(text, where)
        version = raw.get("schema_version") if isinstance(raw, dict) else None
        if isinstance(version, bool) or version not in (1, SCHEMA_VERSION):
            raise DataError(
                f"{where}: schema version {untrusted.printable(str(version))[:40]}; "
                f"this package reads versions 1 and {SCHEMA_VERSION}"
            )
        try:
            return cls.model_validate(upgrade(raw) if version == 1 else raw)
        except ValidationError as error:
            raise DataError(f"{where}: {complaint(error)}") from None


def _at(conditions: Mapping[str, float | str]) -> str:
    return f" at {', '.join(f'{k} = {v}' for k, v in conditions.items())}" if conditions else ""


def read_record(path: Path | str, below: Path | None = None) -> Record:
    """Read a record from a file.

    Parameters
    ----------
    path : Path or str
        The file.
    below : Path, optional
        A folder of records; a link may not lead out of it.

    Raises
    ------
    DataError
        If there is no such file, it contains no record of this schema version, or it is a link out of its folder.
    """
    where = untrusted.printable(str(path))
    return Record.from_json(untrusted.read_text(Path(path), "record", below=below), where)


class Origin(BaseModel):
    """Origin of the numbers of a table: the attributes of its dataset."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    circuit: Name
    bench: Name
    technology: Source | Literal[""]
    technology_digest: Text
    plan_digest: Text
    parameters: dict[Name, Finite | Label]
    options: dict[Name, Finite]
    simulator: Text
    library: Text = ""
    package: Text
    n_points: int
    n_ok: int
    n_failed: int

    @classmethod
    def from_attrs(cls, attrs: Mapping[str, Any], where: str = "table") -> Self:
        """Read the attributes of a dataset, in which mappings are JSON.

        Raises
        ------
        DataError
            If an attribute is missing or of another type.
        """
        said = dict(attrs)
        for name in ("parameters", "options"):
            if isinstance(said.get(name), str):
                said[name] = untrusted.parse_json(said[name], f"{where}: attribute {name}")
        try:
            return cls.model_validate(said)
        except ValidationError as error:
            raise DataError(f"{where}: attribute {complaint(error)}") from None


def make_record(
    *,
    origin: Origin,
    study: str,
    fits: list[Fit],
    numerics: dict[str, float],
    spread: VariationSummary | None = None,
) -> Record:
    """Make a record of fits and the origin of their table.

    Parameters
    ----------
    origin : Origin
        Origin of the table.
    study : str
        Key of the study.
    fits : list of Fit
        Every fit of the study.
    numerics : dict of str to float
        Output -> largest deviation from a run with tighter tolerances, as a fraction of its full range.
    spread : VariationSummary, optional
        Statistics of a Monte Carlo campaign.
    """
    return Record(
        circuit=origin.circuit,
        bench=origin.bench,
        study=study,
        technology=origin.technology,
        parameters=origin.parameters,
        numerics=numerics,
        fits=fits,
        spread=spread,
        provenance=Provenance(
            simulator=origin.simulator,
            library=origin.library,
            package=origin.package,
            technology_digest=origin.technology_digest,
            plan_digest=origin.plan_digest,
            options=origin.options,
            n_points=origin.n_points,
            n_ok=origin.n_ok,
            n_failed=origin.n_failed,
        ),
    )
