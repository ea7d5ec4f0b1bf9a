"""Files whose libraries may hang or crash on damaged input, read in a child process with limits of time and memory.

HDF5, the C library below NetCDF-4, hangs on some damaged files, crashes on others, and follows references to other
files.  The child gets the file on its standard input and returns a Parquet table on its standard output.
"""

import io
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import DataError
from .child import command, die_with, keep_to, physical_memory
from .hidden_dask import hide_dask
from .scratch import Scratch
from .untrusted import MOST_TABLE, printable

_START_S, _SECONDS_PER_BYTE = 8.0, 1e-7
_WAIT = 8
"""Time to wait, in units of the time of a processor: other programs may use the processors, too."""
_REFUSED = 3
_ENDING = {"netcdf": ".nc", "raw": ".raw"}
_MOST_CELLS = 500_000_000


def read_netcdf(data: bytes, where: str) -> pd.DataFrame:
    """Return a NetCDF file as a flat table; ``attrs`` contains the attributes and the names of the dimensions.

    Raises
    ------
    DataError
        If the file is damaged, needs too much time or memory, or refers to other files.
    """
    return _in_child("netcdf", data, where)


def read_raw(data: bytes, where: str) -> pd.DataFrame:
    """Return a raw file of ngspice or LTspice as a flat table, with the rows of all steps.

    Raises
    ------
    DataError
        If the file is damaged, needs too much time or memory, or contains complex numbers.
    """
    return _in_child("raw", data, where)


def _in_child(kind: str, data: bytes, where: str) -> pd.DataFrame:
    limit_s = _START_S + _SECONDS_PER_BYTE * len(data)
    late = f"{where}: cannot be read as {_ENDING[kind]}: not finished after {limit_s:.0f} s; the file is damaged"
    words = command("storage.isolated", kind, os.getpid(), math.ceil(limit_s))
    try:
        with Scratch() as scratch:
            done = subprocess.run(
                words, input=data, capture_output=True, timeout=_WAIT * limit_s, check=False, cwd=scratch.path
            )
    except subprocess.TimeoutExpired:
        raise DataError(late) from None
    if done.returncode == -signal.SIGXCPU:
        raise DataError(late)
    if done.returncode == _REFUSED:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise DataError(
            f"{where}: cannot be read as {_ENDING[kind]}: {printable(said[-1]) if said else 'no reason given'}"
        )
    if done.returncode:
        raise DataError(f"{where}: cannot be read as {_ENDING[kind]}: its library crashed; the file is damaged")
    return pd.read_parquet(io.BytesIO(done.stdout))


def main(kind: str, parent: int, cpu_s: int) -> None:
    """Read a file of a `kind` from standard input and write the table to standard output.

    The process ends with the `parent`, or after the time `cpu_s` of a processor [s].
    """
    die_with(parent)
    keep_to(memory=physical_memory() // 2, file=MOST_TABLE, cpu_s=cpu_s)
    # These libraries raise different exceptions for damaged files.
    try:
        out = io.BytesIO()
        _KINDS[kind](sys.stdin.buffer.read()).to_parquet(out, index=False)
        sys.stdout.buffer.write(out.getvalue())
        sys.stdout.buffer.flush()
    except Exception as error:
        sys.stderr.write(f"{(str(error).splitlines() or [type(error).__name__])[0]}\n")
        sys.stderr.flush()
        os._exit(_REFUSED)
    # Without the clean-up of the libraries, which prints errors about damaged files.
    os._exit(0)


def _netcdf(data: bytes) -> pd.DataFrame:
    hide_dask()
    import xarray as xr  # slow to import

    from .flat import flatten_dataset

    _check_hdf5(data)
    with xr.open_dataset(io.BytesIO(data), engine="h5netcdf") as dataset:
        frame = flatten_dataset(dataset.load())
        attrs = {name: _plain(value) for name, value in dataset.attrs.items()}
        frame.attrs = {"attrs": attrs, "dims": [str(name) for name in dataset.dims]}
    return frame


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _check_hdf5(data: bytes) -> None:
    """Raise `DataError` if the file refers to another one, or declares too many numbers."""
    import h5py

    cells = 0

    def look(name: str, link: Any) -> None:
        nonlocal cells
        if not isinstance(link, h5py.HardLink):
            raise DataError(f"{name} is a link; only tables inside the file are read")
        item = file[name]
        if isinstance(item, h5py.Dataset):
            cells += item.size or 0
            if item.external or item.is_virtual:
                raise DataError(f"{name} refers to another file; only tables inside the file are read")
            if cells > _MOST_CELLS:
                raise DataError(f"it declares more than {_MOST_CELLS} numbers, the maximum")

    with h5py.File(io.BytesIO(data), "r") as file:
        file.visititems_links(look)


def _raw(data: bytes) -> pd.DataFrame:
    from spicelib import RawRead

    # LTspice writes its name in the header, with two bytes per letter; ngspice writes plain text without a name.
    dialect = "ngspice" if data.startswith(b"Title:") else None
    path = Path("table.raw")  # in the temporary working directory of this process
    path.write_bytes(data)
    raw = RawRead(str(path), dialect=dialect, verbose=False)
    parts = []
    for step in raw.get_steps():
        columns = {name: raw.get_trace(name).get_wave(step) for name in raw.get_trace_names()}
        parts.append(pd.DataFrame({name: _real(name, column) for name, column in columns.items()}))
    return pd.concat(parts, ignore_index=True)


def _real(name: str, column: Any) -> Any:
    """Real part of a column, whose imaginary part must be 0."""
    if np.iscomplexobj(column) and np.any(np.imag(column) != 0):
        raise DataError(f"column {name} contains complex numbers; export its real part or its magnitude")
    return np.real(column)


_KINDS: Mapping[str, Callable[[bytes], pd.DataFrame]] = {"netcdf": _netcdf, "raw": _raw}

if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
