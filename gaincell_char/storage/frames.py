"""Bytes of a table file from any source -> a checked data frame."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from ..errors import DataError
from .untrusted import printable

T = TypeVar("T")
# A Python object in the message of a library, meaningless to a user.
_OBJECT = re.compile(r":? ?<[\w.]+ object at 0x[0-9a-f]+>")
MOST_CELLS = 500_000_000
"""Largest number of cells of a table: rows times columns."""
_LONGEST_COLUMN_NAME, _MOST_COLUMNS = 256, 4096


def with_plain_names(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """Make the column names of a table printable and limit their length; `where` names the table in errors.

    Raises
    ------
    DataError
        If two columns have the same name.
    """
    names = pd.Index([printable(str(name))[:_LONGEST_COLUMN_NAME] for name in frame.columns])
    if len(twice := names[names.duplicated()]):
        raise DataError(f"{where}: two columns have the name {twice[0]!r}; use distinct names")
    return frame.set_axis(names, axis=1)


def header_of(data: bytes) -> str:
    """First line of a text file, except empty lines and comments."""
    line = next((line for line in io.BytesIO(data) if line.strip() and not line.startswith(b"#")), b"")
    return line.decode("utf-8", "replace")


def frame_of_csv(data: bytes, **options: Any) -> pd.DataFrame:
    """Return the table of a text file; ``options`` are those of `pandas.read_csv`.

    Raises
    ------
    ValueError
        If it cannot be read, or its rows have more fields than its header.
    """
    # pandas renames columns with equal names, in a time that grows with the square of their number.
    columns = len(re.split(options.get("sep") or ",", header_of(data)))
    if columns > _MOST_COLUMNS:
        raise ValueError(f"it has {columns} columns; the maximum is {_MOST_COLUMNS}")
    frame: pd.DataFrame = pd.read_csv(io.BytesIO(data), comment="#", **options)
    if not isinstance(frame.index, pd.RangeIndex):  # pandas uses the extra fields as row names
        raise ValueError("its rows have more fields than its header has names")
    return frame


def frame_of_parquet(data: bytes) -> pd.DataFrame:
    """Return the table of a Parquet file.

    Raises
    ------
    ValueError
        If it declares too many cells (a small file can contain any number of equal ones), a column is damaged, or
        text is not UTF-8.
    """
    from pyarrow import parquet  # slow to import

    file = parquet.ParquetFile(io.BytesIO(data))
    about = file.metadata
    cells = about.num_rows * max(about.num_columns, 1)
    if cells > MOST_CELLS:
        raise ValueError(
            f"it has {about.num_rows} rows of {about.num_columns} columns; the maximum is {MOST_CELLS} cells"
        )
    table = file.read()
    table.validate(full=True)
    frame: pd.DataFrame = table.to_pandas()
    return frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()


def parsed(path: Path, parse: Callable[[], T]) -> T:
    """Return the result of `parse` for the file `path`.

    Raises
    ------
    DataError
        If it fails with any exception: libraries raise different ones for damaged files.
    """
    try:
        return parse()
    except DataError:
        raise
    except MemoryError:
        raise DataError(f"{printable(str(path))}: cannot be read: not enough memory") from None
    except Exception as error:
        said = printable((_OBJECT.sub("", str(error)).splitlines() or [type(error).__name__])[0])
        raise DataError(f"{printable(str(path))}: cannot be read as {path.suffix}: {said}") from None
