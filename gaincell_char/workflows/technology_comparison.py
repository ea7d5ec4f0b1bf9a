"""Comparison of technologies: figures of merit side by side, from the records of each."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from .. import registry
from ..declare.bench import Floats
from ..declare.circuit import Circuit
from ..declare.record_merits import RecordCurves, RecordMerit
from ..errors import DataError, ParameterError
from .column_errors import ColumnError, find_column_errors
from .technology_evidence import CircuitEvidence, list_circuits, list_parts
from .technology_records import LackingRecordError, TechnologyRecords

COLUMN = "error of a column"


@dataclass(frozen=True, kw_only=True)
class ComparedValue:
    """Value of a figure of merit in one technology, or the reason why there is none.

    Attributes
    ----------
    value : float
        In the unit of its row; infinite beyond `end`, NaN if there is none.
    end : float
        End of what was simulated, in the same unit.
    basis : str
        What it is based on, if that is not a record of the run: a packaged record, a comparison with SPICE.
    reason, how : str
        Why there is no value, and the command that makes it or, for a stated value, measures it.
    """

    value: float = math.nan
    end: float = math.inf
    basis: str = ""
    reason: str = ""
    how: str = ""


@dataclass(frozen=True, kw_only=True)
class ComparedRow:
    """A figure of merit with its value in each technology, in their order; ``key`` is whether it is in the summary."""

    group: str
    name: str
    unit: str
    doc: str
    values: tuple[ComparedValue, ...]
    key: bool = False


@dataclass(frozen=True, kw_only=True)
class ComparedLine:
    """A curve of one technology: arrays of shape (n_points,) in the units of the axes; without, `reason` states why."""

    technology: str
    label: str
    x: Floats | None = None
    y: Floats | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ComparedCurves:
    """A picture: its declaration, and its lines by technology."""

    circuit: Circuit
    curves: RecordCurves
    lines: tuple[ComparedLine, ...]


@dataclass(frozen=True, kw_only=True)
class TechnologyComparison:
    """Technologies, figures of merit by circuit, and pictures."""

    technologies: tuple[TechnologyRecords, ...]
    rows: tuple[ComparedRow, ...]
    pictures: tuple[ComparedCurves, ...]


def check_distinct(names: Sequence[str]) -> None:
    """Raise `ParameterError` if two technologies have the same name, or fewer than two are given."""
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ParameterError(f"two of the technologies are named {twice}; give technologies with different names")
    if len(names) < 2:
        raise ParameterError(f"{len(names)} technology is given; give two or more to compare")


def compare_technologies(technologies: Sequence[TechnologyRecords]) -> TechnologyComparison:
    """Compute every declared figure of merit, and every curve, of every technology.

    Raises
    ------
    ParameterError
        If two technologies have the same name, or fewer than two are given.
    """
    check_distinct([one.name for one in technologies])
    circuits = list_circuits()
    rows = [_row(circuit, merit, technologies) for circuit in circuits for merit in circuit.record_merits]
    pictures = [_picture(circuit, curves, technologies) for circuit in circuits for curves in circuit.record_curves]
    return TechnologyComparison(
        technologies=tuple(technologies), rows=(*rows, *_column_rows(technologies)), pictures=tuple(pictures)
    )


def _row(circuit: Circuit, merit: RecordMerit, technologies: Sequence[TechnologyRecords]) -> ComparedRow:
    head = registry.load_head(registry.DEFAULT_HEAD)
    key = merit.key and circuit.name in list_parts(head)
    values = tuple(_value(merit, CircuitEvidence(circuit=circuit, records=one)) for one in technologies)
    return ComparedRow(group=circuit.name, name=merit.name, unit=merit.unit, doc=merit.doc, values=values, key=key)


def _value(merit: RecordMerit, evidence: CircuitEvidence) -> ComparedValue:
    try:
        value = merit.compute(evidence)
        end = merit.end(evidence) if merit.end is not None and math.isinf(value) else math.inf
    except LackingRecordError as lack:
        return ComparedValue(reason=_because(evidence.records, _tell(lack)), how=lack.how)
    except (DataError, ArithmeticError, LookupError, ValueError) as error:
        return ComparedValue(reason=_because(evidence.records, _tell(error)))
    if math.isnan(value) or (math.isinf(value) and math.isinf(end)):
        return ComparedValue(reason=_because(evidence.records, "the records give no finite number"))
    return ComparedValue(value=value, end=end, basis=next(filter(None, evidence.origins), ""))


def _tell(error: Exception) -> str:
    """Words of an error, after those of the lack for which a substitute was searched in vain."""
    said = str(error) or type(error).__name__
    return f"{error.__cause__}; {said}" if isinstance(error.__cause__, DataError) else said


def _because(records: TechnologyRecords, reason: str) -> str:
    """Reason of a missing value; that of a technology that was not characterized is told first."""
    return f"{reason}; {records.name} was not completely characterized" if records.failure else reason


def _picture(circuit: Circuit, curves: RecordCurves, technologies: Sequence[TechnologyRecords]) -> ComparedCurves:
    lines = [
        _line(one, label, partial(compute, CircuitEvidence(circuit=circuit, records=one)))
        for one in technologies
        for label, compute in curves.lines.items()
    ]
    return ComparedCurves(circuit=circuit, curves=curves, lines=tuple(lines))


def _line(records: TechnologyRecords, label: str, compute: Callable[[], tuple[Floats, Floats]]) -> ComparedLine:
    try:
        x, y = compute()
    except (DataError, ArithmeticError, LookupError, ValueError) as error:
        return ComparedLine(technology=records.name, label=label, reason=_tell(error))
    return ComparedLine(technology=records.name, label=label, x=x, y=y)


def _column_rows(technologies: Sequence[TechnologyRecords]) -> Iterator[ComparedRow]:
    """Error of a column for each operation of the default head."""
    head = registry.load_head(registry.DEFAULT_HEAD)
    found = [find_column_errors(one, head) for one in technologies]
    for operation in head.operations:
        yield ComparedRow(
            group=head.name,
            name=f"{COLUMN}: {operation.name}",
            unit="%",
            doc=f"rms error of the software model in a pulse of {operation.doc}, of the longest pulse",
            key=True,
            values=tuple(_column_value(one[operation.name], t) for one, t in zip(found, technologies, strict=True)),
        )


def _column_value(error: ColumnError, records: TechnologyRecords) -> ComparedValue:
    if error.reason:
        return ComparedValue(reason=_because(records, error.reason), how=error.how)
    if not math.isfinite(error.percent):
        return ComparedValue(reason=_because(records, "no column has a pulse"), how=error.how)
    return ComparedValue(value=error.percent, basis=error.basis, how=error.how)
