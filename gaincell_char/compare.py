"""What SPICE says of the passes of a comparison; whatever is finished is kept."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import shards
from .array_deck import ArrayCircuit
from .circuit import Floats
from .comparison import Case, Comparison
from .errors import SimulationError
from .netlist import Deck
from .ngspice import Outcome
from .pool import Pool
from .run import FAILED, OK

_MISMATCH = 11  # stream of the seed
_CONVERTER = 1_000_000  # where a cell has its row


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What was done this time: cases that were there already, and cases simulated now."""

    kept: int
    simulated: int
    spice_s: float
    stopped: bool


def run_comparison(
    comparison: Comparison, todo: Sequence[Case], folder: Path, pool: Pool, *, tick: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = lambda _: None,
) -> Progress:  # fmt: skip
    """Simulate every case that `folder` does not hold yet.

    Raises
    ------
    RequestError
        If the folder holds another comparison.
    StorageError
        If a result cannot be written.
    """
    manifest = shards.Manifest(digest=comparison.digest, n=len(todo), request=comparison.request)
    shards.open_folder(folder, manifest)
    done = shards.read_shards(folder, say)
    finished = set() if done is None else set(done["sample"].unique().tolist())
    left = [case for case in todo if case.number not in finished]
    for _ in range(len(todo) - len(left)):
        tick()
    began = time.perf_counter()
    count = 0
    for rows in _simulated(comparison, left, pool):
        if pool.stop.is_set():
            break
        shards.write_shard(folder, rows)
        count += 1
        tick()
    return Progress(
        kept=len(todo) - len(left), simulated=count, spice_s=time.perf_counter() - began, stopped=pool.stop.is_set()
    )


def _simulated(comparison: Comparison, todo: Sequence[Case], pool: Pool) -> Iterator[pd.DataFrame]:
    """Every case as it is finished; several at a time, for one may have less to do than there are simulators."""
    threads = ThreadPoolExecutor(pool.workers)
    try:
        for future in as_completed([threads.submit(_one, comparison, case, pool) for case in todo]):
            yield future.result()
    finally:
        threads.shutdown(cancel_futures=True)


def _one(comparison: Comparison, case: Case, pool: Pool) -> pd.DataFrame:
    circuit = comparison.circuit(case.operation)
    simulate = _by_cells if circuit.decoupled else _by_columns
    return _frame(case, simulate(comparison, circuit, case, pool))


def _by_cells(comparison: Comparison, circuit: ArrayCircuit, case: Case, pool: Pool) -> list[dict[str, Any]]:
    """Cells that do not see each other: row by row, then every converter with its column's charge."""
    driven = [r for r, t in enumerate(case.t_pulse) if t > 0]
    courses: dict[int, Floats] = {}
    spent, reason = 0.0, ""
    rows = [
        (r, _drawn(comparison, circuit, circuit.row(case.v_store[r], case.t_pulse[r]), case, case.columns, r))
        for r in driven
    ]
    for (r, _), outcome in pool.map(rows, lambda item: item[1], count=len(rows)):
        spent += outcome.spent_s
        reason = reason or outcome.reason
        if not outcome.reason:
            courses[r] = circuit.courses(outcome.vectors, len(case.columns))
    if reason or pool.stop.is_set():
        return [_failed(reason or "stopped", spent) for _ in case.columns]
    # In the order of the rows, whichever was finished first, so that the last bit is always the same.
    course = sum((courses[r] for r in driven), np.zeros((len(case.columns), circuit.times.size)))
    feet = [
        (c, _drawn(comparison, circuit, circuit.conversion(course[c]), case, (column,)))
        for c, column in enumerate(case.columns)
    ]
    found: dict[int, dict[str, Any]] = {}
    for (c, _), outcome in pool.map(feet, lambda item: item[1], count=len(feet)):
        found[c] = _result(circuit, outcome, float(course[c, -1]), 0.0, spent / len(feet))
    return [found.get(c, _failed("stopped", 0.0)) for c in range(len(feet))]


