"""Tensors, circuits and simulated columns of a validation."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..declare.attention_head import Head, Operation
from ..declare.bench import Floats
from ..declare.periphery import Periphery
from ..errors import ParameterError
from ..fitting.at_conditions import NOMINAL, Condition, RecordsAt
from ..montecarlo import sampling
from ..registry import (
    DEFAULT_HEAD,
    DEFAULT_TECHNOLOGY,
    Records,
    load_circuit,
    load_head,
    load_technology,
)
from ..storage.manifest import Manifest
from ..sweeping.identity import digest, source_digest
from .array_netlist import ArrayCircuit
from .request_checks import check_counts, check_records, check_storage
from .tensors import Inputs, random_inputs, read_inputs
from .whole_array import WholeArrayCircuit

SHORTEST = 60e-12
"""Shortest pulse [s], the length of a driver's edge; shorter pulses are omitted."""
_SOURCE = ("montecarlo.sampling", "storage.shards", "validation")
"""Modules that affect the result of a case, in addition to those of every point."""
_COLUMNS = 7  # stream of the seed
_SAME_PULSE = 1e-18  # [s]
_MOST_NUMBERS = 50_000_000
_OF_CIRCUIT = ("technology", "corner", "temp", "vdd", "clamp", "r_clamp", "c_wire", "r_wire")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One pass of an array: some `columns`, for one query of one instance.

    Attributes
    ----------
    array : ndarray, shape (rows, columns of the array)
        Stored voltages, or voltages of the DAC that writes the cells [V].
    t_pulse : ndarray, shape (rows,)
        Pulse widths [s].
    stored : ndarray, shape (rows, columns of the array), optional
        Stored voltages after a write in SPICE [V]; those of `array` by default.
    """

    number: int
    operation: Operation
    instance: int
    query: int
    columns: tuple[int, ...]
    array: Floats
    t_pulse: Floats
    stored: Floats | None = None

    @property
    def cells(self) -> Floats:
        """Stored voltages of the whole array [V], shape (rows, columns of the array)."""
        return self.array if self.stored is None else self.stored

    @property
    def v_store(self) -> Floats:
        """Stored voltages of the simulated columns [V], shape (rows, len(columns))."""
        return np.ascontiguousarray(self.cells[:, self.columns])

    @property
    def digest(self) -> str:
        """Hash of the case with its stored voltages and pulses."""
        about = [self.number, self.operation.name, self.instance, self.query, self.columns]
        # The last bit of a matrix product may depend on the number of threads.
        t_pulse = np.round(self.t_pulse / _SAME_PULSE).astype(np.int64)
        drive = np.ascontiguousarray(self.array).tobytes() + t_pulse.tobytes()
        return hashlib.sha256(json.dumps(about).encode() + drive).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Validation:
    """A validation, with everything that determines its result; clamp and wires are as of `ArrayCircuit`.

    Attributes
    ----------
    columns : int
        Number of simulated columns of each array, chosen at random; 0 for all.
    queries : int
        Number of queries of each instance, the last ones; 0 for all.
    periphery : Periphery, optional
        Resistances around the arrays, with one bias for all converters of an array; none by default.
    write : bool
        K and V are voltages of the DAC that writes the cells, in SPICE and in the software model.
    hold : float
        Time [s] that the cells are idle between the write and the first pulse.
    mismatch : bool
        Random mismatch in every device, in SPICE and in the intervals of the software model.
    corner, temp, vdd : str, float, float
        Process corner, temperature [degC], and supply [V], that of the technology by default; in SPICE and in the
        software model.
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
    periphery: Periphery | None = None
    write: bool = False
    hold: float = 0.0
    mismatch: bool = False
    corner: str = NOMINAL.corner
    temp: float = NOMINAL.temp
    vdd: float | None = NOMINAL.supply

    @property
    def condition(self) -> Condition:
        """Corner, temperature and supply."""
        return Condition(corner=self.corner, temp=self.temp, supply=self.vdd)

    @property
    def model_records(self) -> Records:
        """Records of the software model, at the condition."""
        if self.condition == NOMINAL:
            return self.records
        return RecordsAt(base=self.records, condition=self.condition)

    @cached_property
    def declared(self) -> Head:
        """Declaration of the head."""
        return load_head(self.head)

    def circuit(self, operation: Operation, *, whole: bool = True) -> ArrayCircuit:
        """SPICE circuit of one operation: of the whole array if there is a periphery, and `whole` is true."""
        common: dict[str, Any] = {
            "head": self.declared,
            "operation": operation,
            **{name: getattr(self, name) for name in _OF_CIRCUIT},
        }
        if self.periphery is None or not whole:
            return ArrayCircuit(**common)
        return WholeArrayCircuit(**common, periphery=self.periphery, shared_bias=True)

    @cached_property
    def request(self) -> dict[str, Any]:
        """The request, in JSON form."""
        names = [n for n in self.__dataclass_fields__ if n != "inputs"]
        return {
            **{n: getattr(self, n) for n in names},
            "operations": list(self.operations),
            "periphery": None if self.periphery is None else asdict(self.periphery),
            "inputs": self.inputs.digest,
        }

    @cached_property
    def source_digest(self) -> str:
        """Hash of the source code that determines the SPICE result of a case."""
        circuits = [self.declared.cell, *(o.converter for o in self.declared.operations)]
        return source_digest([*dict.fromkeys(circuits), f"heads.{self.head}"], _SOURCE)

    def digest(self, todo: Sequence["Case"]) -> str:
        """Hash of everything that determines the results, except source code and simulator.

        Records enter through the pulses computed from them, which are part of each case.
        """
        return digest([(self._decided[case.operation.name], case.digest) for case in todo])

    @cached_property
    def _decided(self) -> dict[str, str]:
        """Operation -> hash of everything that determines its rows, except stored voltages and pulses."""
        held = (self.clamp, self.r_clamp, self.c_wire, self.r_wire, self.periphery, self.write, self.hold)
        drawn = (self.mismatch, self.seed if self.mismatch else None)
        common = (self.declared, held, drawn, load_technology(self.technology).digest)
        return {
            operation.name: digest(common, self.circuit(operation).decided) for operation in self.declared.operations
        }

    def keys(self, case: "Case", simulator: str) -> list[str]:
        """Key of each column of a case; a row with this key belongs to this comparison."""
        about = (self._decided[case.operation.name], self.source_digest, simulator, case.digest)
        return [digest(about, column) for column in case.columns]

    def manifest(self, todo: Sequence["Case"], simulator: str = "") -> Manifest:
        """Manifest of a folder with these cases; `simulator` is name and version, if known."""
        return Manifest(
            digest=self.digest(todo), source=self.source_digest, simulator=simulator, n=len(todo), request=self.request
        )


