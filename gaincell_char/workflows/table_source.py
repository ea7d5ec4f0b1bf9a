"""Any table, from a file or in memory -> its columns and attributes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import DataError, ParameterError
from ..fitting.record import Origin
from ..storage import foreign_tables, tables, untrusted
from ..storage.flat import flatten_dataset
from ..storage.frames import with_plain_names
from ..storage.tables import Table, shown_path
from ..storage.untrusted import printable, shown

Data = Path | str | pd.DataFrame | xr.Dataset | Table
"""A file, or a table in memory."""
_ENDINGS = tuple(dict.fromkeys((*tables.FORMATS, *foreign_tables.ENDINGS)))


@dataclass(frozen=True, kw_only=True)
class TableSource:
    """A table with at least one row.

    Attributes
    ----------
    frame : DataFrame
        The columns; rows are numbered from 0.
    attrs : mapping
        Attributes that are fields of `Origin`; empty for a table that gaincell did not write.
    dims : tuple of str
        Swept columns that the table names.
    where : str
        Name of the table, for messages.
    path : Path, optional
        The file; None for a table in memory.
    """

    frame: pd.DataFrame
    attrs: Mapping[str, Any]
    dims: tuple[str, ...]
    where: str
    path: Path | None

    def describe(self) -> str:
        """Name and hash of the file."""
        if self.path is None:
            return "a table in memory"
        data = untrusted.read_bytes(self.path, "table", most=untrusted.MOST_TABLE)
        return f"{printable(self.path.name)}, sha256 {hashlib.sha256(data).hexdigest()}"


def read_source(data: Data) -> TableSource:
    """Read a table.

    Parameters
    ----------
    data : Path, str, DataFrame, Dataset or Table
        A file of `write_dataset` or one that `read_columns` can read; or a table in memory, whose ``attrs``, if any,
        are those of a dataset.

    Raises
    ------
    DataError
        If a file is missing, damaged or of an unknown format, or the table is empty or contains complex numbers.
    ParameterError
        If `data` has the wrong type.
    """
    path = Path(data) if isinstance(data, Path | str) else None
    where = "table" if path is None else shown_path(path)
    table = _in_memory(data, where) if path is None else _from_file(path)
    frame = with_plain_names(table.frame, where).reset_index(drop=True)
    if frame.empty:
        raise DataError(f"{where}: the table has no rows: there is nothing to fit")
    for name in frame:
        if np.iscomplexobj(frame[name].to_numpy()):
            raise DataError(f"{where}: column {name} contains complex numbers; give its real part or its magnitude")
    attrs = {name: table.attrs[name] for name in Origin.model_fields if name in table.attrs}
    dims = tuple(name for name in table.dims if name in frame)
    return TableSource(frame=frame, attrs=attrs, dims=dims, where=where, path=path)


def _from_file(path: Path) -> Table:
    if path.suffix in (".nc", ".parquet") or (path.suffix == ".csv" and _has_note(path)):
        return tables.read_table(path)
    if path.suffix.lower() not in _ENDINGS:
        raise DataError(f"{shown_path(path)}: unknown file ending {shown(path.suffix)}; use {', '.join(_ENDINGS)}")
    return Table(frame=foreign_tables.read_columns(path), attrs={}, dims=())


def _has_note(path: Path) -> bool:
    """Whether there is a file with the attributes of a CSV file."""
    try:
        return Path(f"{path}.json").exists()
    except (OSError, ValueError):  # a name too long for a file, or one with a zero byte
        return False


def _in_memory(data: object, where: str) -> Table:
    if isinstance(data, Table):
        return data
    if isinstance(data, pd.DataFrame):
        return _of_frame(data)
    if isinstance(data, xr.Dataset):
        return _of_dataset(data, where)
    raise ParameterError(f"table is of type {type(data).__name__}; it must be a path, a DataFrame or a Dataset")


def _of_frame(frame: pd.DataFrame) -> Table:
    """Table of a data frame; levels of its index become columns.  `pandas.read_parquet` nests the attributes."""
    said: Mapping[Any, Any] = frame.attrs if isinstance(frame.attrs.get("attrs"), Mapping) else {"attrs": frame.attrs}
    named = any(name is not None for name in frame.index.names)
    return Table(
        frame=frame.reset_index() if named else frame,
        attrs=dict(said["attrs"]),
        dims=tuple(str(name) for name in said.get("dims", ())),
    )


def _of_dataset(dataset: xr.Dataset, where: str) -> Table:
    """Table of a dataset; a coordinate with one value, as left by `sel`, becomes a column."""
    if not dataset.dims:
        raise DataError(f"{where}: the dataset has no dimension: there is nothing to fit")
    return Table(
        frame=flatten_dataset(dataset.reset_coords()),
        attrs={str(name): value for name, value in dataset.attrs.items()},
        dims=tuple(map(str, dataset.dims)),
    )