def _by_columns(comparison: Comparison, circuit: ArrayCircuit, case: Case, pool: Pool) -> list[dict[str, Any]]:
    """Every column with its converter."""
    decks = [
        (c, _drawn(comparison, circuit, circuit.columns(case.v_store[:, [c]], case.t_pulse), case, (column,)))
        for c, column in enumerate(case.columns)
    ]
    found: dict[int, dict[str, Any]] = {}
    for (c, _), outcome in pool.map(decks, lambda item: item[1], count=len(decks)):
        if outcome.reason:
            found[c] = _failed(outcome.reason, outcome.spent_s)
            continue
        charge = float(circuit.charges(outcome.vectors, 1)[0])
        found[c] = _result(circuit, outcome, charge, circuit.excursion(outcome.vectors, 0), 0.0)
    return [found.get(c, _failed("stopped", 0.0)) for c in range(len(decks))]


def waveforms(comparison: Comparison, case: Case, pool: Pool, rows: int = 4) -> tuple[pd.DataFrame, Deck]:
    """Voltages of one column and its converter over a whole conversion, with the word lines of its first rows.

    Returns
    -------
    DataFrame, Deck
        ``time`` [s] and a column per node [V]; and the deck, which can be run by hand.

    Raises
    ------
    SimulationError
        If ngspice does not give them.
    """
    circuit = comparison.circuit(case.operation)
    driven = [r for r, t in enumerate(case.t_pulse) if t > 0][:rows]
    lines = [f"v({comparison.declared.row_nodes[0]}{'d' if comparison.r_wire else ''}{r})" for r in driven]
    deck = circuit.columns(case.v_store[:, :1], case.t_pulse, waves=lines)
    [(_, outcome)] = pool.map([deck], lambda d: d, count=1)
    if outcome.reason:
        raise SimulationError(f"ngspice: {outcome.reason}", deck=deck.text, log=outcome.log)
    kept = [n for n in outcome.vectors if n == "time" or not n.startswith("v(st")]
    return pd.DataFrame({name: outcome.vectors[name] for name in kept}), deck


def _drawn(
    comparison: Comparison, circuit: ArrayCircuit, deck: Deck, case: Case, columns: Sequence[int], row: int = 0
) -> Deck:
    """The deck with its devices drawn, if they are; those of a cell or converter are the same for every query.

    Parameters
    ----------
    columns : sequence of int
        Column of the array for each in the deck.
    row : int
        Row of the array that is the deck's first.
    """
    if not comparison.mismatch:
        return deck
    order = [o.name for o in comparison.declared.operations].index(case.operation.name)
    array = (comparison.seed, _MISMATCH, case.instance, order)

    def seeds(place: tuple[int, int] | None) -> Sequence[int]:
        return (*array, _CONVERTER, columns[0]) if place is None else (*array, row + place[0], columns[place[1]])

    return circuit.with_mismatch(deck, seeds)


def _result(circuit: ArrayCircuit, outcome: Outcome, charge: float, moved: float, spent: float) -> dict[str, Any]:
    if outcome.reason:
        return _failed(outcome.reason, outcome.spent_s + spent)
    values, reason = circuit.outputs(outcome.vectors, 0)
    if reason:
        return _failed(reason, outcome.spent_s + spent)
    return {
        "q_bl": charge, "output": float(values[circuit.operation.output]), "dv_bl": moved, "status": OK, "reason": "",
        "spent_s": outcome.spent_s + spent,
    }  # fmt: skip


def _failed(reason: str, spent: float) -> dict[str, Any]:
    nothing = float("nan")
    return {"q_bl": nothing, "output": nothing, "dv_bl": nothing, "status": FAILED, "reason": reason, "spent_s": spent}


def _frame(case: Case, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    where = [
        {
            "sample": case.number, "point": column, "operation": case.operation.name, "instance": case.instance,
            "query": case.query, "column": column,
        }
        for column in case.columns
    ]  # fmt: skip
    return pd.DataFrame([{**place, **row} for place, row in zip(where, rows, strict=True)])
