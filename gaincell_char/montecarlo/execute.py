"""Run a campaign: in child processes of this machine, or anywhere an executor reaches; nothing finished is lost."""

import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..declare.bench import Floats
from ..errors import GaincellError, ParameterError, RequestError
from ..spice.batch import Batch
from ..spice.ngspice import Outcome
from ..spice.pool import Pool, Simulator
from ..storage import manifest, shards
from ..sweep.arguments import check_count
from ..sweep.run import FAILED, KEPT_FAILURES, OK, as_folder, own_timeout
from .campaign import Campaign
from .finished import point_keys, read_finished

_SAMPLES_PER_CHUNK = 128
_CHUNKS_PER_WORKER = 8
_FLUSH_S, _FLUSH_SHARE = 1.0, 0.05
# Chunks for an executor are sized for this many workers at least.
_REMOTE_WORKERS = 8


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Groups of samples for one simulator: pickles, and needs nothing but this package where it is served."""

    grouped: Batch
    alone: Batch
    runs: tuple[tuple[int, int], ...]

    def single(self, point: int, row: int) -> Batch:
        """Return one of its samples alone, by its row."""
        return Batch(
            decks=self.alone.decks,
            save=self.alone.save,
            copies=1,
            targets=self.alone.targets,
            rows=self.grouped.rows,
            runs=((point, row),),
            program=self.alone.program,
        )


@dataclass(frozen=True, kw_only=True)
class PointResult:
    """One point of one sample: its outputs, or why there are none, with the log and whether the child was lost."""

    sample: int
    point: int
    values: Mapping[str, Floats] = field(default_factory=dict)
    reason: str = ""
    log: str = ""
    fatal: bool = False
    spent_s: float = 0.0


Group = tuple[PointResult, ...]
"""The samples of one deck at one point: stored together, so that none is simulated twice."""


def serve(simulator: Simulator, chunk: Chunk, timeout_s: float) -> Iterator[Group]:
    """Simulate a chunk; a group that fails is taken apart, so that each of its samples fails or not by itself."""
    copies = chunk.grouped.copies
    torn: list[tuple[int, int, int]] = []
    outcomes = simulator.run(chunk.grouped, timeout_s)
    for (point, first), (_, row), outcome in zip(chunk.runs, chunk.grouped.runs, outcomes, strict=True):
        if outcome.reason and copies > 1:
            torn.append((point, first, row))
        else:
            yield tuple(_finished(first + k, point, outcome, k, copies) for k in range(copies))
    for point, first, row in torn:
        singles = [next(iter(simulator.run(chunk.single(point, row + k), timeout_s))) for k in range(copies)]
        yield tuple(_finished(first + k, point, outcome, 0, 1) for k, outcome in enumerate(singles))


def _finished(sample: int, point: int, outcome: Outcome, copy: int, copies: int) -> PointResult:
    return PointResult(
        sample=sample,
        point=point,
        values={name: v[copy] for name, v in outcome.vectors.items()},
        reason=outcome.reason,
        log=outcome.log,
        fatal=outcome.fatal,
        spent_s=outcome.spent_s / copies,
    )


def serve_anywhere(payload: bytes, timeout_s: float) -> list[Group]:
    """Simulate a pickled chunk in a process of its own: what an executor is handed."""
    simulator = Simulator()
    try:
        return list(serve(simulator, pickle.loads(payload), timeout_s))  # noqa: S301  from our own parent
    finally:
        simulator.close()


@dataclass(frozen=True, kw_only=True)
class CampaignProgress:
    """What a campaign did this time: points that were there already, and points simulated now."""

    n: int
    kept: int
    simulated: int
    failed: int
    spent_s: float
    wall_s: float
    stopped: bool
    failures: tuple[PointResult, ...]


def run_campaign(
    campaign: Campaign,
    n: int,
    folder: Path | str,
    *,
    pool: Pool | None = None,
    executor: Executor | None = None,
    timeout_s: float | None = None,
    part: tuple[int, int] = (1, 1),
    retry_failed: bool = False,
    tick: Callable[[int], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> CampaignProgress:
    """Simulate the first `n` samples of a campaign, less what `folder` holds already.

    Parameters
    ----------
    pool : Pool, optional
        Simulators of this machine to use; one per core by default.
    executor : Executor, optional
        Where to simulate instead: Dask, MPI or any other ``concurrent.futures`` executor.
    timeout_s : float, optional
        Time after which a run is ended [s]; 60 s by default.  A pool has its own, which this may not contradict.
    part : (int, int)
        ``(2, 8)`` simulates the second of eight parts, for arrays of jobs that share the folder.
    tick, say : callable
        Told how many more points are finished, and of a damaged shard.

    Raises
    ------
    RequestError
        If an argument is of another kind or makes no sense, or the folder contains another campaign.
    StorageError
        If a shard cannot be written.
    """
    timeout_s = own_timeout(timeout_s, pool)
    folder, part, n = as_folder(folder), check_part(part), campaign.check_samples(check_count("n", n))
    if pool is None and executor is None:
        with Pool(timeout_s=timeout_s) as own:
            return run_campaign(campaign, n, folder, pool=own, part=part, retry_failed=retry_failed, tick=tick, say=say)
    simulator = pool.start() if pool else _simulator_of(executor)
    manifest.open_folder(folder, campaign.manifest(n, simulator))
    began = time.perf_counter()
    work = _Work(campaign, n)
    kept = work.drop(read_finished(campaign, folder, n, say, work.values), retry_failed)
    tick(kept)
    writer = _Writer(work, folder, simulator)
    try:
        chunks = work.chunks(part, pool.workers if pool else _REMOTE_WORKERS)
        for group in _groups(chunks, pool, executor, timeout_s):
            writer.add(group)
            tick(len(group))
    finally:
        writer.flush()
    stopped = pool is not None and pool.stop.is_set()
    return writer.progress(n, kept, time.perf_counter() - began, stopped)


def _groups(chunks: Iterable[Chunk], pool: Pool | None, executor: Executor | None, timeout_s: float) -> Iterator[Group]:
    """Everything that finishes, as it does; not what the user's Ctrl-C ended."""
    if executor is not None:
        yield from _elsewhere(executor, chunks, timeout_s)
    elif pool is not None:
        for group in pool.stream(chunks, partial(serve, timeout_s=pool.timeout_s)):
            if not (pool.stop.is_set() and any(item.fatal for item in group)):
                yield group


