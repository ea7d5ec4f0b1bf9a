"""Groups of samples for one simulator, and their results."""

import pickle
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..declare.bench import Floats
from ..spice.batch import Batch
from ..spice.ngspice import Outcome
from ..spice.simulator import Simulator, check_loads


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Groups of samples for one simulator; can be pickled and simulated on any machine with this package.

    Attributes
    ----------
    grouped : Batch
        Runs of whole groups.
    alone : Batch
        Decks of single samples, for the samples of a group that fails.
    runs : tuple of (int, int)
        Point and first sample of each run.
    """

    grouped: Batch
    alone: Batch
    runs: tuple[tuple[int, int], ...]

    def single(self, point: int, row: int) -> Batch:
        """Batch of one single sample at a point; `row` is the index of its device values."""
        return replace(self.alone, rows=self.grouped.rows, runs=((point, row),))


@dataclass(frozen=True, kw_only=True)
class PointResult:
    """Result of one sample at one grid point.

    Attributes
    ----------
    sample, point : int
        Numbers of the sample and of the grid point.
    values : mapping of str to ndarray, scalar or of the shape of the bench's curve
        Outputs in SI units; empty after a failure.
    reason, log : str
        Reason of a failure and the log of ngspice; empty if there is none.
    fatal : bool
        Whether the simulator process was lost.
    spent_s : float
        Time of the analysis [s].
    """

    sample: int
    point: int
    values: Mapping[str, Floats] = field(default_factory=dict)
    reason: str = ""
    log: str = ""
    fatal: bool = False
    spent_s: float = 0.0


Group = tuple[PointResult, ...]
"""Results of all samples in one deck at one point; stored together, so that no sample is simulated twice."""


def simulate_chunk(simulator: Simulator, chunk: Chunk, timeout_s: float) -> Iterator[Group]:
    """Simulate a chunk; the samples of a failed group are simulated again one by one.

    Parameters
    ----------
    simulator : Simulator
        The simulator.
    chunk : Chunk
        The groups.
    timeout_s : float
        Time limit of one simulation [s].
    """
    copies = chunk.grouped.copies
    failed: list[tuple[int, int, int]] = []
    outcomes = simulator.run(chunk.grouped, timeout_s)
    for (point, first), (_, row), outcome in zip(chunk.runs, chunk.grouped.runs, outcomes, strict=True):
        if outcome.reason and copies > 1:
            failed.append((point, first, row))
        else:
            yield tuple(_result(first + k, point, outcome, k, copies) for k in range(copies))
    for point, first, row in failed:
        singles = [next(iter(simulator.run(chunk.single(point, row + k), timeout_s))) for k in range(copies)]
        yield tuple(_result(first + k, point, outcome, 0, 1) for k, outcome in enumerate(singles))


def _result(sample: int, point: int, outcome: Outcome, copy: int, copies: int) -> PointResult:
    """Result of one sample from its copy in a deck."""
    return PointResult(
        sample=sample,
        point=point,
        values={name: v[copy] for name, v in outcome.vectors.items()},
        reason=outcome.reason,
        log=outcome.log,
        fatal=outcome.fatal,
        spent_s=outcome.spent_s / copies,
    )


def simulate_pickled(payload: bytes, timeout_s: float) -> list[Group]:
    """Simulate a pickled chunk in a new process, as a task of an executor; `timeout_s` limits one simulation [s]."""
    simulator = Simulator()
    try:
        return list(simulate_chunk(simulator, pickle.loads(payload), timeout_s))  # noqa: S301  from our own parent
    finally:
        simulator.close()


def start_anywhere(compiled: Collection[str] = ()) -> str:
    """Start a simulator in a new process, and return its name and version: ``"ngspice 39"``.

    Parameters
    ----------
    compiled : collection of str
        Files of compiled models that it must be able to load.

    Raises
    ------
    RequestError
        If this version does not load compiled models.
    """
    simulator = Simulator()
    try:
        version = simulator.start()
        check_loads(version, compiled)
        return f"ngspice {version}"
    finally:
        simulator.close()
