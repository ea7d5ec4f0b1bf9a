"""Where output goes: results to stdout, everything else to stderr."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .. import store
from ..run import Failure

_WIDTH_OF_A_FILE = 140


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=_WIDTH_OF_A_FILE)


OUT = _console(stderr=False)
ERRORS = _console(stderr=True)


def say(message: str) -> None:
    """Print one sentence about what went wrong."""
    ERRORS.print(f"gaincell: {message}", markup=False, highlight=False, soft_wrap=True)


def note(message: str) -> None:
    """Print one sentence about what was done."""
    OUT.print(message, markup=False, highlight=False, soft_wrap=True)


def table(*columns: str, title: str | None = None) -> Table:
    """A table whose cells are never shortened."""
    result = Table(title=title, title_justify="left")
    for column in columns:
        result.add_column(column, overflow="fold")
    return result


def keep(failures: Sequence[Failure], folder: Path) -> Path:
    """Write decks and logs of failures into a folder, a temporary one if need be, and return it."""
    try:
        return _keep(failures, folder)
    except OSError:  # the disk is full, or a file has that name
        return _keep(failures, Path(tempfile.mkdtemp(prefix="gaincell-failed-")))


def _keep(failures: Sequence[Failure], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, failure in enumerate(failures, start=1):
        store.write_text(folder / f"{number}.cir", failure.deck)
        store.write_text(folder / f"{number}.log", f"{failure.reason}\n{failure.log}\n")
    return folder
