"""Progress bars, and Ctrl-C."""

import contextlib
import signal
from collections.abc import Iterator
from typing import Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from ..pool import Pool
from .console import ERRORS, say


class Advance(Protocol):
    """Tells a bar that more is done."""

    def __call__(self, count: int = 1) -> None:
        """So many points more."""


class _Rate(ProgressColumn):
    """Points per second."""

    def render(self, task: Task) -> Text:
        """Show the rate once there is one."""
        return Text(f"{task.speed:.0f}/s" if task.speed else "")


@contextlib.contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    """A bar with rate and remaining time on a terminal; yields the function that advances it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=ERRORS, transient=True, disable=not ERRORS.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count=1: bar.advance(task, count)


@contextlib.contextmanager
def stoppable(pool: Pool) -> Iterator[None]:
    """First Ctrl-C: start no more points.  Second: end the runs in progress.  Finished points are kept."""

    def interrupt(_signal: int, _frame: object) -> None:
        if pool.stop.is_set():
            pool.kill()
            return
        pool.stop.set()
        say("stopping after the points in progress; Ctrl-C again ends them at once; finished points are kept")

    previous = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