def make_validation(
    *,
    path: Path | None = None,
    instances: int = 1,
    tokens: int = 64,
    dim: int = 64,
    continuous: bool = False,
    **request: Any,
) -> Validation:
    """Check a request and read or draw its tensors.

    `path` is a file with Q, K and V; without it, tensors of shape (`instances`, `tokens`, `dim`) are drawn: from the
    levels of the hardware, or from their whole ranges if `continuous`.  `request` contains the other attributes of
    `Validation`.

    Raises
    ------
    ParameterError, DataError
        If a name is unknown, a number is out of range, the file is invalid, or the records belong to another
        technology.
    """
    head = load_head(request.get("head", DEFAULT_HEAD))
    check_counts({"instances": (instances, 1), "tokens": (tokens, 1), "dim": (dim, 1)})
    check_counts({name: (request.get(name, 1), 0) for name in ("columns", "queries")})
    sampling.make_sampler("random", request.get("seed", 1), 1)
    if path is None and instances * tokens * dim > _MOST_NUMBERS:
        raise ParameterError(
            f"instances x tokens x dim = {instances * tokens * dim}; the maximum is {_MOST_NUMBERS}: use fewer"
        )
    operations = tuple(request.pop("operations", None) or (o.name for o in head.operations))
    for name in operations:
        head.operation(name)
    technology = load_technology(request.get("technology", DEFAULT_TECHNOLOGY))
    if request.get("records") is None:
        request["records"] = technology.name
    if request["records"] == "":
        raise ParameterError("records is empty; give the name of a set or a folder, or omit it")
    params = load_circuit(head.cell).params
    supply = {} if request.get("vdd") is None else {"vdd": request["vdd"]}
    vdd = float(params.resolve({**technology.sizes(head.cell, params), **supply})["vdd"])
    technology.corner(request.get("corner", NOMINAL.corner))
    technology.check_temp(request.get("temp", NOMINAL.temp))
    seed = request.get("seed", 1)
    levels = None if continuous else (head.levels_input, head.levels_store)
    inputs = read_inputs(path, vdd) if path else random_inputs(instances, tokens, dim, vdd, seed, levels)
    drawn = "uniform" if levels is None else f"{levels[0]} x {levels[1]} levels"
    source = path.name if path else f"{drawn}, seed {seed}"
    comparison = Validation(inputs=inputs, source=source, operations=operations, **request)
    check_records(comparison.records, f"{head.cell}.{next(iter(head.forms.values())).study}", technology.name)
    _check_together(comparison)
    return comparison


def _check_together(comparison: Validation) -> None:
    """Raise `ParameterError` for attributes that contradict each other."""
    there = comparison.inputs.shape[1]
    if comparison.queries > there:
        raise ParameterError(
            f"queries = {comparison.queries}: there are {there} tokens; use 0 for all, or at most {there}"
        )
    finite = comparison.periphery is not None
    check_storage(comparison.hold, write=comparison.write, periphery=finite, mismatch=comparison.mismatch)
    comparison.circuit(comparison.declared.operation(comparison.operations[0]))


def cases(comparison: Validation, pulses_of: Callable[[Floats, Floats], Floats]) -> Iterator[Case]:
    """Yield every pass: the scores of each query, then the values with the pulses computed from the scores.

    Parameters
    ----------
    pulses_of : callable
        Stored voltages of keys [V], shape (dim, tokens), and pulses [s], shape (dim,) -> pulses of the scores [s].
        SPICE and the software model get the same pulses, so that the two operations are validated separately.
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
                        number=number,
                        operation=operation,
                        instance=instance,
                        query=query,
                        columns=columns,
                        array=np.ascontiguousarray(stored),
                        t_pulse=pulses,
                    )
                number += 1


def _cut(pulses: Floats) -> Floats:
    return np.where(pulses < SHORTEST, 0.0, pulses)


def _some(comparison: Validation, there: int, *where: int) -> tuple[int, ...]:
    """Columns to simulate: all, or the requested number at random."""
    if comparison.columns in (0,) or comparison.columns >= there:
        return tuple(range(there))
    drawn = np.random.default_rng([comparison.seed, _COLUMNS, *where]).choice(there, comparison.columns, replace=False)
    return tuple(sorted(int(c) for c in drawn))
