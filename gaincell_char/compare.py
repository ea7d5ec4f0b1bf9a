"""The same tensors through ngspice and through the software model: the cases, and what SPICE says of them."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import shards
from .array_deck import ArrayCircuit
from .circuit import Floats
from .errors import DataError, ParameterError, SimulationError
from .head import Head, Operation
from .netlist import Deck
from .ngspice import Outcome
from .pool import Pool
from .registry import find_record, load_circuit, load_head, load_technology
from .run import FAILED, OK

SHORTEST = 60e-12
"""Pulses [s] below this are none: a driver's edge takes as long."""
_COLUMNS, _MISMATCH = 7, 11  # streams of the seed
_CONVERTER = 1_000_000  # where a cell has its row


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Tensors of one or more heads: shapes (instances, tokens, dim); q in [0, 1], k and v in volts."""

    q: Floats
    k: Floats
    v: Floats

    @property
    def shape(self) -> tuple[int, int, int]:
        """Instances, tokens, dim."""
        instances, tokens, dim = self.q.shape
        return instances, tokens, dim

    @property
    def digest(self) -> str:
        """Hash of the numbers."""
        return hashlib.sha256(b"".join(np.ascontiguousarray(x).tobytes() for x in (self.q, self.k, self.v))).hexdigest()


def random_inputs(instances: int, tokens: int, dim: int, vdd: float, seed: int) -> Inputs:
    """Draw q from [0, 1], k and v from [0, vdd]; instance i is the same however many are drawn."""
    drawn = [np.random.default_rng([seed, i]).random((3, tokens, dim)) for i in range(instances)]
    q, k, v = np.stack(drawn, 1)
    return Inputs(q=q, k=vdd * k, v=vdd * v)


def read_inputs(path: Path, vdd: float) -> Inputs:
    """Read Q, K and V from an ``.npz`` file, each of shape (tokens, dim) or (instances, tokens, dim).

    Raises
    ------
    DataError
        If the file does not hold them, or they hold anything but numbers of their range.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name.lower(): np.asarray(file[name], dtype=float) for name in file.files}
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}; it has to be an .npz file with Q, K and V") from None
    if missing := {"q", "k", "v"} - set(found):
        raise DataError(f"{path} holds {', '.join(found) or 'nothing'}; {', '.join(sorted(missing))} are missing")
    arrays = {name: found[name][None] if found[name].ndim == 2 else found[name] for name in ("q", "k", "v")}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) > 1 or len(next(iter(shapes))) != 3:
        raise DataError(
            f"{path}: Q, K and V have shapes {', '.join(str(found[n].shape) for n in 'qkv')}; they take one shape, "
            "(tokens, dim) or (instances, tokens, dim)"
        )
    for name, high, unit in (("q", 1.0, ""), ("k", vdd, " V"), ("v", vdd, " V")):
        if not ((arrays[name] >= 0) & (arrays[name] <= high)).all():
            raise DataError(f"{path}: {name.upper()} has to lie within 0 to {high:g}{unit}, without NaN")
    return Inputs(**arrays)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One pass of an array: some of its columns, for one query of one instance."""

    number: int
    operation: Operation
    instance: int
    query: int
    columns: tuple[int, ...]
    v_store: Floats
    t_pulse: Floats


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What to compare; everything that decides the result.

    Attributes
    ----------
    columns : int
        Columns of each array that are simulated, drawn from those there are; 0 for all.
    queries : int
        Queries of each instance, the last ones; 0 for all.
    mismatch : bool
        Draw every device around the typical one, in SPICE and in the software model's intervals.
    """

    head: str = "attention"
    records: str = "gc28"
    technology: str = "gc28"
    operations: tuple[str, ...] = ("scores", "values")
    inputs: Inputs
    source: str
    seed: int = 1
    columns: int = 1
    queries: int = 1
    clamp: str = "ideal"
    r_clamp: float = 300.0
    c_wire: float = 0.8e-15
    r_wire: float = 0.0
    mismatch: bool = False

    @cached_property
    def declared(self) -> Head:
        """The head's declaration."""
        return load_head(self.head)

    def circuit(self, operation: Operation) -> ArrayCircuit:
        """One of its operations as SPICE sees it."""
        return ArrayCircuit(
            head=self.declared, operation=operation, technology=self.technology, clamp=self.clamp, r_clamp=self.r_clamp,
            c_wire=self.c_wire, r_wire=self.r_wire,
        )  # fmt: skip

    @cached_property
    def request(self) -> dict[str, Any]:
        """What was asked for, as JSON holds it."""
        names = [n for n in self.__dataclass_fields__ if n != "inputs"]
        return {
            **{n: getattr(self, n) for n in names},
            "operations": list(self.operations),
            "inputs": self.inputs.digest,
        }

    @cached_property
    def digest(self) -> str:
        """Hash of everything that decides the result, the simulator's version left out."""
        decks = [self.circuit(self.declared.operation(name)).conversion(0.0).digest for name in self.operations]
        parts = [self.request, decks, load_technology(self.technology).digest]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def make_comparison(
    *, path: Path | None = None, instances: int = 1, tokens: int = 64, dim: int = 64, **request: Any
) -> Comparison:
    """Check a request; inputs from a file, or drawn.

    Raises
    ------
    ParameterError, DataError
        If a name is unknown, a number out of range, or the file does not hold what it should.
    """
    head = load_head(request.get("head", "attention"))
    for name, value in (("instances", instances), ("tokens", tokens), ("dim", dim)):
        if value < 1:
            raise ParameterError(f"{name} = {value} has to be at least 1")
    for name in ("columns", "queries"):
        if request.get(name, 1) < 0:
            raise ParameterError(f"{name} = {request[name]} has to be at least 0, which stands for all")
    operations = tuple(request.pop("operations", None) or (o.name for o in head.operations))
    for name in operations:
        head.operation(name)
    technology = load_technology(request.get("technology", "gc28"))
    vdd = float(load_circuit(head.cell).params.resolve(technology.circuits.get(head.cell, {}))["vdd"])
    seed = request.get("seed", 1)
    inputs = read_inputs(path, vdd) if path else random_inputs(instances, tokens, dim, vdd, seed)
    source = path.name if path else f"uniform, seed {seed}"
    comparison = Comparison(inputs=inputs, source=source, operations=operations, **request)
    find_record(comparison.records, f"{head.cell}.{next(iter(head.forms.values())).study}")
    comparison.circuit(head.operation(operations[0]))
    return comparison


