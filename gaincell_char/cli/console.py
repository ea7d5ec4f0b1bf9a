"""Where output goes: results to stdout, everything else to stderr."""

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
"""Exit status of a fault of this program; sysexits.h calls it EX_SOFTWARE."""
_WIDTH_OF_A_FILE = 140


def _console(*, stderr: bool) -> Console:
    # A colon in a path begins no emoji.
    console = Console(stderr=stderr, emoji=False)
    return console if console.is_terminal else Console(stderr=stderr, emoji=False, width=_WIDTH_OF_A_FILE)


OUT = _console(stderr=False)
ERRORS = _console(stderr=True)


def make_printable() -> None:
    """Let standard output and standard error take any character, whatever their encoding: as an escape if need be."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush() -> None:
    """Write what is buffered; a reader at the other end of a pipe may have closed it."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def say(message: str) -> None:
    """Print one sentence about what went wrong; what a file brought into it cannot control the terminal."""
    ERRORS.print(f"gaincell: {printable(message)}", markup=False, highlight=False, soft_wrap=True)


def note(message: str) -> None:
    """Print one sentence about what was done."""
    OUT.print(printable(message), markup=False, highlight=False, soft_wrap=True)


def report_of(error: Exception) -> str:
    """Write what happened into a file of its own and say where it is."""
    about = f"gaincell-char {__version__}, Python {platform.python_version()}, {platform.platform()}"
    lines = [about, f"command: {sys.argv!r}", "", *traceback.format_exception(error)]
    for folder in (None, Path.cwd(), Path.home()):
        with contextlib.suppress(OSError):
            number, name = tempfile.mkstemp(prefix="gaincell-error-", suffix=".txt", dir=folder)
            with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write("\n".join(lines))
            return f"please report it with the file {name}"
    return f"no report could be written; it says: {error}"


def table(*columns: str, title: str | None = None) -> Table:
    """A table whose cells are never shortened."""
    result = Table(title=title, title_justify="left")
    for column in columns:
        result.add_column(column, overflow="fold")
    return result
