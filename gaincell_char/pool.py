"""Child processes with one ngspice each: handed decks, watched, killed and replaced."""

import contextlib
import itertools
import math
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self, TypeVar

from .batch import Batch
from .errors import NgspiceMissingError, ParameterError
from .netlist import Deck
from .ngspice import Outcome, find_library

_POINTS_PER_CHILD = 5000
_START_TIMEOUT_S = 60.0
_LARGEST_CHUNK = 32
_LONGEST_TIMEOUT_S = 1e6
C = TypeVar("C")
T = TypeVar("T")
Work = Sequence[Deck] | Batch
"""What a child is handed: decks to run, or a batch to run and measure."""


class Simulator:
    """A child process with one ngspice in it; killed and replaced when it hangs or dies."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection
        self._directory = Path()
        self._served = 0
        self.version = ""

    def run(self, decks: Work, timeout_s: float) -> Iterator[Outcome]:
        """Yield one outcome per deck, in order."""
        done = 0
        while done < len(decks):
            for outcome in self._serve(decks[done:], timeout_s):
                done += 1
                yield outcome

    def close(self) -> None:
        """End the child and remove its directory."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._connection.close()
        shutil.rmtree(self._directory, ignore_errors=True)
        self._process = None

    def kill(self) -> None:
        """End a run in progress from another thread; its outcome is a failure."""
        process = self._process
        if process is not None:
            process.kill()

    def _serve(self, decks: Work, timeout_s: float) -> Iterator[Outcome]:
        """Yield outcomes until the decks are done or the child is lost."""
        try:
            self._start()
        except (NgspiceMissingError, OSError) as error:
            if not self.version:
                raise
            # It worked before: memory or disk ran out.  What is done already is worth keeping.
            yield Outcome(vectors={}, reason=f"ngspice does not start again: {error}", fatal=True)
            return
        with contextlib.suppress(OSError):  # a dead child shows when its answer is awaited
            self._connection.send(decks)
        for _ in range(len(decks)):
            outcome = self._receive(timeout_s)
            if outcome.fatal:
                self.close()
            self._served += 1
            yield outcome
            if outcome.fatal:
                return
        if self._served > _POINTS_PER_CHILD:
            self.close()

    def _receive(self, timeout_s: float) -> Outcome:
        try:
            if not self._connection.poll(timeout_s):
                return Outcome(vectors={}, reason=f"no result after {timeout_s:g} s", fatal=True)
            outcome = self._connection.recv()
        except (EOFError, OSError):
            return Outcome(vectors={}, reason="ngspice died while it ran this deck", log=self._last_words(), fatal=True)
        assert isinstance(outcome, Outcome)  # noqa: S101  the child's protocol, for the type checker
        return outcome

    def _last_words(self) -> str:
        return (self._directory / "stderr").read_text(errors="replace")

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        self._directory = Path(tempfile.mkdtemp(prefix="gaincell-"))
        self._connection, theirs = Pipe()
        child = theirs.fileno()
        words = [sys.executable, "-P", "-m", "gaincell_char.worker", child, self._directory / "work", os.getpid()]
        with (self._directory / "stderr").open("wb") as errors:
            # Its own session: Ctrl-C reaches the parent alone, which decides what to keep.
            self._process = subprocess.Popen(
                [str(word) for word in words],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=(child,),
                start_new_session=True,
            )
        theirs.close()
        self._served = 0
        try:
            hello = self._connection.recv() if self._connection.poll(_START_TIMEOUT_S) else "it did not start in time"
        except EOFError:
            hello = self._last_words()[-500:]
        if isinstance(hello, str):
            self.close()
            raise NgspiceMissingError(f"the ngspice library does not load: {hello}")
        self.version = hello[1]


class Pool:
    """Simulators to share among chunks; keep one for a whole job to save their start-up.

    Parameters
    ----------
    workers : int, optional
        Number of child processes; one per core by default.
    timeout_s : float
        A run that takes longer is ended and counts as failed.
    """

    def __init__(self, workers: int | None = None, *, timeout_s: float = 60.0) -> None:
        self.workers = workers or os.cpu_count() or 1
        if self.workers < 1:
            raise ParameterError(f"workers = {self.workers}: at least one is needed")
        if not 0 < timeout_s <= _LONGEST_TIMEOUT_S:
            raise ParameterError(f"timeout = {timeout_s:g} s is outside (0, {_LONGEST_TIMEOUT_S:g}] s")
        find_library()
        self.timeout_s = timeout_s
        self.stop = threading.Event()
        self._all = [Simulator() for _ in range(self.workers)]
        self._free: queue.SimpleQueue[Simulator] = queue.SimpleQueue()
        for simulator in self._all:
            self._free.put(simulator)
        # Threads suffice to hand out chunks: the work is in the children.
        self._executor = ThreadPoolExecutor(self.workers, thread_name_prefix="gaincell")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)
        for simulator in self._all:
            simulator.close()

    def kill(self) -> None:
        """End every run in progress, now."""
        for simulator in self._all:
            simulator.kill()

    @property
    def version(self) -> str:
        """Version of the ngspice that ran, empty before the first run."""
        return next((s.version for s in self._all if s.version), "")

    def map(self, jobs: Iterable[Any], decks: Callable[[Any], Deck], *, count: int) -> Iterator[tuple[Any, Outcome]]:
        """Yield every job with its outcome, as they finish; stops early when `stop` is set.

        Parameters
        ----------
        jobs : iterable
            Taken a chunk at a time; `count` is how many there are.
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
            # A short timeout, so that signal handlers of the main thread get their turn.
            finished, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in finished:
                yield from future.result()

    def stream(self, chunks: Iterable[C], serve: Callable[[Simulator, C], Iterable[T]]) -> Iterator[T]:
        """Yield what `serve` makes of every chunk with a simulator, as it comes; stops early when `stop` is set.

        Parameters
        ----------
        chunks : iterable
            Taken one at a time.
        serve : callable
            Runs in a thread: the work is in the simulator's process.
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
                # A short timeout, so that signal handlers of the main thread get their turn.
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
