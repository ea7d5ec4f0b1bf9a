"""Circuit, bench and origin of a table, from its attributes and from the request."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from pydantic import ValidationError

from .. import __version__, registry
from ..declare.bench import Bench
from ..declare.circuit import Circuit
from ..declare.datasheet import Study
from ..declare.model import Model
from ..declare.parameters import Value, Values
from ..errors import DataError, ParameterError
from ..fitting.record import Origin, Provenance
from ..storage.schema_fields import complaint
from ..storage.untrusted import check_source, printable
from ..sweeping.arguments import check_word
from .table_source import TableSource

MEASURED = "measured"
"""Technology in the record of a table that does not state one."""


@dataclass(frozen=True, kw_only=True)
class FitRequest:
    """Requested circuit, bench, models and technology; None or empty if not given.

    Raises
    ------
    ParameterError
        If one has the wrong type.
    """

    circuit: str | None = None
    bench: str | None = None
    models: tuple[str, ...] = ()
    technology: str | None = None

    def __post_init__(self) -> None:
        for what in ("circuit", "bench", "technology"):
            if getattr(self, what) is not None:
                check_word(what, getattr(self, what))
        if self.technology is not None:
            try:
                check_source(self.technology)
            except ValueError as error:
                raise ParameterError(f"the source of the data: {error}") from None


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Subject of a table: its circuit, its bench, and the models to fit."""

    circuit: Circuit
    bench: Bench
    models: tuple[Model, ...]


def find_subject(source: TableSource, asked: FitRequest) -> Subject:
    """Find the circuit and the bench of a table, stated by the table or by the request.

    Raises
    ------
    DataError, ParameterError
        If neither states them, they contradict each other, or a name is unknown.
    """
    for what, name in (("circuit", asked.circuit), ("bench", asked.bench)):
        _check_same(source, what, name, f"--{what}")
    _check_same(source, "technology", asked.technology, "--from")
    circuit = registry.load_circuit(_name(source, "circuit", asked.circuit))
    models = tuple(circuit.model(name) for name in asked.models)
    bench = circuit.bench(_name_bench(source, asked, circuit, models))
    for model in models:
        if model.bench != bench.name:
            there = f"--bench {bench.name}" if asked.bench else f"{source.where} is of bench {bench.name}"
            raise ParameterError(f"{there}: model {model.name} is of bench {model.bench}")
    return Subject(circuit=circuit, bench=bench, models=models or _models_of(circuit, bench))


def _models_of(circuit: Circuit, bench: Bench) -> tuple[Model, ...]:
    return circuit.models_of(Study(bench=bench.name))


def _check_same(source: TableSource, what: str, asked: str | None, option: str) -> None:
    there = source.attrs.get(what)
    if asked and there and str(there) != asked:
        raise DataError(
            f"{option} {asked}: {source.where} is of {what} {printable(str(there))}; omit {option}, or choose "
            "another table"
        )


def _name(source: TableSource, what: str, asked: str | None) -> str:
    found = asked or source.attrs.get(what)
    if not found:
        raise DataError(f"{source.where} does not state its {what}; add --{what} NAME")
    return str(found)


def _name_bench(source: TableSource, asked: FitRequest, circuit: Circuit, models: tuple[Model, ...]) -> str:
    """The named bench, or else the bench of the models."""
    if asked.bench or source.attrs.get("bench") or not models:
        return _name(source, "bench", asked.bench)
    if len({model.bench for model in models}) > 1:
        said = ", ".join(f"{model.name} is of {model.bench}" for model in models)
        raise DataError(f"{circuit.name}: name models of one bench; {said}")
    return models[0].bench


def read_origin(source: TableSource, subject: Subject, asked: FitRequest) -> Origin:
    """Read the attributes of a table; missing ones are those of a measurement of the circuit.

    Parameters
    ----------
    source : TableSource
        The table.
    subject : Subject
        Its circuit and bench.
    asked : FitRequest
        The request.

    Raises
    ------
    DataError
        If an attribute has the wrong type.
    """
    unknown = {
        "circuit": subject.circuit.name,
        "bench": subject.bench.name,
        "technology": asked.technology or MEASURED,
        "technology_digest": "",
        "plan_digest": "",
        "parameters": json.dumps({}),
        "options": json.dumps({}),
        "simulator": "",
        "package": "" if source.attrs else f"gaincell-char {__version__}",
        "n_points": 0,
        "n_ok": 0,
        "n_failed": 0,
    }
    return Origin.from_attrs({**unknown, **source.attrs}, source.where)


def find_parameters(
    source: TableSource, frame: pd.DataFrame, subject: Subject, origin: Origin, fixed: Values
) -> dict[str, Value]:
    """Value of every parameter that is not a column of the table, in SI units.

    Parameters
    ----------
    source : TableSource
        The table.
    frame : DataFrame
        The table with the names of the circuit.
    subject : Subject
        Its circuit and bench.
    origin : Origin
        Its attributes.
    fixed : mapping of str to float or str
        Values of the request, in SI units or as texts with a unit.

    Raises
    ------
    ParameterError
        If the request names an unknown parameter, or a value is out of range.
    DataError
        If the request contradicts the table.
    """
    params = subject.circuit.params | subject.bench.params
    given = params.check(fixed)
    said: Mapping[str, Value] = {name: value for name, value in origin.parameters.items() if name not in frame}
    for name, value in given.items():
        there = list(frame[name].unique()) if name in frame else [said[name]] if name in said else [value]
        if other := [one for one in there if one != value]:
            raise DataError(f"--set {name}={value}: {source.where} has {name} = {other[0]}; omit --set {name}")
    known = {**said, **given} if "parameters" in source.attrs else params.resolve(given)
    return {name: value for name, value in known.items() if name not in frame}


def state_provenance(source: TableSource, origin: Origin, said: str, n_used: int) -> Provenance:
    """Return the provenance of a record.

    Parameters
    ----------
    source : TableSource
        The table.
    origin : Origin
        Its attributes.
    said : str
        Changes to the table, for ``source``.
    n_used : int
        Fitted points; used if the table does not state the number of simulated points.

    Raises
    ------
    DataError
        If the table contradicts itself.
    """
    n_points = len(source.frame)
    counted = {"n_points": n_points, "n_ok": n_used, "n_failed": n_points - n_used}
    if source.attrs:
        counted = {name: getattr(origin, name) for name in counted}
    about = ("simulator", "library", "package", "technology_digest", "plan_digest", "options")
    try:
        return Provenance(source=said, **{name: getattr(origin, name) for name in about}, **counted)
    except ValidationError as error:
        raise DataError(f"{source.where}: attribute {complaint(error)}") from None