def start_anywhere() -> str:
    """Start a simulator in a process of its own, and return what it is: ``"ngspice 39"``."""
    simulator = Simulator()
    try:
        return f"ngspice {simulator.start()}"
    finally:
        simulator.close()


def _simulator_of(executor: Executor | None) -> str:
    """What simulates where an executor does."""
    return executor.submit(start_anywhere).result() if executor else ""


def _elsewhere(executor: Executor, chunks: Iterable[Chunk], timeout_s: float) -> Iterator[Group]:
    futures = [executor.submit(serve_anywhere, pickle.dumps(chunk), timeout_s) for chunk in chunks]
    lost: list[Exception] = []
    for future in as_completed(futures):
        error = future.exception()
        if isinstance(error, Exception):
            lost.append(error)
        else:
            yield from future.result()
    if lost:
        raise GaincellError(
            f"the executor lost {len(lost)} of {len(futures)} parts, the first to {type(lost[0]).__name__}: {lost[0]}; "
            "what is finished is kept: run the same again"
        )


def sample(campaign: Campaign, n: int, pool: Pool) -> list[PointResult]:
    """Simulate the first `n` samples and keep them in memory, by sample and point."""
    chunks = _Work(campaign, n).chunks((1, 1), pool.workers)
    items = (item for group in _groups(chunks, pool, None, pool.timeout_s) for item in group if item.sample < n)
    return sorted(items, key=lambda item: (item.sample, item.point))


def typical(campaign: Campaign, pool: Pool) -> list[PointResult]:
    """Simulate the circuit with every deviation at 0, over the whole grid."""
    work = _Work(campaign, 1, np.zeros((campaign.copies, len(campaign.variables))))
    groups = _groups(work.chunks((1, 1), 1), pool, None, pool.timeout_s)
    return sorted((item for group in groups for item in group if item.sample == 0), key=lambda item: item.point)


def check_part(part: tuple[int, int]) -> tuple[int, int]:
    """Return a part of a campaign, or raise `RequestError` unless it is one of 1 to N."""
    if not isinstance(part, Sequence) or len(part) != 2:
        raise ParameterError(f"part is {part!r:.60}; it takes two whole numbers, (I, N)")
    own, parts = (check_count("part", number, 0) for number in part)
    if not 1 <= own <= parts <= manifest.MOST_SAMPLES:
        raise RequestError(f"shard {own}/{parts} is not one of its parts: write I/N with I from 1 to N")
    return own, parts


