"""Groups of samples that are handed to one simulator, and what comes back from it."""

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..declare.bench import Floats
from ..spice.batch import Batch
from ..spice.ngspice import Outcome
from ..spice.pool import Simulator


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Groups of samples for one simulator: pickles, and needs nothing but this package where it is simulated.

    Attributes
    ----------
    grouped : Batch
        The runs, each of a whole group.
    alone : Batch
        Of the decks of single samples, for those of a group that fails.
    runs : tuple of (int, int)
        Point and first sample of each run.
    """

    grouped: Batch
    alone: Batch
    runs: tuple[tuple[int, int], ...]

    def single(self, point: int, row: int) -> Batch:
        """Return one of its samples alone, by its row."""
        return replace(self.alone, rows=self.grouped.rows, runs=((point, row),))


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


def simulate_chunk(simulator: Simulator, chunk: Chunk, timeout_s: float) -> Iterator[Group]:
    """Simulate a chunk; the samples of a group that fails are then simulated one by one, and fail or not by themselves.

    Parameters
    ----------
    timeout_s : float
        Time after which a run is ended [s].
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
    """What one copy of a deck, simulated with others, says of its sample."""
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
    """Simulate a pickled chunk in a process of its own: what an executor is handed."""
    simulator = Simulator()
    try:
        return list(simulate_chunk(simulator, pickle.loads(payload), timeout_s))  # noqa: S301  from our own parent
    finally:
        simulator.close()


def start_anywhere() -> str:
    """Start a simulator in a process of its own, and return what it is: ``"ngspice 39"``."""
    simulator = Simulator()
    try:
        return f"ngspice {simulator.start()}"
    finally:
        simulator.close()
