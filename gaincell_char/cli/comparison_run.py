"""Simulations of ``compare``, and the files they leave in the output folder."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import SimulationError
from ..spice.deck import Deck
from ..spice.pool import Pool
from ..storage import tables
from ..sweeping.run import Failure
from ..validation import score, simulate
from ..validation.cases import Case, Validation
from .console import keep, say
from .interrupts import Interrupts
from .progress import progress


@dataclass(frozen=True, kw_only=True)
class ComparisonRun:
    """SPICE results: one row per column, waveforms of one column per operation, and the failures of this call."""

    rows: pd.DataFrame
    simulated: int
    failures: Sequence[Failure]
    waves: Mapping[str, tuple[pd.DataFrame, Deck]]
    missing: Sequence[str]
    technology: str
    simulator: str

    def about(self, judged: score.ValidationResult, wall_s: float) -> dict[str, str | float]:
        """Simulator, technology, and times [s] of the run."""
        return {
            "simulator": self.simulator,
            "technology": self.technology,
            "spice_s": float(self.rows["spent_s"].sum()),
            "model_s": judged.model_s,
            "wall_s": wall_s,
            "columns": len(self.rows),
        }


def simulate_cases(
    comparison: Validation, todo: Sequence[Case], out: Path, pool: Pool, interrupts: Interrupts
) -> ComparisonRun:
    """Simulate the columns missing in the folder, and write inputs and failed decks.

    Parameters
    ----------
    comparison : Validation
        The validation.
    todo : sequence of Case
        Its cases, one per column.
    out : Path
        Output folder.
    pool : Pool
        Simulators.
    interrupts : Interrupts
        Signal handling: a signal stops the simulation.

    Raises
    ------
    Interrupted
        After a signal; finished columns are kept.
    RequestError
        If the folder contains a different comparison.
    StorageError
        If a file cannot be written.
    """
    with interrupts.stopping(pool), progress("comparing", len(todo)) as tick:
        done = simulate.run_validation(comparison, todo, out, pool, tick=tick, say=say)
        _keep_inputs(comparison, out)
    if done.failures:
        keep(done.failures, out / "failed")
    interrupts.check()
    waves, missing = _waves(comparison, todo, pool)
    rows = simulate.finished_cases(comparison, out, todo)
    assert rows is not None  # noqa: S101  just written
    return ComparisonRun(
        rows=rows,
        simulated=done.simulated,
        failures=done.failures,
        waves=waves,
        missing=missing,
        technology=comparison.technology,
        simulator=f"ngspice {pool.version}",
    )


def _waves(
    comparison: Validation, todo: Sequence[Case], pool: Pool
) -> tuple[dict[str, tuple[pd.DataFrame, Deck]], list[str]]:
    """Waveforms of one column per operation, and the reason for each operation without."""
    waves, missing = {}, []
    for case in _first(todo):
        try:
            waves[case.operation.name] = simulate.waveforms(comparison, case, pool)
        except SimulationError as error:
            missing.append(f"the waveforms of {case.operation.doc}: {error}")
    return waves, missing


def _first(todo: Sequence[Case]) -> list[Case]:
    """The first case of each operation."""
    return list({case.operation.name: case for case in reversed(todo)}.values())


def _keep_inputs(comparison: Validation, out: Path) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, Q=comparison.inputs.q, K=comparison.inputs.k, V=comparison.inputs.v)
    tables.write_bytes(out / "inputs.npz", buffer.getvalue())