class _Work:
    """Which points there are, their numbers, and which are left to do."""

    def __init__(self, campaign: Campaign, n: int, draws: Floats | None = None) -> None:
        self.campaign = campaign
        draws = campaign.draws(campaign.padded(n)) if draws is None else draws
        self.rows = {point: campaign.rows(point, draws) for point in range(len(campaign.points))}
        self.values = {point: values for point, (_, values) in self.rows.items()}
        self.todo = np.ones((len(campaign.points), len(draws)), dtype=bool)

    def keys(self, simulator: str, points: Sequence[int], samples: Sequence[int]) -> list[str]:
        """Key of each point."""
        return point_keys(self.campaign, simulator, self.values, points, samples)

    def drop(self, done: pd.DataFrame | None, retry_failed: bool) -> int:
        """Take finished points off the list and return how many there are."""
        if done is None:
            return 0
        mine = done[done["status"] != FAILED] if retry_failed else done
        self.todo[mine["point"].to_numpy(), mine["sample"].to_numpy()] = False
        return len(mine)

    def chunks(self, part: tuple[int, int], workers: int) -> Iterator[Chunk]:
        """Groups that hold an unfinished point: whole groups, so that their results do not depend on the rest."""
        copies = self.campaign.copies
        groups = np.arange(0, self.todo.shape[1], copies)
        groups = groups[part[0] - 1 :: part[1]]
        open_: Any = self.todo.reshape(len(self.todo), -1, copies).any(axis=2)
        groups = groups[open_.any(axis=0)[groups // copies]]
        most = max(1, _SAMPLES_PER_CHUNK // copies)
        size = max(1, min(most, len(groups) // (_CHUNKS_PER_WORKER * workers)))
        for start in range(0, len(groups), size):
            some = groups[start : start + size]
            runs = [(p, int(g)) for p in range(len(self.todo)) for g in some if open_[p, g // copies]]
            yield self._chunk(runs)

    def _chunk(self, runs: list[tuple[int, int]]) -> Chunk:
        grouped = self.campaign.batch(self.rows, runs)
        return Chunk(grouped=grouped, alone=self.campaign.alone(self.rows, runs[:1]), runs=tuple(runs))


class _Writer:
    """Collects finished points and puts them into a shard now and then."""

    def __init__(self, work: _Work, folder: Path, simulator: str) -> None:
        self._work, self._simulator = work, simulator
        self._folder = folder
        self._waiting: list[PointResult] = []
        self._began = self._flushed = time.perf_counter()
        self.count = self.failed = 0
        self.spent_s = 0.0
        self.failures: list[PointResult] = []

    def add(self, group: Group) -> None:
        """Take more; write if it is time."""
        self._waiting += group
        self.count += len(group)
        self.spent_s += sum(item.spent_s for item in group)
        failed = [item for item in group if item.reason]
        self.failed += len(failed)
        if failed:  # the first by number, whoever finished first
            self.failures = sorted([*self.failures, *failed], key=lambda i: (i.sample, i.point))[:KEPT_FAILURES]
        now = time.perf_counter()
        if now - self._flushed > max(_FLUSH_S, _FLUSH_SHARE * (now - self._began)):
            self.flush()

    def progress(self, n: int, kept: int, wall_s: float, stopped: bool) -> CampaignProgress:
        """What was done."""
        return CampaignProgress(
            n=n,
            kept=kept,
            simulated=self.count,
            failed=self.failed,
            spent_s=self.spent_s,
            wall_s=wall_s,
            stopped=stopped,
            failures=tuple(self.failures),
        )

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            shards.write_shard(self._folder, self._frame())
        self._waiting = []
        self._flushed = time.perf_counter()

    def _frame(self) -> pd.DataFrame:
        items = sorted(self._waiting, key=lambda item: (item.sample, item.point))
        samples, points = [i.sample for i in items], [i.point for i in items]
        keys = self._work.keys(self._simulator, points, samples)
        columns: dict[str, Any] = {"sample": samples, "point": points, "key": keys}
        for output in self._work.campaign.plan.bench.outputs:
            columns[output.name] = [_cell(item.values.get(output.name)) for item in items]
        columns["status"] = [FAILED if item.reason else OK for item in items]
        columns["reason"] = [item.reason for item in items]
        return pd.DataFrame(columns)


def _cell(value: Any) -> Any:
    """A number, or a list for an output that is a curve; None where there is none."""
    return None if value is None else np.asarray(value).tolist()
