"""Results on disk: NetCDF, CSV, Parquet; written completely or not at all."""

import errno
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from pydantic import BaseModel, ValidationError

from ..errors import DataError, RequestError, StorageError
from . import isolated, untrusted
from .flat import flatten_dataset
from .frames import frame_of_csv, frame_of_parquet, parsed, with_plain_names
from .schema_fields import Name, Text, complaint
from .scratch import Scratch, remove_leftovers
from .untrusted import printable, shown

FORMATS = (".nc", ".csv", ".parquet")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A flat table, one row per point, with the attributes and the dimension names of the dataset."""

    frame: pd.DataFrame
    attrs: dict[str, Any]
    dims: tuple[str, ...]


def check_target(path: Path) -> None:
    """Check that a table can be written to `path`, before its computation.

    Raises
    ------
    RequestError
        If the file ending is unknown, the folder is missing, or the file or its note ``<name>.csv.json`` cannot be
        written.
    """
    if path.suffix not in FORMATS:
        raise RequestError(f"{shown_path(path)}: unknown file ending {shown(path.suffix)}; use {', '.join(FORMATS)}")
    check_writable(path)
    if path.suffix == ".csv":
        check_writable(Path(f"{path}.json"))


def check_writable(path: Path) -> None:
    """Raise `RequestError` unless a file can be created at `path`; remove leftovers of killed processes next to it."""
    folder = path.parent
    name = shown_path(path)
    try:
        if not folder.is_dir():
            raise RequestError(f"{name}: folder {shown_path(folder)} does not exist; create it first")
        if path.is_dir():
            raise RequestError(f"{name} is a folder; name a file in it")
        if path.exists() and not os.access(path, os.W_OK):
            raise RequestError(f"{name} is write-protected; choose another name")
        with tempfile.TemporaryFile(dir=folder):  # permissions alone are not sufficient: network, quota, /proc
            pass
    except RequestError:
        raise
    except OSError as error:
        raise RequestError(f"{name} cannot be written ({explain_error(error)}); choose another place") from None
    except ValueError:  # a zero byte in the name
        raise RequestError(f"{name} is not a valid file name; choose another") from None
    remove_leftovers(folder)


def check_folder(folder: Path) -> None:
    """Raise `RequestError` unless a folder is writable or can be created; creates nothing."""
    name = shown_path(folder)
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not there.is_dir():
            raise RequestError(f"{name} cannot be created: {shown_path(there)} is not a folder; choose another place")
        with tempfile.TemporaryFile(dir=there):
            pass
        folder.exists()  # raises if the name is too long
    except RequestError:
        raise
    except OSError as error:
        raise RequestError(f"{name} cannot be created: {explain_error(error)}; choose another place") from None
    except ValueError:  # a zero byte in the name
        raise RequestError(f"{name} is not a valid folder name; choose another") from None


def make_folder(folder: Path) -> Path:
    """Create a folder, and remove leftovers of killed processes in it.

    Raises
    ------
    RequestError
        If the folder cannot be created or written.
    """
    check_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RequestError(
            f"{shown_path(folder)} cannot be created: {explain_error(error)}; choose another place"
        ) from None
    except ValueError:  # a zero byte in the name
        raise RequestError(f"{shown_path(folder)} is not a valid folder name; choose another") from None
    remove_leftovers(folder)
    return folder


def make_inside(folder: Path, *names: str) -> None:
    """Create folders inside an untrusted folder; a link out of that folder is rejected.

    Raises
    ------
    RequestError
        If a folder cannot be created or written, or is a link out of `folder`.
    """
    for name in names:
        inner = folder / name
        try:
            inside = inner.resolve().is_relative_to(folder.resolve())
        except RuntimeError:  # a link that leads to itself, before Python 3.13
            inside = False
        except ValueError:  # a zero byte in the name
            raise RequestError(f"{shown_path(inner)} is not a valid folder name; choose another") from None
        if not inside:
            raise RequestError(f"{shown_path(inner)} is a link out of its folder; remove it, or choose another folder")
        make_folder(inner)


def write_dataset(dataset: xr.Dataset, path: Path | str) -> Path:
    """Write a dataset in the format of the file ending and return the path.

    The attributes of a CSV file are written to a second file, ``<name>.csv.json``.

    Raises
    ------
    StorageError
        If it cannot be written; the data are then written to a temporary folder, which the message names.
    """
    path = Path(path)
    try:
        _write(dataset, path)
    except OSError as error:
        raise StorageError(
            f"{shown_path(path)} could not be written ({explain_error(error)}); {_rescue(dataset, path)}"
        ) from error
    return path


def _write(dataset: xr.Dataset, path: Path) -> None:
    if path.suffix == ".nc":
        # Via memory, because HDF5 crashes the process when the disk is full.
        write_atomically(path, lambda part: part.write_bytes(dataset.to_netcdf(engine="h5netcdf")))
        return
    frame = flatten_dataset(dataset)
    if path.suffix == ".csv":
        note = json.dumps({"attrs": dataset.attrs, "dims": list(map(str, dataset.dims))}, indent=1)

        def write_both(part: Path) -> None:
            frame.to_csv(part, index=False, na_rep="nan")
            write_atomically(Path(f"{path}.json"), lambda beside: beside.write_text(note, encoding="utf-8"))

        write_atomically(path, write_both)
    else:
        frame.attrs = {"attrs": dict(dataset.attrs), "dims": list(map(str, dataset.dims))}
        data = parquet_of(frame)
        write_atomically(path, lambda part: part.write_bytes(data))


def parquet_of(frame: pd.DataFrame) -> bytes:
    """Return a table as a Parquet file in memory; the library cannot write to every path."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a flat table as Parquet or CSV, completely or not at all; a CSV file has no attributes.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    write_bytes(path, frame.to_csv(index=False).encode() if path.suffix == ".csv" else parquet_of(frame))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a binary file, completely or not at all.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    try:
        write_atomically(path, lambda part: part.write_bytes(data))
    except OSError as error:
        raise StorageError(f"{path} could not be written ({explain_error(error)})") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file, completely or not at all.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    write_bytes(path, text.encode("utf-8"))


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Create a file with `write` in a temporary folder next to `path`, then move it to `path` in one step."""
    with Scratch(path.parent) as scratch:
        part = scratch.path / path.name
        write(part)
        part.replace(path)


def shown_path(path: Path) -> str:
    """A path as printable text for messages."""
    return printable(str(path))


def explain_error(error: OSError) -> str:
    """Reason of an error of the operating system, in a few words."""
    return "the disk is full" if error.errno == errno.ENOSPC else str(error.strerror or error)


def _rescue(dataset: xr.Dataset, path: Path) -> str:
    for place in (tempfile.gettempdir(), Path.home(), Path.cwd()):
        try:
            folder = Path(tempfile.mkdtemp(prefix="gaincell-rescue-", dir=place))
        except OSError:
            continue
        try:
            _write(dataset, folder / path.name)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            return f"the results are kept in {folder / path.name}"
    return "no other place could be written either, and the results are lost"


def read_table(path: Path | str) -> Table:
    """Read a table written by `write_dataset`.

    Raises
    ------
    DataError
        If the file is missing, has another format, is too large or damaged.
    """
    path = Path(path)
    where = shown_path(path)
    if path.suffix not in FORMATS:
        raise DataError(f"{where}: unknown file ending {shown(path.suffix)}; use {', '.join(FORMATS)}")
    data = untrusted.read_bytes(path, "table", most=untrusted.MOST_TABLE)
    frame, said = _READERS[path.suffix](data, path)
    try:
        about = _TableHeader.model_validate(said)
    except ValidationError as error:
        raise DataError(f"{where}: the description of its columns is damaged: {complaint(error)}") from None
    frame = with_plain_names(frame, where)
    return Table(frame=frame, attrs=about.attrs, dims=tuple(name for name in about.dims if name in frame))


class _TableHeader(BaseModel):
    """Attributes and dimensions of a table."""

    attrs: dict[Text, Any] = {}
    dims: tuple[Name, ...] = ()


def _read_netcdf(data: bytes, path: Path) -> tuple[pd.DataFrame, Any]:
    frame = isolated.read_netcdf(data, shown_path(path))
    return frame, dict(frame.attrs)


def _read_csv(data: bytes, path: Path) -> tuple[pd.DataFrame, Any]:
    frame = parsed(path, lambda: frame_of_csv(data, dtype={"reason": str}))
    if "reason" in frame:
        frame["reason"] = frame["reason"].fillna("")
    note = Path(f"{path}.json")
    text = untrusted.read_text(note, "note of a table", below=path.parent) if note.exists() else "{}"
    return frame, untrusted.parse_json(text, shown_path(note))


def _read_parquet(data: bytes, path: Path) -> tuple[pd.DataFrame, Any]:
    frame = parsed(path, lambda: frame_of_parquet(data))
    return frame, {str(key): value for key, value in frame.attrs.items()}


_READERS: Mapping[str, Callable[[bytes, Path], tuple[pd.DataFrame, Any]]] = {
    ".nc": _read_netcdf,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
