"""Tables that others wrote: measurements and other simulators' results, as one flat table of columns."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from .errors import DataError
from .store import why

_EXTRA = 'pip install "gaincell-char[data]"'


def read_columns(path: Path) -> pd.DataFrame:
    """Read a table; how, its ending says.

    ``.csv``, ``.tsv``, ``.txt``, ``.dat`` (separator found by looking), ``.parquet``, ``.npz`` with one array per
    column, ``.npy`` with named fields, ``.raw`` of ngspice and LTspice.

    Raises
    ------
    DataError
        If the file is missing, of another kind or damaged, or the library that reads it is not installed.
    """
    if path.suffix.lower() not in _READERS:
        raise DataError(f"{path}: unknown ending {path.suffix!r}; use {', '.join(_READERS)}")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        frame = _READERS[path.suffix.lower()](path)
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path}: {why(error)}") from None
    # Each of these libraries has exceptions of its own for a damaged file.
    except Exception as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: cannot be read as {path.suffix}: {said}") from error
    if frame.empty:
        raise DataError(f"{path}: the table has no rows")
    return frame


def _text(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, comment="#", sep=None, engine="python", skipinitialspace=True)


def _npz(path: Path) -> pd.DataFrame:
    with np.load(path, allow_pickle=False) as arrays:
        return _same_length({name: np.asarray(arrays[name]) for name in arrays.files}, path)


def _npy(path: Path) -> pd.DataFrame:
    array = np.load(path, allow_pickle=False)
    if array.dtype.names is None:
        raise DataError(f"{path}: a .npy file needs named fields, or there is no telling which column is which")
    return _same_length({name: array[name] for name in array.dtype.names}, path)


def _same_length(columns: Mapping[str, Any], path: Path) -> pd.DataFrame:
    shapes = {np.shape(column) for column in columns.values()}
    if len(shapes) != 1:
        raise DataError(f"{path}: its arrays have shapes {', '.join(map(str, sorted(shapes)))}; one shape is needed")
    return pd.DataFrame({name: np.ravel(column) for name, column in columns.items()})


def _raw(path: Path) -> pd.DataFrame:
    """All steps of a raw file below each other; what a simulator steps is a column, if it says so."""
    raw = _library("spicelib", path).RawRead(str(path), dialect=_dialect(path), verbose=False)
    parts = []
    for step in raw.get_steps():
        columns = {name: np.real(raw.get_trace(name).get_wave(step)) for name in raw.get_trace_names()}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def _dialect(path: Path) -> str | None:
    """LTspice says so in its header, in two bytes a letter; ngspice writes plain text and no name of its own."""
    with path.open("rb") as file:
        return "ngspice" if file.read(12).startswith(b"Title:") else None


def _library(name: str, path: Path) -> ModuleType:
    try:
        return import_module(name)
    except ImportError:
        raise DataError(f"{path}: {name} reads this kind of file, and is not installed: {_EXTRA}") from None


_READERS: Mapping[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": _text, ".tsv": _text, ".txt": _text, ".dat": _text, ".parquet": pd.read_parquet, ".npz": _npz, ".npy": _npy,
    ".raw": _raw,
}  # fmt: skip
ENDINGS = tuple(_READERS)
