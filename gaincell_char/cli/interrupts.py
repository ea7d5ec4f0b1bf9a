"""Handling of Ctrl-C, SIGTERM and SIGHUP during a command."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from ..errors import NgspiceMissingError
from ..spice.pool import Pool
from ..storage.leave import leave
from ..storage.scratch import remove_all
from .console import say

_Handler = Callable[[int, FrameType | None], object] | int | signal.Handlers | None
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AGAIN_S = 2.0
_IMPORT = "<frozen importlib._bootstrap>"


class Interrupted(KeyboardInterrupt):
    """A signal ended the command; ``status`` is 128 plus the number of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number
        self.words = "interrupted" if number == signal.SIGINT else "terminated"


class Interrupts:
    """Signal handler: raises `Interrupted`, or, during a simulation, stops the pool.

    Use as a context manager around a whole command.
    """

    def __init__(self) -> None:
        self._pool: Pool | None = None
        self._number = 0
        self._leaving = threading.Event()
        self._previous: dict[int, _Handler] = {}
        self._unraisable = sys.unraisablehook

    def __enter__(self) -> "Interrupts":
        self._unraisable, sys.unraisablehook = sys.unraisablehook, self._hear
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                # A signal that was ignored at the start, as by nohup, stays ignored.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
        sys.unraisablehook = self._unraisable
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def leave(self) -> None:
        """Ignore further signals: the command is ending."""
        self._leaving.set()

    @contextlib.contextmanager
    def stopping(self, pool: Pool) -> Iterator[None]:
        """Context in which a signal stops the pool after the points in progress; a second Ctrl-C stops them as well.

        The finished points can be written before `check` raises.

        Raises
        ------
        Interrupted
            If no simulator could start because the signal ended it.
        """
        self._pool = pool
        try:
            yield
        except NgspiceMissingError:
            self.check()
            raise
        finally:
            self._pool = None

    @property
    def stopped(self) -> bool:
        """Whether a signal arrived during a simulation."""
        return bool(self._number)

    def check(self) -> None:
        """End the command if a signal arrived during a simulation.

        Raises
        ------
        Interrupted
            If a signal arrived.
        """
        if self._number:
            raise Interrupted(self._number)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._leaving.is_set():
            return
        pool = self._pool
        if pool is None:
            self._number = number
            if _is_importing(frame):  # an exception in the C++ code of a library would abort the process
                remove_all()
                leave(number)
            self._again(number)
            raise Interrupted(number)
        if pool.stop.is_set() or number != signal.SIGINT:
            pool.stop.set()
            pool.kill()
        else:
            say("stopping after the points in progress; press Ctrl-C again to stop at once; finished points are kept")
            pool.stop.set()
        self._number = self._number or number

    def _again(self, number: int) -> None:
        """Send the signal again unless the command ends soon: a library may have suppressed the exception."""
        main = threading.get_ident()  # handlers run in the main thread

        def send() -> None:
            if not self._leaving.wait(_AGAIN_S):
                signal.pthread_kill(main, number)  # to the main thread, which may be sleeping

        threading.Thread(target=send, daemon=True).start()

    def _hear(self, unraisable: "sys.UnraisableHookArgs") -> None:
        """Suppress the report of an `Interrupted` raised in an interpreter callback: the signal is sent again."""
        if not isinstance(unraisable.exc_value, Interrupted):
            self._unraisable(unraisable)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT:
            return True
        frame = frame.f_back
    return False
