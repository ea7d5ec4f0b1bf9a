"""A pool of simulators: child processes that share the decks of a job."""

import contextlib
import itertools
import math
import os
import queue
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Self, TypeVar

from ..errors import NgspiceMissingError, ParameterError
from ..storage.scratch import remove_leftovers
from .deck import Deck
from .ngspice import Outcome, find_library, named_library
from .simulator import Simulator, check_loads

_LARGEST_CHUNK = 32
_SHORTEST_TIMEOUT_S, _LONGEST_TIMEOUT_S = 0.1, 1e6
_MOST_WORKERS = 1024
C = TypeVar("C")
T = TypeVar("T")


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

    Attributes
    ----------
    library : str
        Path of the ngspice library that ``NGSPICE_LIBRARY_PATH`` or ``--ngspice`` named; empty if none was named.
    """

    def __init__(self, workers: int | None = None, *, timeout_s: float = 60.0) -> None:
        self.workers = workers or os.cpu_count() or 1
        if not 1 <= self.workers <= _MOST_WORKERS:
            raise ParameterError(f"workers = {self.workers} is outside [1, {_MOST_WORKERS}]")
        check_timeout(timeout_s)
        find_library()
        self.library = named_library()
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

    @contextlib.contextmanager
    def limited(self, timeout_s: float) -> Iterator[Self]:
        """Context in which no simulation may take longer than `timeout_s` [s], nor than the limit of the pool."""
        usual, self.timeout_s = self.timeout_s, min(self.timeout_s, timeout_s)
        try:
            yield self
        finally:
            self.timeout_s = usual

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

    @property
    def provenance(self) -> dict[str, str]:
        """Name and version of the simulator, and the path of its library if one was named: attributes of results."""
        return {"simulator": f"ngspice {self.version}", **({"library": self.library} if self.library else {})}

    def start(self, compiled: Collection[str] = ()) -> str:
        """Start a simulator unless one is running, and return its name and version: ``"ngspice 39"``.

        Parameters
        ----------
        compiled : collection of str
            Files of compiled models that it must be able to load.

        Raises
        ------
        NgspiceMissingError
            If no simulator starts.
        RequestError
            If this version does not load compiled models.
        """
        if not self.version:
            simulator = self._free.get()
            try:
                simulator.start()
            finally:
                self._free.put(simulator)
        check_loads(self.version, compiled)
        return self.provenance["simulator"]

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
