"""Comparison of SPICE and the software model: plan, simulation, stored files and result."""

import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import SimulationError
from ..spice.deck import Deck
from ..spice.pool import Pool
from ..storage import tables
from ..sweeping.run import Failure
from ..validation import score, simulate
from ..validation.cases import Case, Validation, cases, make_validation
from ..validation.request_checks import check_counts
from ..validation.waveforms import waveforms
from ..validation.written import with_stored
from .kept_failures import keep_failures
from .watcher import Watcher


@dataclass(frozen=True, kw_only=True)
class SimulatedCases:
    """Results of SPICE.

    Attributes
    ----------
    rows : DataFrame
        One row per column.
    simulated : int
        Passes simulated in this call.
    failures : tuple of Failure
        Columns that failed in this call.
    waves : mapping of str to (DataFrame, Deck)
        Name of an operation -> waveforms and deck of its first column.
    missing : sequence of str
        Waveforms that could not be simulated, with the reasons.
    simulator : str
        Name and version.
    """

    rows: pd.DataFrame
    simulated: int
    failures: tuple[Failure, ...]
    waves: Mapping[str, tuple[pd.DataFrame, Deck]]
    missing: Sequence[str]
    simulator: str


@dataclass(frozen=True, kw_only=True)
class ComparisonPlan:
    """A checked comparison before its start.

    Attributes
    ----------
    comparison : Validation
        Tensors, circuits and arrays.
    todo : sequence of Case
        Passes to simulate.
    models : mapping of str to ModelUnderTest
        Name of an operation -> its software model.
    draws : int
        Random arrays per interval.
    """

    comparison: Validation
    todo: Sequence[Case]
    models: Mapping[str, score.ModelUnderTest]
    draws: int


@dataclass(frozen=True, kw_only=True)
class ComparisonRun:
    """A finished comparison.

    Attributes
    ----------
    judged : ValidationResult
        Differences between SPICE and the software model.
    about : mapping of str to str or float
        Simulator, technology, number of columns, and times [s].
    """

    plan: ComparisonPlan
    cases: SimulatedCases
    judged: score.ValidationResult
    about: Mapping[str, str | float]


def plan_comparison(draws: int, **request: Any) -> ComparisonPlan:
    """Check a request and plan its passes.

    Parameters
    ----------
    draws : int
        Random arrays per interval of the software model.
    **request
        Arguments of `make_validation`.

    Raises
    ------
    ParameterError, DataError
        If a name is unknown, a number is out of range, tensors cannot be read, or the records lack a model.
    TorchMissingError
        If PyTorch is not installed.
    """
    from ..validation.software_model import make_software_models, pulses_of  # PyTorch takes several seconds

    check_counts({"draws": (draws, 1)})
    comparison = make_validation(**request)
    models = make_software_models(comparison)
    todo = list(cases(comparison, pulses_of(models[comparison.declared.operations[0].name])))
    return ComparisonPlan(comparison=comparison, todo=todo, models=models, draws=draws)


def run_comparison(plan: ComparisonPlan, out: Path, pool: Pool, watcher: Watcher) -> ComparisonRun:
    """Simulate the missing columns, compare, and write ``compare.json``.

    Parameters
    ----------
    plan : ComparisonPlan
        The comparison.
    out : Path
        Its folder.
    pool : Pool
        Simulators.
    watcher : Watcher
        Receives progress and messages.

    Raises
    ------
    RequestError
        If the folder contains another comparison.
    StorageError
        If a file could not be written.
    """
    began = time.perf_counter()
    found = simulate_cases(plan.comparison, plan.todo, out, pool, watcher)
    judged = score.judge(plan.comparison, plan.models, found.rows, plan.todo, plan.draws)
    about: dict[str, str | float] = {
        "simulator": found.simulator,
        **({"library": pool.library} if pool.library else {}),
        "technology": plan.comparison.technology,
        "spice_s": float(found.rows["spent_s"].sum()),
        "model_s": judged.model_s,
        "wall_s": time.perf_counter() - began,
        "columns": len(found.rows),
    }
    tables.write_text(out / "compare.json", _describe(plan, judged, about))
    return ComparisonRun(plan=plan, cases=found, judged=judged, about=about)


def _describe(plan: ComparisonPlan, judged: score.ValidationResult, about: Mapping[str, str | float]) -> str:
    told = {
        "request": plan.comparison.request,
        "digest": plan.comparison.digest(plan.todo),
        "about": about,
        "coverage": [cover.describe() for cover in judged.coverage],
        "summary": judged.summary.to_dict("records"),
        "disagreements": judged.disagreements(),
        "undecided": judged.undecided(),
    }
    return json.dumps(told, indent=1) + "\n"


def simulate_cases(
    comparison: Validation, todo: Sequence[Case], out: Path, pool: Pool, watcher: Watcher
) -> SimulatedCases:
    """Simulate the missing columns, and write the tensors and the decks of failed columns to the folder.

    Parameters
    ----------
    comparison : Validation
        The comparison.
    todo : sequence of Case
        Its passes.
    out : Path
        Its folder.
    pool : Pool
        Simulators.
    watcher : Watcher
        Receives progress and messages.

    Raises
    ------
    KeyboardInterrupt
        After a signal; finished columns are kept.
    RequestError
        If the folder contains another comparison.
    StorageError
        If a file could not be written.
    """
    if comparison.write:
        todo = list(with_stored(comparison, todo, pool))
    with watcher.stopping(pool), watcher.progress("comparing", len(todo)) as tick:
        done = simulate.run_validation(comparison, todo, out, pool, tick=tick, say=watcher.say)
        _keep_inputs(comparison, out)
    if done.failures:
        keep_failures(done.failures, out / "failed")
    watcher.check()
    waves, missing = _waves(comparison, todo, pool)
    rows = simulate.finished_cases(comparison, out, todo)
    assert rows is not None  # noqa: S101  written above
    return SimulatedCases(
        rows=rows,
        simulated=done.simulated,
        failures=done.failures,
        waves=waves,
        missing=missing,
        simulator=f"ngspice {pool.version}",
    )


def _waves(
    comparison: Validation, todo: Sequence[Case], pool: Pool
) -> tuple[dict[str, tuple[pd.DataFrame, Deck]], list[str]]:
    """Waveforms of one column of each operation, and reasons for missing ones."""
    waves, missing = {}, []
    for case in _first(todo):
        try:
            waves[case.operation.name] = waveforms(comparison, case, pool)
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
