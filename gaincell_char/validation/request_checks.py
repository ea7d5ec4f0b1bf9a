"""Checks of the request of a validation."""

from collections.abc import Mapping

from ..errors import DataError, ParameterError
from ..registry import find_record, record_sets
from ..storage.untrusted import shown
from ..sweeping.arguments import check_number

_MOST = 100_000
_LONGEST_HOLD = 1.0  # [s]
_IDEAL = {"write": "writes", "periphery": "word lines"}


def check_storage(hold: float, *, write: bool, periphery: bool, mismatch: bool) -> None:
    """Raise `ParameterError` for a write or a periphery that cannot be simulated.

    `hold` is the time between write and read [s]; `write`, `periphery` and `mismatch` state what is requested.
    """
    check_number("hold", hold, 0.0, _LONGEST_HOLD)
    if hold and not write:
        raise ParameterError("hold has no effect here: it needs a write")
    for name, there in (("write", write), ("periphery", periphery)):
        if mismatch and there:
            said = f"{name} and mismatch cannot be combined"
            raise ParameterError(f"{said}: mismatch is simulated in cells with ideal {_IDEAL[name]}")


def check_records(records: str, name: str, technology: str) -> None:
    """Raise `DataError` unless `records` exist and their record `name` belongs to the simulated `technology`."""
    if records == technology and records not in record_sets():
        raise DataError(
            f"there are no records of technology {technology}; create them with gaincell run --tech {technology} "
            "--records FOLDER, and add --records FOLDER"
        )
    record = find_record(records, name)
    if record.technology != technology:
        raise DataError(
            f"records {shown(records)} belong to technology {record.technology}, not to the simulated {technology}; "
            f"choose records of {technology} with --records, or another --tech"
        )


def check_counts(counts: Mapping[str, tuple[int, int]]) -> None:
    """Check that every count is within its range, or raise `ParameterError`.

    Parameters
    ----------
    counts : mapping of str to (int, int)
        Name -> count, and its minimum; a minimum of 0 means that 0 stands for all.
    """
    for name, (value, least) in counts.items():
        if not least <= value <= _MOST:
            every = ": use 0 for all, or a positive number" if least == 0 else ""
            raise ParameterError(f"{name} = {value} is outside [{least}, {_MOST}]{every}")