def cases(comparison: Comparison, pulses_of: Callable[[Floats, Floats], Floats]) -> Iterator[Case]:
    """Every pass: scores of a query with the tokens before it, then the values under the pulses they come to.

    Parameters
    ----------
    pulses_of : callable
        Stored voltages of keys, shape (dim, tokens), and pulses, shape (dim,) -> pulses [s] of the scores.  Both SPICE
        and the software model are handed these, so that the two operations are judged apart.
    """
    instances, tokens, _ = comparison.inputs.shape
    queries = range(tokens - (comparison.queries or tokens), tokens)
    number = 0
    for instance in range(instances):
        q, k, v = (x[instance] for x in (comparison.inputs.q, comparison.inputs.k, comparison.inputs.v))
        for query in queries:
            t_max = comparison.circuit(comparison.declared.operations[0])["t_max"]
            driven = _cut(q[query] * t_max)
            for order, operation in enumerate(comparison.declared.operations):
                seen = query + 1
                if order == 0:
                    stored, pulses = k[:seen].T, driven
                else:
                    stored, pulses = v, np.zeros(tokens)
                    pulses[:seen] = _cut(pulses_of(k[:seen].T, driven))
                if operation.name in comparison.operations:
                    columns = _some(comparison, stored.shape[1], instance, query, order)
                    yield Case(
                        number=number, operation=operation, instance=instance, query=query, columns=columns,
                        v_store=np.ascontiguousarray(stored[:, columns]), t_pulse=pulses,
                    )  # fmt: skip
                number += 1


def _cut(pulses: Floats) -> Floats:
    return np.where(pulses < SHORTEST, 0.0, pulses)


def _some(comparison: Comparison, there: int, *where: int) -> tuple[int, ...]:
    """Columns to simulate: all, or as many as are asked for, drawn."""
    if comparison.columns in (0,) or comparison.columns >= there:
        return tuple(range(there))
    drawn = np.random.default_rng([comparison.seed, _COLUMNS, *where]).choice(there, comparison.columns, replace=False)
    return tuple(sorted(int(c) for c in drawn))


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
    for case in todo:
        circuit = comparison.circuit(case.operation)
        simulate = _by_cells if circuit.decoupled else _by_columns
        yield _frame(case, simulate(comparison, circuit, case, pool))


def _by_cells(comparison: Comparison, circuit: ArrayCircuit, case: Case, pool: Pool) -> list[dict[str, Any]]:
    """Cells that do not see each other: row by row, then every converter with its column's charge."""
    driven = [r for r, t in enumerate(case.t_pulse) if t > 0]
    charge = np.zeros(len(case.columns))
    spent, reason = 0.0, ""
    rows = [
        (r, _drawn(comparison, circuit, circuit.row(case.v_store[r], case.t_pulse[r]), case, case.columns, r))
        for r in driven
    ]
    for _, outcome in pool.map(rows, lambda item: item[1], count=len(rows)):
        spent += outcome.spent_s
        reason = reason or outcome.reason
        if not outcome.reason:
            charge = charge + circuit.charges(outcome.vectors, len(case.columns))
    if reason or pool.stop.is_set():
        return [_failed(reason or "stopped", spent) for _ in case.columns]
    feet = [
        (c, _drawn(comparison, circuit, circuit.conversion(float(q)), case, case.columns[c : c + 1]))
        for c, q in enumerate(charge)
    ]
    found: dict[int, dict[str, Any]] = {}
    for (c, _), outcome in pool.map(feet, lambda item: item[1], count=len(feet)):
        found[c] = _result(circuit, outcome, charge[c], 0.0, spent / len(charge), _unsuffixed(outcome))
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
        found[c] = _result(circuit, outcome, charge, circuit.excursion(outcome.vectors, 0), 0.0, outcome.vectors)
    return [found.get(c, _failed("stopped", 0.0)) for c in range(len(decks))]


def waveforms(comparison: Comparison, case: Case, pool: Pool, rows: int = 4) -> pd.DataFrame:
    """Voltages of one column and its converter over a whole conversion, with the word lines of its first rows.

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
    return pd.DataFrame({name: outcome.vectors[name] for name in kept})


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


def _unsuffixed(outcome: Outcome) -> Mapping[str, Floats]:
    """Vectors of a converter alone under the names they have in column 0."""
    return {n if n == "time" else f"{n[:-1]}0)": vector for n, vector in outcome.vectors.items()}


def _result(
    circuit: ArrayCircuit, outcome: Outcome, charge: float, moved: float, spent: float, waves: Mapping[str, Floats]
) -> dict[str, Any]:
    if outcome.reason:
        return _failed(outcome.reason, outcome.spent_s + spent)
    values, reason = circuit.outputs(waves, 0)
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
