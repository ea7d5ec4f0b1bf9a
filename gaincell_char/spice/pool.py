"""Child processes with one ngspice each: given decks, supervised, ended and replaced."""

import contextlib
import itertools
import math
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from multiprocessing.connection import Connection, Pipe
from typing import Any, Self, TypeVar

from ..errors import NgspiceMissingError, ParameterError
from ..storage.scratch import Scratch, remove_leftovers
from ..storage.untrusted import printable
from .batch import Batch
from .deck import Deck
from .ngspice import LIBRARY_PATH, Outcome, find_library
from .preloaded import Child, start_worker

_POINTS_PER_CHILD = 5000
_START_TIMEOUT_S = 60.0
_LARGEST_CHUNK = 32
_SHORTEST_TIMEOUT_S, _LONGEST_TIMEOUT_S = 0.1, 1e6
_MOST_WORKERS = 1024
_MOST_DEATHS = 3
C = TypeVar("C")
T = TypeVar("T")
Work = Sequence[Deck] | Batch
"""Work for a child process: decks to simulate, or a batch to simulate and measure."""


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


def check_timeout(timeout_s: float) -> float:
    """Return the time limit of one simulation [s], or raise `ParameterError` if it is out of range."""
    if not _SHORTEST_TIMEOUT_S <= timeout_s <= _LONGEST_TIMEOUT_S:
        raise ParameterError(
            f"timeout = {timeout_s:g} s is outside [{_SHORTEST_TIMEOUT_S:g}, {_LONGEST_TIMEOUT_S:g}] s"
        )
    return timeout_s


class Pool:
    """A pool of simulators; use one for a whole job to save start-up time.

    Parameters
    ----------
    workers : int, optional
        Number of child processes; one per core by default.
    timeout_s : float
        Time limit of one simulation [s]; a simulation that takes longer fails.
    """

    def __init__(self, workers: int | None = None, *, timeout_s: float = 60.0) -> None:
        self.workers = workers or os.cpu_count() or 1
        if not 1 <= self.workers <= _MOST_WORKERS:
            raise ParameterError(f"workers = {self.workers} is outside [1, {_MOST_WORKERS}]")
        check_timeout(timeout_s)
        find_library()
        remove_leftovers()
        self.timeout_s = timeout_s
        self.stop = threading.Event()
        self._all = [Simulator() for _ in range(self.workers)]
        self._free: queue.SimpleQueue[Simulator] = queue.SimpleQueue()
        for simulator in self._all:
            self._free.put(simulator)
        # Threads suffice here: the work is done in the child processes.
        self._executor = ThreadPoolExecutor(self.workers, thread_name_prefix="gaincell")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.close()
        except KeyboardInterrupt:
            self.close()
            raise

    def close(self) -> None:
        """End every child and thread; may be called repeatedly."""
        self.stop.set()
        self.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)
        for simulator in self._all:
            simulator.close()

    def kill(self) -> None:
        """End every simulation in progress at once."""
        for simulator in self._all:
            simulator.kill()

    @property
    def version(self) -> str:
        """Version of ngspice; empty before the first simulation."""
        return next((s.version for s in self._all if s.version), "")

    def start(self) -> str:
        """Start a simulator unless one is running, and return its name and version: ``"ngspice 39"``.

        Raises
        ------
        NgspiceMissingError
            If no simulator starts.
        """
        if not self.version:
            simulator = self._free.get()
            try:
                simulator.start()
            finally:
                self._free.put(simulator)
        return f"ngspice {self.version}"

    def map(self, jobs: Iterable[Any], decks: Callable[[Any], Deck], *, count: int) -> Iterator[tuple[Any, Outcome]]:
        """Simulate jobs and yield each with its outcome, in the order of completion, until `stop` is set.

        Parameters
        ----------
        jobs : iterable
            `count` jobs of any type, consumed in chunks.
        decks : callable
            Job -> deck.
        """
        source = iter(jobs)
        size = max(1, min(_LARGEST_CHUNK, math.ceil(count / (4 * self.workers))))
        chunks = iter(lambda: list(itertools.islice(source, size)), [])
        pending: set[Future[list[tuple[Any, Outcome]]]] = set()
        while True:
            while len(pending) < 2 * self.workers and not self.stop.is_set() and (chunk := next(chunks, None)):
                pending.add(self._executor.submit(self._chunk, chunk, decks))
            if not pending:
                return
            # A short timeout, so that signal handlers can run in the main thread.
            finished, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in finished:
                yield from future.result()

    def stream(self, chunks: Iterable[C], serve: Callable[[Simulator, C], Iterable[T]]) -> Iterator[T]:
        """Apply `serve` to every chunk and yield its results, in the order of completion, until `stop` is set.

        Parameters
        ----------
        chunks : iterable
            Chunks of work of any type, consumed one at a time.
        serve : callable
            (simulator, chunk) -> results; runs in a thread, for the work is done in the simulator's process.
        """
        results: queue.SimpleQueue[T] = queue.SimpleQueue()
        shared, lock, left = iter(chunks), threading.Lock(), threading.Event()

        def take() -> C | None:
            with lock:
                return None if self.stop.is_set() or left.is_set() else next(shared, None)

        def work() -> None:
            while (chunk := take()) is not None:
                self._serve_chunk(chunk, serve, results)

        pending = [self._executor.submit(work) for _ in range(self.workers)]
        try:
            while not (over := all(future.done() for future in pending)) or not results.empty():
                # A short timeout, so that signal handlers can run in the main thread.
                with contextlib.suppress(queue.Empty):
                    yield results.get(timeout=0.0 if over else 0.1)
        finally:
            left.set()
        for future in pending:
            future.result()

    def _serve_chunk(
        self, chunk: C, serve: Callable[[Simulator, C], Iterable[T]], results: "queue.SimpleQueue[T]"
    ) -> None:
        simulator = self._free.get()
        try:
            for item in serve(simulator, chunk):
                results.put(item)
                if self.stop.is_set():
                    simulator.close()
                    return
        except NgspiceMissingError:
            if not self.stop.is_set():  # else it was killed while it started
                raise
        finally:
            self._free.put(simulator)

    def _chunk(self, items: list[Any], decks: Callable[[Any], Deck]) -> list[tuple[Any, Outcome]]:
        simulator = self._free.get()
        results: list[tuple[Any, Outcome]] = []
        try:
            if self.stop.is_set():
                return results
            for item, outcome in zip(items, simulator.run([decks(i) for i in items], self.timeout_s), strict=True):
                if self.stop.is_set() and outcome.fatal:
                    break
                results.append((item, outcome))
                if self.stop.is_set():
                    simulator.close()
                    break
        except NgspiceMissingError:
            if not self.stop.is_set():  # else it was killed while it started
                raise
        finally:
            self._free.put(simulator)
        return results
