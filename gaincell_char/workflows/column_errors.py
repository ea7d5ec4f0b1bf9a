"""Error of a column of the software model: from a comparison with SPICE, or as the records state it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from .. import registry
from ..declare.attention_head import Head
from ..errors import DataError, RequestError, TorchMissingError
from ..fitting.at_conditions import NOMINAL
from ..storage.manifest import read_manifest
from ..storage.tables import read_table, shown_path
from ..storage.untrusted import printable
from .technology_records import TechnologyRecords

COMPARISON = "compare"
"""Folder of `gaincell compare` in the folder of a technology."""
_PLAIN: Mapping[str, object] = {
    "corner": NOMINAL.corner,
    "temp": NOMINAL.temp,
    "vdd": NOMINAL.supply,
    "mismatch": False,
}
"""Conditions of a comparison that belong to the other figures."""


@dataclass(frozen=True, kw_only=True)
class ColumnError:
    """Rms error of the columns of one operation.

    Attributes
    ----------
    percent : float
        The error, in percent of the longest pulse; NaN if it is not known.
    basis : str
        How it was found: from SPICE, or stated by the records.
    reason, how : str
        Why it is not known, and the command that makes it.
    """

    percent: float = float("nan")
    basis: str = ""
    reason: str = ""
    how: str = ""


def find_column_errors(records: TechnologyRecords, head: Head) -> dict[str, ColumnError]:
    """Error of the columns of each operation of a `head`: of the folder ``compare/`` of the run, else as stated."""
    how = _command(records)
    folder = records.folder / COMPARISON if records.folder is not None else None
    if folder is not None and folder.is_dir():
        try:
            return _read_comparison(folder, records.name, head)
        except DataError as error:
            return {one.name: ColumnError(reason=str(error), how=how) for one in head.operations}
    try:
        return _state(records, head, how)
    except (RequestError, TorchMissingError) as error:
        return {one.name: ColumnError(reason=str(error), how=how) for one in head.operations}


def _command(records: TechnologyRecords) -> str:
    inner = "records" if records.records_folder != records.folder else ""
    own = "" if records.folder is None else f" --records {records.show_place(inner)}"
    return f"gaincell compare --tech {quote(records.tech)}{own} --columns 8 -o {records.show_place(COMPARISON)}"


def _state(records: TechnologyRecords, head: Head, how: str) -> dict[str, ColumnError]:
    from ..validation.stated_columns import state_column_errors  # PyTorch takes several seconds

    stated = state_column_errors(records.records_folder or records.name, head)
    return {
        name: ColumnError(
            percent=100 * error, basis="stated by the records, median of the columns; not compared with SPICE", how=how
        )
        for name, error in stated.items()
    }


def _read_comparison(folder: Path, technology: str, head: Head) -> dict[str, ColumnError]:
    """Errors of the best form in a comparison of this technology and head at nominal conditions.

    Raises
    ------
    DataError
        If it is another comparison, or cannot be read.
    """
    request = read_manifest(folder).request
    _check_request(request, folder, technology, head)
    path = folder / "tables" / "summary.csv"
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{shown_path(path)} is missing")
    table = read_table(path).frame
    if lacking := {"operation", "form", "n", "rms_percent"} - set(table):
        raise DataError(f"{shown_path(path)} has no column {', '.join(sorted(lacking))}")
    found = {}
    for operation in head.operations:
        rows = table[table["operation"] == operation.name].to_dict("records")
        found[operation.name] = _best(rows[-1]) if rows else ColumnError(reason="not among the operations compared")
    return found


def _check_request(request: Mapping[str, Any], folder: Path, technology: str, head: Head) -> None:
    where = shown_path(folder)
    said = str(request.get("technology"))
    if said != technology:
        own = registry.describe_technology(said).name if Path(said).is_dir() else said
        if own != technology:
            raise DataError(f"{where} is a comparison in {printable(own)}, not in {technology}")
    if request.get("head") != head.name:
        raise DataError(
            f"{where} is a comparison of the head {printable(str(request.get('head')))}, not of {head.name}"
        )
    for name, wanted in _PLAIN.items():
        if request.get(name) != wanted:
            raise DataError(f"{where} is a comparison with {name} = {printable(str(request.get(name)))[:40]}")


def _best(row: Mapping[Any, Any]) -> ColumnError:
    """Error in the last row of an operation, that of the best form."""
    try:
        percent, count = float(row["rms_percent"]), int(row["n"])
    except (TypeError, ValueError):
        return ColumnError(reason="the table of the comparison is damaged")
    if not count or not percent >= 0:
        return ColumnError(reason="no column of the comparison has a pulse")
    return ColumnError(percent=percent, basis=f"compared with SPICE, {count} columns")
