"""Run the points of a plan in child processes and put what they measure into one dataset."""

import json
import math
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import numpy as np
import xarray as xr

from . import __version__
from .circuit import Analysis, Waveforms
from .errors import CharError, NgspiceMissingError, ParameterError, SimulationError
from .netlist import Deck, Template, flatten, undeclared
from .ngspice import Outcome, find_library
from .plan import Plan, Point

OK, FAILED, NOT_RUN = "ok", "failed", "not run"
_POINTS_PER_CHILD = 5000
_START_TIMEOUT_S = 60.0
_KEPT_FAILURES = 20


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A point that gave no result: where, why, and the evidence."""

    where: Mapping[str, Any]
    reason: str
    deck: str
    log: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """A dataset and the first few of its failures, with their decks and logs."""

    dataset: xr.Dataset
    failures: tuple[Failure, ...]


class Simulator:
    """A child process with one ngspice in it; killed and replaced when it hangs or dies."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection
        self._directory = Path()
        self._served = 0
        self.version = ""

    def run(self, decks: Sequence[Deck], timeout_s: float) -> Iterator[Outcome]:
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
        if self._process is not None:
            self._process.kill()

    def _serve(self, decks: Sequence[Deck], timeout_s: float) -> Iterator[Outcome]:
        """Yield outcomes until the decks are done or the child is lost."""
        self._start()
        self._connection.send(decks)
        for _ in decks:
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
        except (EOFError, ConnectionResetError):
            return Outcome(vectors={}, reason="ngspice died while it ran this deck", log=self._last_words(), fatal=True)
        assert isinstance(outcome, Outcome)  # noqa: S101  the child's protocol, for the type checker
        return outcome

    def _last_words(self) -> str:
        return (self._directory / "stderr").read_text(errors="replace")

    def _start(self) -> None:
        if self._process is not None:
            return
        self._directory = Path(tempfile.mkdtemp(prefix="gaincell-"))
        self._connection, theirs = Pipe()
        with (self._directory / "stderr").open("wb") as errors:
            # Its own session: Ctrl-C reaches the parent alone, which decides what to keep.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "gaincell_char.worker", str(theirs.fileno()), str(self._directory / "work"),
                 str(os.getpid())],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, pass_fds=(theirs.fileno(),), start_new_session=True,
            )  # fmt: skip
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
    executor : concurrent.futures.Executor, optional
        Where chunks are handed out; threads by default, because the work is in the children.
    """

    def __init__(
        self, workers: int | None = None, *, timeout_s: float = 60.0, executor: Executor | None = None
    ) -> None:
        self.workers = workers or os.cpu_count() or 1
        if self.workers < 1:
            raise ParameterError(f"workers = {self.workers}: at least one is needed")
        find_library()
        self.timeout_s = timeout_s
        self.stop = threading.Event()
        self._all = [Simulator() for _ in range(self.workers)]
        self._free: queue.SimpleQueue[Simulator] = queue.SimpleQueue()
        for simulator in self._all:
            self._free.put(simulator)
        self._own = ThreadPoolExecutor(self.workers, thread_name_prefix="gaincell") if executor is None else None
        self._executor: Executor = executor or self._own  # type: ignore[assignment]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.kill()
        if self._own is not None:
            self._own.shutdown(wait=True, cancel_futures=True)
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

    def map(self, jobs: Iterable[Any], decks: Callable[[Any], Deck]) -> Iterator[tuple[Any, Outcome]]:
        """Yield every job with its outcome, as they finish; stops early when `stop` is set."""
        items = list(jobs)
        size = max(1, min(32, math.ceil(len(items) / (4 * self.workers))))
        chunks = iter([items[i : i + size] for i in range(0, len(items), size)])
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

    def _chunk(self, items: list[Any], decks: Callable[[Any], Deck]) -> list[tuple[Any, Outcome]]:
        simulator = self._free.get()
        results: list[tuple[Any, Outcome]] = []
        try:
            if self.stop.is_set():
                return results
            for item, outcome in zip(items, simulator.run([decks(i) for i in items], self.timeout_s), strict=True):
                if self.stop.is_set() and outcome.fatal:
                    return results
                results.append((item, outcome))
        finally:
            self._free.put(simulator)
        return results


def characterize(
    plan: Plan,
    *,
    pool: Pool | None = None,
    only: Sequence[tuple[int, ...]] | None = None,
    progress: Callable[[], None] = lambda: None,
) -> Result:
    """Simulate every point of a plan.

    Parameters
    ----------
    pool : Pool, optional
        Simulators to use; one per core by default.
    only : sequence of index tuples, optional
        Points to run; the others stay "not run".
    progress : callable
        Called once per finished point.

    Returns
    -------
    Result
        Dataset with one dimension per swept quantity, ``status`` and ``reason`` per point.  Points
        without a result are NaN and say why.
    """
    if pool is None:
        with Pool() as own:
            return characterize(plan, pool=own, only=only, progress=progress)
    table = _Table(plan)
    points = plan.points() if only is None else (plan.point(index) for index in only)
    for point, outcome in pool.map(points, lambda p: p.deck):
        table.add(point, outcome)
        progress()
    return Result(dataset=table.dataset(pool.version), failures=tuple(table.failures))


def simulate(
    netlist: object,
    analysis: Analysis,
    save: Sequence[str],
    *,
    params: Mapping[str, float] | None = None,
    temp: float = 27.0,
    options: Mapping[str, float] | None = None,
    timeout_s: float = 60.0,
) -> Waveforms:
    """Run any netlist once and return its waveforms.

    Parameters
    ----------
    netlist : str or PySpice Circuit
        SPICE text, or anything whose ``str()`` is.
    analysis : Op or Tran
        What to run; analyses in the netlist are ignored.
    save : sequence of str
        Vectors, as ``"v(out)"`` and ``"i(vdd)"``.
    params : mapping, optional
        Value of every ``{name}`` in the netlist.

    Raises
    ------
    NetlistError
        If the netlist is unsafe or incomplete.
    SimulationError
        If ngspice does not give the result.
    """
    body = flatten(str(netlist))
    values = {name: float(value) for name, value in (params or {}).items()}
    if missing := undeclared(body, values):
        raise ParameterError(f"the netlist uses {', '.join(sorted(missing))}, which params does not give")
    body = f"{body}\n.save {' '.join(save)}"
    template = Template(
        title="gaincell-char", temp=temp, options=tuple((options or {}).items()), body=body, save=tuple(save)
    )
    deck = Deck(template=template, params=values, analysis=analysis, initial={})
    with Pool(1, timeout_s=timeout_s) as pool:
        [(_, outcome)] = pool.map([deck], lambda d: d)
    if outcome.reason:
        raise SimulationError(f"ngspice: {outcome.reason}", deck=deck.text, log=outcome.log)
    return outcome.vectors


class _Table:
    """The dataset while it fills."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        inner = (len(plan.curve),) if plan.bench.curve else ()
        self.values = {o.name: np.full((*plan.shape, *inner), np.nan) for o in plan.bench.outputs}
        self.status = np.full(plan.shape, NOT_RUN, dtype=object)
        self.reason = np.full(plan.shape, "", dtype=object)
        self.failures: list[Failure] = []

    def add(self, point: Point, outcome: Outcome) -> None:
        """Measure one outcome and file it under its point."""
        reason = outcome.reason or self._measure(point, outcome.vectors)
        self.status[point.index] = FAILED if reason else OK
        self.reason[point.index] = reason
        if reason and len(self.failures) < _KEPT_FAILURES:
            self.failures.append(Failure(where=point.where, reason=reason, deck=point.deck.text, log=outcome.log))

    def _measure(self, point: Point, vectors: Waveforms) -> str:
        measured = {}
        for output in self.plan.bench.outputs:
            try:
                value = np.asarray(output.measure(vectors, point.values), dtype=float)
            except (CharError, ArithmeticError, IndexError) as error:
                return f"{output.name} could not be measured: {error}"
            if not np.isfinite(value).all():
                return f"{output.name} is not finite"
            measured[output.name] = value
        for name, value in measured.items():
            self.values[name][point.index] = value
        return ""

    def dataset(self, version: str) -> xr.Dataset:
        plan, bench = self.plan, self.plan.bench
        dims = tuple(plan.dims)
        coords: dict[str, Any] = {
            "corner": ("corner", np.array(plan.corners, dtype=object), {"long_name": "process corner"}),
            "temp": ("temp", np.array(plan.temps), {"units": "degC", "long_name": "temperature"}),
        }
        for name, values in plan.sweep.items():
            kind = object if isinstance(values[0], str) else float
            coords[name] = (
                name,
                np.array(values, dtype=kind),
                {"units": plan.params[name].unit, "long_name": plan.params[name].doc},
            )
        inner: tuple[str, ...] = ()
        if bench.curve is not None:
            inner = (bench.curve.name,)
            coords[bench.curve.name] = (
                inner,
                plan.curve,
                {"units": bench.curve.unit, "long_name": bench.curve.doc},
            )
        data: dict[str, Any] = {
            o.name: ((*dims, *inner), self.values[o.name], {"units": o.unit, "long_name": o.doc}) for o in bench.outputs
        }
        data["status"] = (dims, self.status, {"long_name": "ok, failed or not run"})
        data["reason"] = (dims, self.reason, {"long_name": "why a point has no result"})
        return xr.Dataset(data, coords, self._attrs(version))

    def _attrs(self, version: str) -> dict[str, Any]:
        plan = self.plan
        return {
            "circuit": plan.circuit.name,
            "bench": plan.bench.name,
            "technology": plan.technology.name,
            "technology_digest": plan.technology.digest,
            "plan_digest": plan.digest,
            "parameters": json.dumps(dict(plan.fixed)),
            "options": json.dumps(dict(plan.options)),
            "simulator": f"ngspice {version}",
            "package": f"gaincell-char {__version__}",
            "n_points": plan.size,
            "n_ok": int((self.status == OK).sum()),
            "n_failed": int((self.status == FAILED).sum()),
        }
