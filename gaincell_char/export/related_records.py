"""Other records of the technology that a format reads beside its own, by what an attention head declares."""

from ..declare.attention_head import Head, ModelName, Operation
from ..declare.circuit import Numbers
from ..errors import DataError, ExportError
from ..fitting.fit import Fit
from ..fitting.fitted import RandomCircuits
from ..fitting.record import Record
from ..registry import find_record, head_names, load_head, load_random
from .target import Request


def cell_head(request: Request) -> Head | None:
    """The head whose cell the record describes."""
    heads = map(load_head, head_names())
    return next((head for head in heads if head.cell == request.record.circuit), None)


def is_converter(request: Request) -> bool:
    """Whether the record describes what stands at the foot of a head's columns."""
    return bool(_operations(request))


def converter(request: Request) -> tuple[Head, Operation]:
    """The head and the operation whose converter the record describes."""
    return _operations(request)[0]


def _operations(request: Request) -> list[tuple[Head, Operation]]:
    pairs = [(head, operation) for head in map(load_head, head_names()) for operation in head.operations]
    return [(head, operation) for head, operation in pairs if operation.converter == request.record.circuit]


def companion(request: Request, circuit: str, name: ModelName) -> tuple[Record, Fit]:
    """Record and fit of another circuit of the head.

    Raises
    ------
    ExportError
        If the request's companions do not hold it.
    """
    if not request.companions:
        raise ExportError(
            f"this format also needs {circuit}.{name.study}, and there are no packaged records of technology "
            f"{request.record.technology!r}; say where with --companions"
        )
    try:
        record = find_record(request.companions, f"{circuit}.{name.study}")
        return record, record.fit(name.model)
    except DataError as error:
        raise ExportError(
            f"this format also needs {circuit}.{name.study}: {error}; say where with --companions"
        ) from None


def published(operation: Operation) -> ModelName:
    """The converter's model of the published form: heads declare the worst first."""
    return next(iter(operation.forms.values()))


def numbers(record: Record) -> Numbers:
    """Parameters that are numbers."""
    return {name: float(value) for name, value in record.parameters.items() if not isinstance(value, str)}


def random_circuits(request: Request) -> RandomCircuits | None:
    """The record's first model with random coefficients; None if it is not of a Monte Carlo campaign."""
    spread = request.record.spread
    if not spread or not spread.random:
        return None
    return load_random(request.record, spread.random[0].model)
