"""Other records of the technology that a format needs, as declared by an attention head."""

from ..declare.attention_head import Head, ModelName, Operation
from ..declare.bench import Numbers
from ..errors import DataError, ExportError
from ..fitting.fit import Fit
from ..fitting.fitted import RandomCircuits
from ..fitting.record import Record
from ..registry import find_record, head_names, load_head, load_random
from .target import Request


def find_cell_head(request: Request) -> Head | None:
    """Return the attention head whose cell the record describes; None if there is none."""
    heads = map(load_head, head_names())
    return next((head for head in heads if head.cell == request.record.circuit), None)


def require_cell_head(request: Request) -> Head:
    """Return the attention head whose cell the record describes.

    Raises
    ------
    ExportError
        If the circuit is not the cell of a head.
    """
    head = find_cell_head(request)
    if head is None:
        raise ExportError(f"{request.circuit.name} is not the cell of an attention head")
    return head


def is_converter(request: Request) -> bool:
    """Whether the record describes a converter at the columns of a head."""
    return bool(_find_operations(request))


def find_converter(request: Request) -> tuple[Head, Operation]:
    """Return the head and the operation whose converter the record describes; requires `is_converter`."""
    return _find_operations(request)[0]


def _find_operations(request: Request) -> list[tuple[Head, Operation]]:
    pairs = [(head, operation) for head in map(load_head, head_names()) for operation in head.operations]
    return [(head, operation) for head, operation in pairs if operation.converter == request.record.circuit]


def load_related(request: Request, circuit: str, name: ModelName) -> tuple[Record, Fit]:
    """Load record and fit of another circuit of the head.

    Parameters
    ----------
    request : Request
        The request; its `companions` contain the record.
    circuit : str
        Name of the other circuit.
    name : ModelName
        Study and model.

    Raises
    ------
    ExportError
        If the companions do not contain the record or the model.
    """
    if not request.companions:
        raise ExportError(
            f"this format also needs {circuit}.{name.study}, and there are no packaged records of technology "
            f"{request.record.technology!r}; give a folder with --companions"
        )
    try:
        record = find_record(request.companions, f"{circuit}.{name.study}")
        return record, record.fit(name.model)
    except DataError as error:
        raise ExportError(
            f"this format also needs {circuit}.{name.study}: {error}; give a folder with --companions"
        ) from None


def load_converter(request: Request, operation: Operation) -> tuple[Record, Fit]:
    """Load record and published fit of the converter of an operation.

    Raises
    ------
    ExportError
        If the companions do not contain the record or the model.
    """
    published, *_ = operation.forms.values()  # heads declare the worst form first
    return load_related(request, operation.converter, published)


def load_decay(request: Request, head: Head) -> tuple[Record, Fit]:
    """Load record and published fit of the decay of a head's cell.

    Raises
    ------
    ExportError
        If the companions do not contain the record or the model.
    """
    published, *_ = head.decay_forms.values()
    return load_related(request, head.decay, published)


def select_numbers(record: Record) -> Numbers:
    """Return the parameters of a record that are numbers."""
    return {name: float(value) for name, value in record.parameters.items() if not isinstance(value, str)}


def load_random_circuits(request: Request) -> RandomCircuits | None:
    """Load the first model with random coefficients of the record; None if it has none."""
    spread = request.record.spread
    if not spread or not spread.random:
        return None
    return load_random(request.record, spread.random[0].model)
