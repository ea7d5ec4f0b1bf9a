"""Tensors and circuits to compare: which passes of which arrays there are."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .array_deck import ArrayCircuit
from .circuit import Floats
from .errors import DataError, ParameterError
from .head import Head, Operation
from .registry import DEFAULT_HEAD, DEFAULT_TECHNOLOGY, find_record, load_circuit, load_head, load_technology

SHORTEST = 60e-12
"""Pulses [s] below this are none: a driver's edge takes as long."""
_COLUMNS = 7  # stream of the seed


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

    head: str = DEFAULT_HEAD
    records: str = DEFAULT_TECHNOLOGY
    technology: str = DEFAULT_TECHNOLOGY
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
        circuits = [self.circuit(self.declared.operation(name)) for name in self.operations]
        decks = [deck.digest for c in circuits for deck in (c.row(np.zeros(1), c["t_max"]), c.conversion(0 * c.times))]
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
    head = load_head(request.get("head", DEFAULT_HEAD))
    for name, value in (("instances", instances), ("tokens", tokens), ("dim", dim)):
        if value < 1:
            raise ParameterError(f"{name} = {value} has to be at least 1")
    for name in ("columns", "queries"):
        if request.get(name, 1) < 0:
            raise ParameterError(f"{name} = {request[name]} has to be at least 0, which stands for all")
    operations = tuple(request.pop("operations", None) or (o.name for o in head.operations))
    for name in operations:
        head.operation(name)
    technology = load_technology(request.get("technology", DEFAULT_TECHNOLOGY))
    params = load_circuit(head.cell).params
    vdd = float(params.resolve(technology.sizes(head.cell, params))["vdd"])
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
