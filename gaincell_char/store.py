"""Results on disk: NetCDF, CSV, Parquet; written whole or not at all."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from .errors import CharError, DataError, RequestError, StorageError

FORMATS = (".nc", ".csv", ".parquet")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A flat table, one row per point, with the dataset's attributes and the names of its dimensions."""

    frame: pd.DataFrame
    attrs: dict[str, Any]
    dims: tuple[str, ...]


def check_target(path: Path) -> None:
    """Refuse a target that could not be written, before anything is computed for it.

    Raises
    ------
    RequestError
        If the ending is unknown, the folder is missing or the file cannot be written.
    """
    if path.suffix not in FORMATS:
        raise RequestError(f"{path}: unknown ending {path.suffix!r}; use {', '.join(FORMATS)}")
    check_writable(path)


def check_writable(path: Path) -> None:
    """Raise `RequestError` unless a file can be created at `path`."""
    folder = path.parent
    try:
        if not folder.is_dir():
            raise RequestError(f"{path}: there is no folder {folder}; create it first")
        if path.is_dir():
            raise RequestError(f"{path} is a folder; name a file in it")
        if path.exists() and not os.access(path, os.W_OK):
            raise RequestError(f"{path} is write-protected; choose another name")
        with tempfile.TemporaryFile(dir=folder):  # permissions do not tell everything: network, quota, /proc
            pass
    except OSError as error:
        raise RequestError(f"{path} cannot be written ({why(error)}); choose another place") from None


def flat(dataset: xr.Dataset) -> pd.DataFrame:
    """One row per point: swept names, outputs, then corner, temperature, status and reason."""
    frame = dataset.to_dataframe().reset_index()
    tail = [name for name in ("corner", "temp", "status", "reason") if name in frame]
    dims = [str(name) for name in dataset.dims if name not in tail]
    outputs = [str(name) for name in dataset.data_vars if name not in tail]
    return frame[[*dims, *outputs, *tail]]


def write_dataset(dataset: xr.Dataset, path: Path | str) -> Path:
    """Write a dataset in the format of the path's ending and return where it went.

    A CSV has no room for attributes; they go beside it into ``<name>.csv.json``.

    Raises
    ------
    StorageError
        If it could not be written; the data are then kept in a temporary folder, which the message names.
    """
    path = Path(path)
    try:
        _write(dataset, path)
    except OSError as error:
        raise StorageError(f"{path} could not be written ({why(error)}); {_rescue(dataset, path)}") from error
    return path


def _write(dataset: xr.Dataset, path: Path) -> None:
    if path.suffix == ".nc":
        # By way of memory: HDF5 crashes the process when the disk is full.
        write_atomically(path, lambda part: part.write_bytes(dataset.to_netcdf(engine="h5netcdf")))
        return
    frame = flat(dataset)
    if path.suffix == ".csv":
        note = json.dumps({"attrs": dataset.attrs, "dims": list(map(str, dataset.dims))}, indent=1)

        def write_both(part: Path) -> None:
            frame.to_csv(part, index=False, na_rep="nan")
            write_atomically(Path(f"{path}.json"), lambda beside: beside.write_text(note, encoding="utf-8"))

        write_atomically(path, write_both)
    else:
        frame.attrs = {"attrs": dict(dataset.attrs), "dims": list(map(str, dataset.dims))}
        write_atomically(path, lambda part: frame.to_parquet(part, index=False))


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a flat table as Parquet or CSV, whole or not at all; a CSV loses the table's attributes.

    Raises
    ------
    StorageError
        If it could not be written.
    """
    write = frame.to_csv if path.suffix == ".csv" else frame.to_parquet
    try:
        write_atomically(path, lambda part: write(part, index=False))
    except OSError as error:
        raise StorageError(f"{path} could not be written ({why(error)})") from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write a binary file, whole or not at all.

    Raises
    ------
    StorageError
        If it could not be written.
    """
    try:
        write_atomically(path, lambda part: part.write_bytes(data))
    except OSError as error:
        raise StorageError(f"{path} could not be written ({why(error)})") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all.

    Raises
    ------
    StorageError
        If it could not be written.
    """
    write_bytes(path, text.encode("utf-8"))


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file beside `path`, then move it there in one step."""
    part = path.with_name(f".gaincell-{os.getpid()}{path.suffix}")
    try:
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def why(error: OSError) -> str:
    """Say in a few words why the system refused."""
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
    return "and nor could any other place; the results are lost"


def read_table(path: Path | str) -> Table:
    """Read back what `write_dataset` wrote.

    Raises
    ------
    DataError
        If the file is missing, of another kind, or damaged.
    """
    path = Path(path)
    if path.suffix not in FORMATS:
        raise DataError(f"{path}: unknown ending {path.suffix!r}; use {', '.join(FORMATS)}")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        return _readers()[path.suffix](path)
    except CharError:
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
        raise DataError(f"{path}: cannot be read as {path.suffix}: {str(error).splitlines()[0]}") from error


def _readers() -> dict[str, Callable[[Path], Table]]:
    return {".nc": _read_netcdf, ".csv": _read_csv, ".parquet": _read_parquet}


def _read_netcdf(path: Path) -> Table:
    with xr.open_dataset(path, engine="h5netcdf") as dataset:
        return Table(frame=flat(dataset.load()), attrs=dict(dataset.attrs), dims=tuple(map(str, dataset.dims)))


def _read_csv(path: Path) -> Table:
    frame = pd.read_csv(path, comment="#", dtype={"reason": str})
    if "reason" in frame:
        frame["reason"] = frame["reason"].fillna("")
    note = Path(f"{path}.json")
    meta = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    return _with_meta(frame, meta)


def _read_parquet(path: Path) -> Table:
    frame = pd.read_parquet(path)
    return _with_meta(frame, {str(key): value for key, value in frame.attrs.items()})


def _with_meta(frame: pd.DataFrame, meta: dict[str, Any]) -> Table:
    dims = tuple(str(name) for name in meta.get("dims", ()) if name in frame)
    return Table(frame=frame, attrs=dict(meta.get("attrs", {})), dims=dims)
