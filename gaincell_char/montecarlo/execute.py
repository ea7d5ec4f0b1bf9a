"""Run a campaign, in child processes of this machine or on an executor; finished points are kept on disk."""

import contextlib
import itertools
import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..declare.bench import Floats
from ..errors import GaincellError, ParameterError, RequestError
from ..spice.pool import Pool
from ..storage import manifest, shards
from ..sweeping.arguments import check_count
from ..sweeping.run import FAILED, KEPT_FAILURES, OK, as_folder, own_timeout
from .campaign import Campaign
from .chunks import Chunk, Group, PointResult, simulate_chunk, simulate_pickled, start_anywhere
from .finished import point_keys, read_finished

_SAMPLES_PER_CHUNK = 128
_CHUNKS_PER_WORKER = 8
_FLUSH_S, _FLUSH_SHARE = 1.0, 0.05
# Chunks for an executor are sized for at least this number of workers.
_REMOTE_WORKERS = 8


@dataclass(frozen=True, kw_only=True)
class CampaignProgress:
    """Result of one call of `run_campaign`.

    Attributes
    ----------
    n : int
        Number of samples.
    kept, simulated, failed : int
        Points already finished, points simulated in this call, and failed points among these.
    spent_s, wall_s : float
        Time of the analyses, and elapsed time [s].
    stopped : bool
        Whether the call was stopped early.
    failures : tuple of PointResult
        The first few failed points.
    """

    n: int
    kept: int
    simulated: int
    failed: int
    spent_s: float
    wall_s: float
    stopped: bool
    failures: tuple[PointResult, ...]


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Callbacks for the progress of a campaign.

    Attributes
    ----------
    tick : callable
        Called with the number of newly finished points.
    say : callable
        Called with a message about a damaged shard, or about points of a different campaign.
    """

    tick: Callable[[int], None] = lambda _: None
    say: Callable[[str], None] = lambda _: None


_SILENT = Listener()


def run_campaign(
    campaign: Campaign,
    n: int,
    folder: Path | str,
    *,
    pool: Pool | Executor | None = None,
    timeout_s: float | None = None,
    part: tuple[int, int] = (1, 1),
    retry_failed: bool = False,
    listener: Listener = _SILENT,
) -> CampaignProgress:
    """Simulate the first `n` samples of a campaign, except the points already finished in `folder`.

    Parameters
    ----------
    campaign : Campaign
        The campaign, from `plan_campaign`.
    n : int
        Number of samples.
    folder : Path or str
        Folder of the campaign; an existing folder is resumed.
    pool : Pool or Executor, optional
        Simulators of this machine, one per core by default; or a ``concurrent.futures`` executor, such as Dask or MPI.
    timeout_s : float, optional
        Time limit of one simulation [s]; 60 s by default.  Must agree with the limit of a `Pool`.
    part : (int, int)
        ``(2, 8)`` simulates the second of eight parts, for job arrays that share the folder.
    retry_failed : bool
        Simulate failed points again.
    listener : Listener
        Callbacks for progress and messages.

    Raises
    ------
    RequestError
        If an argument has the wrong type or value, or the folder contains a different campaign.
    StorageError
        If a shard cannot be written.
    """
    timeout_s = _timeout(timeout_s, pool)
    folder, part, n = as_folder(folder), check_part(part), campaign.check_samples(check_count("n", n))
    with Pool(timeout_s=timeout_s) if pool is None else contextlib.nullcontext(pool) as where:
        simulator = _simulator_of(where, campaign.plan.technology.compiled_files)
        manifest.open_folder(folder, campaign.manifest(n, simulator))
        began = time.perf_counter()
        work = _Work(campaign, n)
        kept = work.drop(read_finished(campaign, folder, n, listener.say, work.values), retry_failed)
        listener.tick(kept)
        writer = _Writer(work, folder, simulator)
        _simulate_work(work, part, writer, where, timeout_s, listener)
        stopped = isinstance(where, Pool) and where.stop.is_set()
        return writer.progress(n, kept, time.perf_counter() - began, stopped)


def _simulate_work(
    work: "_Work",
    part: tuple[int, int],
    writer: "_Writer",
    pool: Pool | Executor,
    timeout_s: float,
    listener: Listener,
) -> None:
    """Simulate the unfinished points of a part; finished points are written even after an error."""
    try:
        chunks = work.chunks(part, pool.workers if isinstance(pool, Pool) else _REMOTE_WORKERS)
        for group in _simulate_chunks(chunks, pool, timeout_s):
            writer.add(group)
            listener.tick(len(group))
    finally:
        writer.flush()


def _simulate_chunks(chunks: Iterable[Chunk], pool: Pool | Executor, timeout_s: float) -> Iterator[Group]:
    """Yield finished groups in the order of completion, without points ended by Ctrl-C."""
    if not isinstance(pool, Pool):
        yield from _simulate_elsewhere(pool, chunks, timeout_s)
        return
    for group in pool.stream(chunks, partial(simulate_chunk, timeout_s=pool.timeout_s)):
        if not (pool.stop.is_set() and any(item.fatal for item in group)):
            yield group


def _timeout(timeout_s: float | None, pool: Pool | Executor | None) -> float:
    timeout_s = own_timeout(timeout_s, None if isinstance(pool, Executor) else pool)
    if not isinstance(pool, Pool | Executor | None):
        raise ParameterError(f"pool is of type {type(pool).__name__}; it must be a Pool or an executor")
    return timeout_s


def _simulator_of(pool: Pool | Executor, compiled: Sequence[str]) -> str:
    """Name and version of the simulator, ``"ngspice 39"``, which loads the compiled models."""
    return pool.start(compiled) if isinstance(pool, Pool) else pool.submit(start_anywhere, compiled).result()


def _simulate_elsewhere(executor: Executor, chunks: Iterable[Chunk], timeout_s: float) -> Iterator[Group]:
    futures = [executor.submit(simulate_pickled, pickle.dumps(chunk), timeout_s) for chunk in chunks]
    lost: list[Exception] = []
    for future in as_completed(futures):
        error = future.exception()
        if isinstance(error, Exception):
            lost.append(error)
        else:
            yield from future.result()
    if lost:
        raise GaincellError(
            f"{len(lost)} of {len(futures)} tasks of the executor failed, the first with {type(lost[0]).__name__}: "
            f"{lost[0]}; finished points are kept: run the same command again"
        )


def simulate_samples(campaign: Campaign, n: int, pool: Pool) -> list[PointResult]:
    """Simulate the first `n` samples of `campaign` on `pool` and return them in memory, ordered by sample and point."""
    chunks = _Work(campaign, n).chunks((1, 1), pool.workers)
    groups = _simulate_chunks(chunks, pool, pool.timeout_s)
    return sorted((item for group in groups for item in group if item.sample < n), key=_place)


def simulate_typical(campaign: Campaign, pool: Pool) -> list[PointResult]:
    """Simulate the circuit without deviations over the whole grid."""
    work = _Work(campaign, 1, np.zeros((campaign.copies, len(campaign.variables))))
    groups = _simulate_chunks(work.chunks((1, 1), 1), pool, pool.timeout_s)
    return sorted((item for group in groups for item in group if item.sample == 0), key=_place)


def _place(item: PointResult) -> tuple[int, int]:
    return item.sample, item.point


def check_part(part: tuple[int, int]) -> tuple[int, int]:
    """Return a part (I, N) of a campaign, or raise `RequestError` unless 1 <= I <= N."""
    if not isinstance(part, Sequence) or len(part) != 2:
        raise ParameterError(f"part is {part!r:.60}; it must be two whole numbers, (I, N)")
    own, parts = (check_count("part", number, 0) for number in part)
    if not 1 <= own <= parts <= manifest.MOST_SAMPLES:
        raise RequestError(f"shard {own}/{parts} does not exist: write I/N with I from 1 to N")
    return own, parts


class _Work:
    """All points with their device values, and the points not finished yet."""

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
        """Mark finished points as done and return their number."""
        if done is None:
            return 0
        mine = done[done["status"] != FAILED] if retry_failed else done
        self.todo[mine["point"].to_numpy(), mine["sample"].to_numpy()] = False
        return len(mine)

    def chunks(self, part: tuple[int, int], workers: int) -> Iterator[Chunk]:
        """Chunks of groups with an unfinished point; always whole groups, for results independent of the rest."""
        own, parts = part
        copies, (n_points, n_samples) = self.campaign.copies, self.todo.shape
        # Whether a group still has an unfinished sample, by point and group.
        unfinished = np.logical_or.reduceat(self.todo, np.arange(0, n_samples, copies), axis=1)
        groups = np.arange(n_samples // copies)[own - 1 :: parts]
        groups = groups[unfinished[:, groups].any(axis=0)]
        most = max(1, _SAMPLES_PER_CHUNK // copies)
        size = max(1, min(most, len(groups) // (_CHUNKS_PER_WORKER * workers)))
        for start in range(0, len(groups), size):
            some = groups[start : start + size].tolist()
            runs = itertools.product(range(n_points), some)
            yield self._chunk([(point, group * copies) for point, group in runs if unfinished[point, group]])

    def _chunk(self, runs: list[tuple[int, int]]) -> Chunk:
        grouped = self.campaign.batch(self.rows, runs)
        return Chunk(grouped=grouped, alone=self.campaign.alone(self.rows, runs[:1]), runs=tuple(runs))


class _Writer:
    """Collects finished points and writes them to shards at intervals."""

    def __init__(self, work: _Work, folder: Path, simulator: str) -> None:
        self._work, self._simulator = work, simulator
        self._folder = folder
        self._waiting: list[PointResult] = []
        self._began = self._flushed = time.perf_counter()
        self.count = self.failed = 0
        self.spent_s = 0.0
        self.failures: list[PointResult] = []

    def add(self, group: Group) -> None:
        """Add finished points; write a shard if the interval is over."""
        self._waiting += group
        self.count += len(group)
        self.spent_s += sum(item.spent_s for item in group)
        failed = [item for item in group if item.reason]
        self.failed += len(failed)
        if failed:  # the first by number, not by time
            self.failures = sorted([*self.failures, *failed], key=_place)[:KEPT_FAILURES]
        now = time.perf_counter()
        if now - self._flushed > max(_FLUSH_S, _FLUSH_SHARE * (now - self._began)):
            self.flush()

    def progress(self, n: int, kept: int, wall_s: float, stopped: bool) -> CampaignProgress:
        """Summary of the call."""
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
        """Write the collected points to a shard."""
        if self._waiting:
            shards.write_shard(self._folder, self._frame())
        self._waiting = []
        self._flushed = time.perf_counter()

    def _frame(self) -> pd.DataFrame:
        items = sorted(self._waiting, key=_place)
        samples, points = [i.sample for i in items], [i.point for i in items]
        keys = self._work.keys(self._simulator, points, samples)
        columns: dict[str, Any] = {"sample": samples, "point": points, "key": keys}
        for output in self._work.campaign.plan.bench.outputs:
            columns[output.name] = [_cell(item.values.get(output.name)) for item in items]
        columns["status"] = [FAILED if item.reason else OK for item in items]
        columns["reason"] = [item.reason for item in items]
        return pd.DataFrame(columns)


def _cell(value: Any) -> Any:
    """A number, or a list for an output that is a curve; None after a failure."""
    return None if value is None else np.asarray(value).tolist()
