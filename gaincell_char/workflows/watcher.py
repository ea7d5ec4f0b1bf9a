"""Progress, messages and interruption of a long computation; silent by default."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..spice.pool import Pool


class Advance(Protocol):
    """Function that advances a progress bar."""

    def __call__(self, count: int = 1) -> None:
        """Advance by a number of points."""


def _ignore(count: int = 1) -> None:
    """Ignore the progress."""


@dataclass(frozen=True, kw_only=True)
class Watcher:
    """Functions that receive progress and messages of a computation, and stop it.

    Attributes
    ----------
    progress : callable
        Description and number of points -> context manager of the function that advances the progress bar.
    say, note : callable
        Receive a message: warnings, and results.
    stopping : callable
        Pool -> context manager in which a signal stops the pool instead of ending the process.
    check : callable
        Called after finished points are written; raises an error if a signal arrived.
    """

    progress: Callable[[str, int], contextlib.AbstractContextManager[Advance]] = lambda *_: contextlib.nullcontext(
        _ignore
    )
    say: Callable[[str], None] = lambda _: None
    note: Callable[[str], None] = lambda _: None
    stopping: Callable[[Pool], contextlib.AbstractContextManager[None]] = lambda _: contextlib.nullcontext()
    check: Callable[[], None] = lambda: None


SILENT = Watcher()
