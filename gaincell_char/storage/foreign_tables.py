"""Tables from other sources: measurements and results of other simulators, as one flat table of columns."""

import importlib.util
import io
import math
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import DataError
from . import isolated, untrusted
from .frames import MOST_CELLS, frame_of_csv, frame_of_parquet, header_of, parsed, with_plain_names
from .tables import shown_path
from .untrusted import ABSOLUTE_ZERO, shown

_EXTRA = 'pip install "gaincell-char[data]"'
_SEPARATORS = "\t;,|"


def read_columns(path: Path) -> pd.DataFrame:
    """Read a table, in the format of its file ending.

    Formats are ``.csv``, ``.tsv``, ``.txt``, ``.dat`` (the separator is found in the first line), ``.parquet``,
    ``.npz`` with one array per column, ``.npy`` with named fields, and ``.raw`` of ngspice and LTspice.

    Raises
    ------
    DataError
        If the file is missing, has another format, is too large or damaged, contains complex numbers, or the library
        for the format is not installed.
    """
    where = shown_path(path)
    if path.suffix.lower() not in _READERS:
        raise DataError(f"{where}: unknown file ending {shown(path.suffix)}; use {', '.join(_READERS)}")
    data = untrusted.read_bytes(path, "table", most=untrusted.MOST_TABLE)
    frame = parsed(path, lambda: _READERS[path.suffix.lower()](data, where))
    if frame.empty:
        raise DataError(f"{where}: the table has no rows")
    frame = with_plain_names(frame, where)
    for name in frame:
        if np.iscomplexobj(frame[name].to_numpy()):
            raise DataError(f"{where}: column {name} contains complex numbers; use its real part or its magnitude")
    return frame


def numeric(column: "pd.Series[Any]", name: str, where: str) -> "pd.Series[float]":
    """Convert a column to numbers; missing values become NaN.

    Parameters
    ----------
    column : Series
        The column.
    name, where : str
        Names of the column and of the table, for errors.

    Raises
    ------
    DataError
        If it contains anything but numbers; the message states the row.
    """
    found = pd.to_numeric(column, errors="coerce")
    if len(words := column[found.isna() & column.notna()]):
        raise DataError(
            f"{where}: {name} contains {shown(str(words.iloc[0]))} in row {words.index[0] + 1}, not a number"
        )
    return found.astype(float)


def check_temps(column: "pd.Series[Any] | None", where: str) -> None:
    """Raise `DataError` if a column of temperatures [degC] contains one below absolute zero."""
    if column is not None and (numbers := numeric(column, "temp", where)).min() < ABSOLUTE_ZERO:
        raise DataError(f"{where}: temp reaches {numbers.min():g} degC, below absolute zero ({ABSOLUTE_ZERO:g} degC)")


def _text(data: bytes, _: str) -> pd.DataFrame:
    return frame_of_csv(data, sep=_separator(header_of(data)), skipinitialspace=True)


def _separator(header: str) -> str:
    """Separator of the columns: the most frequent one outside quotation marks, or blanks."""
    bare = re.sub(r'"[^"]*"', "", header)
    counts = {separator: bare.count(separator) for separator in _SEPARATORS}
    best = max(counts, key=lambda separator: counts[separator])
    if counts[best]:
        return best
    return r"\s+" if re.search(r"\S\s+\S", bare) else ","


def _parquet(data: bytes, _: str) -> pd.DataFrame:
    return frame_of_parquet(data)


def _npz(data: bytes, where: str) -> pd.DataFrame:
    return _same_length(load_arrays(data), where)


def load_arrays(data: bytes) -> dict[str, Any]:
    """Return the arrays of an ``.npz`` file by name.

    Raises
    ------
    ValueError
        If the file is damaged, contains Python objects or two arrays of one name, or its header does not match.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > untrusted.MOST_TABLE:
            raise ValueError(f"unpacked it is larger than {untrusted.MOST_TABLE >> 20} MiB")
        names = [member.filename.removesuffix(".npy") for member in members]
        if len(set(names)) < len(names):
            raise ValueError(f"it contains two arrays {shown(Counter(names).most_common(1)[0][0])}; remove one")
        return {name: _array(archive.read(member)) for name, member in zip(names, members, strict=True)}


def _array(data: bytes) -> Any:
    """Array in ``.npy`` format; its header must not declare more data than the file contains."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"version {version} of the .npy format is not supported")
    shape, _, dtype = read(file)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize > len(data):
        raise ValueError("its header does not match its content")
    return np.load(io.BytesIO(data), allow_pickle=False)


def _npy(data: bytes, where: str) -> pd.DataFrame:
    array = _array(data)
    if array.dtype.names is None:
        raise DataError(f"{where}: a .npy file needs named fields, which are the columns of the table")
    return _same_length({name: array[name] for name in array.dtype.names}, where)


def _same_length(columns: Mapping[str, Any], where: str) -> pd.DataFrame:
    shapes = {np.shape(column) for column in columns.values()}
    if len(shapes) != 1:
        raise DataError(f"{where}: the arrays have shapes {', '.join(map(str, sorted(shapes)))}; one shape is needed")
    if sum(np.size(column) for column in columns.values()) > MOST_CELLS:
        raise DataError(f"{where}: the table has more than {MOST_CELLS} cells")
    return pd.DataFrame({name: np.ravel(column) for name, column in columns.items()})


def _raw(data: bytes, where: str) -> pd.DataFrame:
    if importlib.util.find_spec("spicelib") is None:
        raise DataError(f"{where}: this format needs the package spicelib, which is not installed: {_EXTRA}")
    return isolated.read_raw(data, where)


_READERS: Mapping[str, Callable[[bytes, str], pd.DataFrame]] = {
    ".csv": _text,
    ".tsv": _text,
    ".txt": _text,
    ".dat": _text,
    ".parquet": _parquet,
    ".npz": _npz,
    ".npy": _npy,
    ".raw": _raw,
}
ENDINGS = tuple(_READERS)
