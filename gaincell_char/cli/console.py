"""Output: results to stdout, everything else to stderr."""

import contextlib
import io
import os
import platform
import sys
import tempfile
import traceback
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .. import __version__
from ..storage.untrusted import printable

UNEXPECTED = 70
"""Exit status of a bug in this program: EX_SOFTWARE of sysexits.h."""
_WIDTH_OF_A_FILE = 140


def _console(*, stderr: bool) -> Console:
    # A path may contain colons; they must not be read as emoji.
    console = Console(stderr=stderr, emoji=False)
    return console if console.is_terminal else Console(stderr=stderr, emoji=False, width=_WIDTH_OF_A_FILE)


OUT = _console(stderr=False)
ERRORS = _console(stderr=True)


def make_printable() -> None:
    """Write characters outside the encoding of stdout and stderr as escapes instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush() -> None:
    """Flush stdout and stderr; a closed pipe is ignored."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def say(message: str) -> None:
    """Print one sentence to stderr; control characters are escaped, for the text may contain parts of a file."""
    ERRORS.print(f"gaincell: {printable(message)}", markup=False, highlight=False, soft_wrap=True)


def note(message: str) -> None:
    """Print one sentence about a result to stdout."""
    OUT.print(printable(message), markup=False, highlight=False, soft_wrap=True)


def report_of(error: Exception) -> str:
    """Write a report with the traceback to a new file, and return a sentence that names the file."""
    about = f"gaincell-char {__version__}, Python {platform.python_version()}, {platform.platform()}"
    lines = [about, f"command: {sys.argv!r}", "", *traceback.format_exception(error)]
    for folder in (None, Path.cwd(), Path.home()):
        with contextlib.suppress(OSError):
            number, name = tempfile.mkstemp(prefix="gaincell-error-", suffix=".txt", dir=folder)
            with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write("\n".join(lines))
            return f"please report it with the file {name}"
    return f"no report could be written; the error message is: {error}"


def table(*columns: str, title: str | None = None) -> Table:
    """Empty table with these columns; long cells are wrapped, never cut."""
    result = Table(title=title, title_justify="left")
    for column in columns:
        result.add_column(column, overflow="fold")
    return result
