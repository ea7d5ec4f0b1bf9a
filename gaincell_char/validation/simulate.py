"""SPICE simulation of the cases of a validation; finished cases are kept on disk."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..declare.bench import Floats
from ..errors import DataError
from ..registry import load_technology
from ..spice.deck import Deck
from ..spice.ngspice import Outcome
from ..spice.pool import Pool
from ..storage import shards
from ..storage.manifest import open_folder, read_manifest
from ..storage.tables import shown_path
from ..sweeping.run import FAILED, KEPT_FAILURES, OK, Failure
from .array_netlist import ArrayCircuit
from .cases import Case, Validation
from .device_mismatch import with_mismatch
from .whole_array import WholeArrayCircuit
from .written import with_stored

_MISMATCH = 11  # stream of the seed
_CONVERTER = 1_000_000  # where a cell has its row
_NUMBERS = ("q_bl", "output", "dv_bl", "spent_s", "instance", "query", "column")
_COLUMNS = (*_NUMBERS, "operation")


@dataclass(frozen=True, kw_only=True)
class ValidationProgress:
    """Result of one call: number of cases already finished, of cases simulated, and the first failures."""

    kept: int
    simulated: int
    spice_s: float
    stopped: bool
    failures: tuple[Failure, ...]


def run_validation(
    comparison: Validation,
    todo: Sequence[Case],
    folder: Path,
    pool: Pool,
    *,
    tick: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = lambda _: None,
) -> ValidationProgress:
    """Simulate every case that is missing in a folder, and failed cases again.

    Parameters
    ----------
    comparison : Validation
        The validation.
    todo : sequence of Case
        Its cases.
    folder : Path
        Output folder; an existing one is resumed.
    pool : Pool
        Simulators.
    tick : callable
        Called after every finished case.
    say : callable
        Called with a message about damaged or ignored rows.

    Raises
    ------
    RequestError
        If the folder contains a different comparison.
    SimulationError
        If the write of a level fails.
    StorageError
        If a result cannot be written.
    """
    simulator = pool.start(load_technology(comparison.technology).compiled_files)
    open_folder(folder, comparison.manifest(todo, simulator))
    done = finished_cases(comparison, folder, todo, say)
    good = set() if done is None else set(_places(done[done["status"] == OK]))
    left = [case for case in todo if not good.issuperset((case.number, column) for column in case.columns)]
    for _ in range(len(todo) - len(left)):
        tick()
    began = time.perf_counter()
    if comparison.write:
        left = list(with_stored(comparison, left, pool))
    count = 0
    failures: list[Failure] = []
    for found in _simulated(comparison, left, pool):
        if pool.stop.is_set():
            break
        shards.write_shard(folder, found.rows)
        failures += found.failures
        count += 1
        tick()
    return ValidationProgress(
        kept=len(todo) - len(left),
        simulated=count,
        spice_s=time.perf_counter() - began,
        stopped=pool.stop.is_set(),
        failures=tuple(sorted(failures, key=lambda failure: failure.name)[:KEPT_FAILURES]),
    )


def finished_cases(
    comparison: Validation, folder: Path, todo: Sequence[Case], say: Callable[[str], None] = lambda _: None
) -> pd.DataFrame | None:
    """Read the finished and failed cases in a folder, one row per column; None if there are none.

    Rows of a different comparison or of other source code are ignored.  Arguments are as of `run_validation`:
    `comparison`, `folder`, `todo`, `say`.

    Raises
    ------
    DataError
        If a row has the key of a column but no valid numbers.
    """
    found = shards.read_shards(folder, say)
    if found is None:
        return None
    simulator = read_manifest(folder).simulator
    expected = {
        (case.number, column): key
        for case in todo
        for column, key in zip(case.columns, comparison.keys(case, simulator), strict=True)
    }
    found = found[[place in expected for place in _places(found)]]
    rows = shards.with_keys(found, [expected[place] for place in _places(found)])
    if others := len(found) - len(rows):
        say(f"{others} columns in {shown_path(folder)} belong to a different comparison; they are not used")
    if missing := [name for name in _COLUMNS if name not in rows]:
        raise DataError(f"{shown_path(folder)}: the rows lack {', '.join(missing)}; choose another folder")
    if odd := [name for name in _NUMBERS if rows[name].dtype.kind not in "fiu"]:
        raise DataError(f"{shown_path(folder)}: {odd[0]} in the rows is not a number; choose another folder")
    return shards.once(rows)


def _places(rows: pd.DataFrame) -> list[tuple[int, int]]:
    """Case and column of each row."""
    return list(zip(rows["sample"].tolist(), rows["point"].tolist(), strict=True))


@dataclass(frozen=True, kw_only=True)
class _Simulated:
    """Result of one case: a row per column, and failed decks."""

    rows: pd.DataFrame
    failures: tuple[Failure, ...]


def _simulated(comparison: Validation, todo: Sequence[Case], pool: Pool) -> Iterator[_Simulated]:
    """Yield cases in the order of completion; several run at a time, since one case may not occupy all simulators."""
    threads = ThreadPoolExecutor(pool.workers)
    try:
        for future in as_completed([threads.submit(_one, comparison, case, pool) for case in todo]):
            yield future.result()
    finally:
        threads.shutdown(cancel_futures=True)


def _one(comparison: Validation, case: Case, pool: Pool) -> _Simulated:
    circuit = comparison.circuit(case.operation)
    if isinstance(circuit, WholeArrayCircuit):
        rows, failures = _by_array(circuit, case, pool)
    else:
        rows, failures = (_by_cells if circuit.decoupled else _by_columns)(comparison, circuit, case, pool)
    return _Simulated(rows=_frame(comparison, pool.start(), case, rows), failures=tuple(failures))


_Columns = tuple[list[dict[str, Any]], list[Failure]]
"""A row per column, and failed decks."""


def _by_cells(comparison: Validation, circuit: ArrayCircuit, case: Case, pool: Pool) -> _Columns:
    """Independent cells: simulate row by row, then every converter with the charge of its column."""
    driven = [r for r, t in enumerate(case.t_pulse) if t > 0]
    courses: dict[int, Floats] = {}
    failures: list[Failure] = []
    spent = 0.0
    rows = [
        (r, _drawn(comparison, circuit, circuit.row(case.v_store[r], case.t_pulse[r]), case, case.columns, r))
        for r in driven
    ]
    for (r, deck), outcome in pool.map(rows, lambda item: item[1], count=len(rows)):
        spent += outcome.spent_s
        if outcome.reason:
            failures.append(_failure(case, f"row{r}", deck, outcome.reason, outcome.log))
        else:
            courses[r] = circuit.courses(outcome.vectors, len(case.columns))
    if failures or pool.stop.is_set():
        reason = failures[0].reason if failures else "stopped"
        return [_failed(reason, spent) for _ in case.columns], failures
    # Summed in the order of the rows, so that the last bit does not depend on the order of completion.
    course = sum((courses[r] for r in driven), np.zeros((len(case.columns), circuit.times.size)))
    feet = [
        (c, _drawn(comparison, circuit, circuit.conversions(course[[c]]), case, (column,)))
        for c, column in enumerate(case.columns)
    ]
    found: dict[int, dict[str, Any]] = {}
    for (c, deck), outcome in pool.map(feet, lambda item: item[1], count=len(feet)):
        found[c] = _result(circuit, outcome, float(course[c, -1]), 0.0, spent / len(feet))
        if found[c]["reason"]:
            failures.append(_failure(case, f"column{case.columns[c]}", deck, found[c]["reason"], outcome.log))
    return [found.get(c, _failed("stopped", 0.0)) for c in range(len(feet))], failures


def _by_columns(comparison: Validation, circuit: ArrayCircuit, case: Case, pool: Pool) -> _Columns:
    """Simulate every column with its converter."""
    decks = [
        (c, _drawn(comparison, circuit, circuit.columns(case.v_store[:, [c]], case.t_pulse), case, (column,)))
        for c, column in enumerate(case.columns)
    ]
    found: dict[int, dict[str, Any]] = {}
    failures: list[Failure] = []
    for (c, deck), outcome in pool.map(decks, lambda item: item[1], count=len(decks)):
        if outcome.reason:
            found[c] = _failed(outcome.reason, outcome.spent_s)
        else:
            charge = float(circuit.charges(outcome.vectors, 1)[0])
            found[c] = _result(circuit, outcome, charge, circuit.excursion(outcome.vectors, 0), 0.0)
        if found[c]["reason"]:
            failures.append(_failure(case, f"column{case.columns[c]}", deck, found[c]["reason"], outcome.log))
    return [found.get(c, _failed("stopped", 0.0)) for c in range(len(decks))], failures


def _by_array(circuit: WholeArrayCircuit, case: Case, pool: Pool) -> _Columns:
    """A whole array with its periphery: simulate the array, then its converters, which share a bias."""
    deck = circuit.array(case.cells, case.t_pulse, case.columns)
    [(_, outcome)] = pool.map([deck], lambda d: d, count=1)
    if outcome.reason:
        nothing = [_failed(outcome.reason, outcome.spent_s) for _ in case.columns]
        return nothing, [_failure(case, "array", deck, outcome.reason, outcome.log)]
    courses = circuit.courses(outcome.vectors, case.array.shape[1])
    spent = outcome.spent_s / len(case.columns)
    deck = circuit.conversions(courses)
    [(_, outcome)] = pool.map([deck], lambda d: d, count=1)
    rows = [
        _result(circuit, outcome, float(courses[column, -1]), 0.0, spent, column, len(case.columns))
        for column in case.columns
    ]
    failed = [_failure(case, "converters", deck, row["reason"], outcome.log) for row in rows if row["reason"]]
    return rows, failed[:1]


def _failure(case: Case, part: str, deck: Deck, reason: str, log: str) -> Failure:
    where = {"operation": case.operation.name, "instance": case.instance, "query": case.query, "deck": part}
    return Failure(
        where=where, reason=reason, deck=deck.text, log=log, name=f"{case.operation.name}.{case.number}.{part}"
    )


def _drawn(
    comparison: Validation, circuit: ArrayCircuit, deck: Deck, case: Case, columns: Sequence[int], row: int = 0
) -> Deck:
    """Add mismatch to a deck if requested; the devices of a cell or converter are the same for every query.

    Parameters
    ----------
    columns : sequence of int
        Column of the array for each column in the deck.
    row : int
        Row of the array for the first row in the deck.
    """
    if not comparison.mismatch:
        return deck
    order = [o.name for o in comparison.declared.operations].index(case.operation.name)
    array = (comparison.seed, _MISMATCH, case.instance, order)

    def seeds(place: tuple[int, int] | None) -> Sequence[int]:
        return (*array, _CONVERTER, columns[0]) if place is None else (*array, row + place[0], columns[place[1]])

    return with_mismatch(deck, circuit.technology, circuit.corner, seeds)


def _result(
    circuit: ArrayCircuit,
    outcome: Outcome,
    charge: float,
    moved: float,
    spent: float,
    column: int = 0,
    shared: int = 1,
) -> dict[str, Any]:
    """Row of one column; `column` is its number in the deck, whose time is that of `shared` results."""
    spent += outcome.spent_s / shared
    if outcome.reason:
        return _failed(outcome.reason, spent)
    values, reason = circuit.outputs(outcome.vectors, column)
    if reason:
        return _failed(reason, spent)
    return {
        "q_bl": charge,
        "output": float(values[circuit.operation.output]),
        "dv_bl": moved,
        "status": OK,
        "reason": "",
        "spent_s": spent,
    }


def _failed(reason: str, spent: float) -> dict[str, Any]:
    nothing = float("nan")
    return {"q_bl": nothing, "output": nothing, "dv_bl": nothing, "status": FAILED, "reason": reason, "spent_s": spent}


def _frame(comparison: Validation, simulator: str, case: Case, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    where = [
        {
            "sample": case.number,
            "point": column,
            "key": key,
            "operation": case.operation.name,
            "instance": case.instance,
            "query": case.query,
            "column": column,
        }
        for column, key in zip(case.columns, comparison.keys(case, simulator), strict=True)
    ]
    return pd.DataFrame([{**place, **row} for place, row in zip(where, rows, strict=True)])
