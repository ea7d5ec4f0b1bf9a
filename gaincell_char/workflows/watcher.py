"""Who is told how a long computation goes, and who may end it; silent by default."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..spice.pool import Pool


class Advance(Protocol):
    """Tells a progress bar that more is done."""

    def __call__(self, count: int = 1) -> None:
        """So many points more."""


def _ignore(count: int = 1) -> None:
    """No bar."""


@dataclass(frozen=True, kw_only=True)
class Watcher:
    """Who is told how it goes.

    Attributes
    ----------
    progress : callable
        What is done and how many points it has -> a context with the function that is told of each finished point.
    say, note : callable
        Told of what is wrong, and of what was done.
    stopping : callable
        Pool -> a context in which a signal stops it instead of ending the process.
    check : callable
        Called when what was finished is kept: raises if there was a signal.
    """

    progress: Callable[[str, int], contextlib.AbstractContextManager[Advance]] = lambda *_: contextlib.nullcontext(
        _ignore
    )
    say: Callable[[str], None] = lambda _: None
    note: Callable[[str], None] = lambda _: None
    stopping: Callable[[Pool], contextlib.AbstractContextManager[None]] = lambda _: contextlib.nullcontext()
    check: Callable[[], None] = lambda: None


SILENT = Watcher()
