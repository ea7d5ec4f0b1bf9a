"""One child process with one ngspice: given decks, supervised, ended and replaced."""

import contextlib
import os
import threading
from collections.abc import Collection, Iterator, Sequence
from multiprocessing.connection import Connection, Pipe

from ..errors import NgspiceMissingError, RequestError
from ..storage.scratch import Scratch
from ..storage.untrusted import printable
from .batch import Batch
from .deck import Deck
from .ngspice import LIBRARY_PATH, Outcome, find_library
from .preloaded import Child, start_worker

_POINTS_PER_CHILD = 5000
_START_TIMEOUT_S = 60.0
_MOST_DEATHS = 3
Work = Sequence[Deck] | Batch
"""Work for a child process: decks to simulate, or a batch to simulate and measure."""

_OLDEST_WITH_COMPILED = 43
"""First version of ngspice that loads compiled Verilog-A by default, by its release notes."""


def check_loads(version: str, compiled: Collection[str]) -> None:
    """Check that a version of ngspice loads compiled models.

    Parameters
    ----------
    version : str
        Version of ngspice, for example ``"39"``.
    compiled : collection of str
        Files of compiled models; none is needed if it is empty.

    Raises
    ------
    RequestError
        If it does not; the message states what is needed.
    """
    if compiled and int(version.partition(".")[0]) < _OLDEST_WITH_COMPILED:
        raise RequestError(
            f"the models of this technology are compiled Verilog-A, which needs ngspice {_OLDEST_WITH_COMPILED} or "
            f"newer; the library is ngspice {version}: name a newer one with --ngspice PATH, or in {LIBRARY_PATH}"
        )


class Simulator:
    """A child process with one ngspice; ended and replaced after a timeout or a crash."""

    def __init__(self) -> None:
        self._process: Child | None = None
        self._connection: Connection | None = None
        self._scratch: Scratch | None = None
        self._killed = threading.Event()
        self._served = 0
        self.version = ""

    def start(self) -> str:
        """Start the child unless it is running, and return the version of its ngspice.

        Raises
        ------
        NgspiceMissingError
            If the child does not start.
        """
        self._started()
        return self.version

    def run(self, decks: Work, timeout_s: float) -> Iterator[Outcome]:
        """Yield one outcome per deck, in order; a simulation that takes longer than `timeout_s` [s] fails.

        A deck whose process ends is simulated again, since the cause may be outside the deck; a deck that ends
        several processes has failed.
        """
        done, deaths = 0, 0
        while done < len(decks):
            for outcome in self._serve(decks[done:], timeout_s):
                deaths = deaths + 1 if outcome.died else 0
                if 0 < deaths < _MOST_DEATHS and not self._killed.is_set():
                    break
                done, deaths = done + 1, 0
                yield outcome

    def close(self) -> None:
        """End the child and remove its directory; may be called repeatedly."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._scratch is not None:
            self._scratch.remove()
            self._scratch = None

    def kill(self) -> None:
        """End a simulation in progress from another thread; its outcome is a failure."""
        self._killed.set()
        process = self._process
        if process is not None:
            process.kill()

    def _serve(self, decks: Work, timeout_s: float) -> Iterator[Outcome]:
        """Yield outcomes until all decks are simulated or the child has ended."""
        try:
            connection = self._started()
        except (NgspiceMissingError, OSError) as error:
            if not self.version:
                raise
            # It started before, so memory or disk is full.  Finished points must be kept.
            yield Outcome(vectors={}, reason=f"ngspice does not start again: {error}", fatal=True)
            return
        check_loads(self.version, _compiled(decks))
        with contextlib.suppress(OSError):  # a child that has ended is detected in _receive
            connection.send(decks)
        for _ in range(len(decks)):
            outcome = self._receive(connection, timeout_s)
            if outcome.fatal:
                self.close()
            self._served += 1
            yield outcome
            if outcome.fatal:
                return
        if self._served > _POINTS_PER_CHILD:
            self.close()

    def _receive(self, connection: Connection, timeout_s: float) -> Outcome:
        try:
            if not connection.poll(timeout_s):
                return Outcome(vectors={}, reason=f"no result after {timeout_s:g} s", fatal=True)
            outcome = connection.recv()
        except (EOFError, OSError):
            reason = "ngspice crashed while it simulated this deck"
            return Outcome(vectors={}, reason=reason, log=self._last_words(), fatal=True, died=True)
        assert isinstance(outcome, Outcome)  # noqa: S101  the child's protocol, for the type checker
        return outcome

    def _last_words(self) -> str:
        if self._scratch is None:
            return ""
        with contextlib.suppress(OSError):
            return (self._scratch.path / "stderr").read_text(errors="replace")
        return ""

    def _started(self) -> Connection:
        """Connection to a running child; a child ended by a signal during its start is replaced."""
        deaths = 0
        while True:
            if self._connection is not None and self._process is not None and self._process.poll() is None:
                return self._connection
            self.close()
            hello = self._start()
            if not isinstance(hello, str):
                self.version, self._served = hello[1], 0
                continue
            deaths += self._ended_by_signal()
            self.close()
            if deaths in (0, _MOST_DEATHS) or self._killed.is_set():
                raise NgspiceMissingError(f"the ngspice library cannot be loaded: {printable(hello.strip())}")

    def _ended_by_signal(self) -> bool:
        ended = self._process.poll() if self._process else None
        return ended is not None and ended < 0

    def _start(self) -> tuple[str, str] | str:
        """Start a child and return its first message, or the reason of a failure."""
        self._scratch = Scratch()
        self._connection, theirs = Pipe()
        # Resolved here, since the child has another working directory.
        library = {LIBRARY_PATH: find_library()} if os.environ.get(LIBRARY_PATH) else {}
        with (self._scratch.path / "stderr").open("wb") as errors:
            self._process = start_worker(
                theirs.fileno(), self._scratch.path / "work", errors, {**os.environ, **library}
            )
        theirs.close()
        try:
            hello = self._connection.recv() if self._connection.poll(_START_TIMEOUT_S) else "it did not start in time"
        except (EOFError, OSError):
            self._process.wait()
            return self._last_words()[-500:]
        return hello


def _compiled(work: Work) -> set[str]:
    """Files of compiled models of decks."""
    decks = work.decks if isinstance(work, Batch) else work
    return {file for deck in decks for file in deck.template.compiled}
