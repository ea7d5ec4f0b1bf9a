"""Simulate the points of a plan in child processes and collect the outputs in one dataset."""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from .. import __version__
from ..declare.bench import Analysis, Noise, Op, Tran, Waveforms
from ..errors import ParameterError, SimulationError
from ..spice.deck import Deck, Template, check_nodes, check_vector
from ..spice.measure import measure
from ..spice.names import check_instances, undeclared
from ..spice.netlist import Netlist
from ..spice.ngspice import Outcome
from ..spice.pool import Pool, check_timeout
from ..spice.reader import read_netlist
from ..spice.simulator_options import check_options
from ..storage.untrusted import ABSOLUTE_ZERO, check_name
from .arguments import check_count, check_list, check_mapping, check_number
from .plan import Point, SweepPlan

OK, FAILED, NOT_RUN = "ok", "failed", "not run"
KEPT_FAILURES = 20
_TIMEOUT_S = 60.0
_SHORTEST_S = 1e-30
_LOWEST_HZ = 1e-30


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A failed point: its conditions, the reason, deck and log; ``name`` is the stem of its files, if it has one."""

    where: Mapping[str, Any]
    reason: str
    deck: str
    log: str
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """A dataset, and the first few failed points with decks and logs."""

    dataset: xr.Dataset
    failures: tuple[Failure, ...]


def characterize(
    plan: SweepPlan,
    *,
    pool: Pool | None = None,
    only: Sequence[tuple[int, ...]] | None = None,
    progress: Callable[[], None] = lambda: None,
) -> Result:
    """Simulate every point of a plan.

    Parameters
    ----------
    plan : SweepPlan
        The plan, from `plan_bench`.
    pool : Pool, optional
        Simulators; one per core by default.
    only : sequence of index tuples, optional
        Points to simulate; the status of the others is "not run".
    progress : callable
        Called once per finished point.

    Returns
    -------
    Result
        Dataset with one dimension per swept quantity, outputs in SI units, and ``status`` and ``reason`` per point.
        Outputs of points without a result are NaN.

    Raises
    ------
    ParameterError
        If `only` contains a point outside the grid.
    """
    only = None if only is None else [_index(plan, index) for index in check_list("only", only)]
    if pool is None:
        with Pool() as own:
            return characterize(plan, pool=own, only=only, progress=progress)
    table = _GridTable(plan)
    points = plan.points() if only is None else (plan.point(index) for index in only)
    count = plan.size if only is None else len(only)
    for point, outcome in pool.map(points, lambda p: p.deck, count=count):
        table.add(point, outcome)
        progress()
    return Result(
        dataset=table.dataset(pool.provenance), failures=tuple(failure for _, failure in sorted(table.failures.items()))
    )


def simulate(
    netlist: object,
    analysis: Analysis,
    save: Sequence[str],
    *,
    params: Mapping[str, float] | None = None,
    temp: float = 27.0,
    options: Mapping[str, float] | None = None,
    timeout_s: float | None = None,
    pool: Pool | None = None,
) -> Waveforms:
    """Simulate any netlist once and return its waveforms.

    Parameters
    ----------
    netlist : str, PySpice Circuit or Netlist
        SPICE text, or an object whose ``str()`` is SPICE text; analyses in it are ignored.
    analysis : Analysis
        Operating point, transient or noise.
    save : sequence of str
        Vectors to return, for example ``"v(out)"`` and ``"i(vsupply)"``; none for a noise analysis, whose vectors are
        those of `Noise`.
    params : mapping, optional
        Value of every ``{name}`` in the netlist, in SI units.
    temp : float
        Temperature [degC].
    options : mapping, optional
        Simulator options.
    timeout_s : float, optional
        Time limit of the simulation [s]; 60 s by default.  Must agree with the limit of `pool`.
    pool : Pool, optional
        Simulators; by default one is started for this call.

    Returns
    -------
    mapping of str to ndarray
        Vector -> values in SI units, shape (n_times,) or (n_frequencies,); one value for an operating point.

    Raises
    ------
    NetlistError
        If the netlist is unsafe or incomplete.
    ParameterError
        If an argument has the wrong type, or the netlist uses a name without a value.
    SimulationError
        If the simulation fails.
    """
    timeout_s = own_timeout(timeout_s, pool)
    _check_analysis(analysis)
    values, checked = _numbers("params", params), check_options(_numbers("options", options))
    read = netlist if isinstance(netlist, Netlist) else read_netlist(str(netlist))
    template = _any_template(read, values, save, temp, checked)
    deck = Deck(template=template, params=values, analysis=analysis, initial={})
    outcome = _outcome(deck, pool, timeout_s)
    if outcome.reason:
        raise SimulationError(f"ngspice: {outcome.reason}", deck=deck.text, log=outcome.log)
    return outcome.vectors


def _outcome(deck: Deck, pool: Pool | None, timeout_s: float) -> Outcome:
    with contextlib.nullcontext(pool) if pool else Pool(1, timeout_s=timeout_s) as simulators:
        [(_, outcome)] = simulators.map([deck], lambda d: d, count=1)
    return outcome


def _any_template(
    read: Netlist, values: Mapping[str, float], save: Sequence[str], temp: float, options: Mapping[str, float]
) -> Template:
    if missing := undeclared(read, values):
        raise ParameterError(f"the netlist uses {', '.join(sorted(missing))}, which is missing in params")
    check_instances(read)
    temp = check_number("temp", temp)
    vectors = check_list("save", save)
    if temp < ABSOLUTE_ZERO:
        raise ParameterError(f"temp = {temp:g} degC is below absolute zero ({ABSOLUTE_ZERO:g} degC)")
    return Template(
        title="gaincell-char",
        temp=temp,
        options=tuple(options.items()),
        body=f"{read.text}\n.save {' '.join(map(_vector, vectors))}" if vectors else read.text,
        save=tuple(vectors),
        compiled=read.compiled,
    )


def _numbers(what: str, values: Mapping[str, float] | None) -> dict[str, float]:
    """Return the values as numbers under plain names, or raise `ParameterError`."""
    given = check_mapping(what, values)
    try:
        return {check_name(name): check_number(f"{what}: {name}", value) for name, value in given.items()}
    except ParameterError:
        raise
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{what}: {error}") from None


def own_timeout(timeout_s: float | None, pool: Pool | None) -> float:
    """Return the time limit [s] for new simulators, 60 s by default.

    Raises
    ------
    ParameterError
        If it is not a number, out of range, or differs from the limit of the pool.
    """
    asked = _TIMEOUT_S if timeout_s is None else check_timeout(check_number("timeout_s", timeout_s))
    if pool is not None and timeout_s is not None and asked != pool.timeout_s:
        raise ParameterError(
            f"timeout_s = {asked:g} s differs from the {pool.timeout_s:g} s of the pool; set it in the pool only"
        )
    return asked


def as_folder(folder: Path | str) -> Path:
    """Return the path of a folder, or raise `ParameterError` if it is neither a path nor a text."""
    if not isinstance(folder, Path | str):
        raise ParameterError(f"folder is of type {type(folder).__name__}; it must be a path")
    return Path(folder)


def _index(plan: SweepPlan, index: object) -> tuple[int, ...]:
    where = check_list("only", index)
    if len(where) != len(plan.shape):
        raise ParameterError(f"only: an index has {len(where)} numbers; the grid needs {len(plan.shape)}")
    names = zip(where, plan.dims, plan.shape, strict=True)
    return tuple(check_count(f"only: {name}", at, 0, size - 1) for at, name, size in names)


def _check_analysis(analysis: object) -> None:
    if not isinstance(analysis, Op | Tran | Noise):
        said = f"analysis is of type {type(analysis).__name__}"
        raise ParameterError(f"{said}; it must be Op(), Tran(...) or Noise(...)")
    if isinstance(analysis, Noise):
        _check_noise(analysis)
    if isinstance(analysis, Tran):
        check_number("stop", analysis.stop, _SHORTEST_S)
        check_number("max_step", analysis.max_step, _SHORTEST_S)
        check_number("start_step", analysis.start_step, 0.0)


def _check_noise(analysis: Noise) -> None:
    try:
        check_mapping("nodes", analysis.nodes)
        check_nodes(analysis)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"nodes: {error}") from None
    start = check_number("start", analysis.start, _LOWEST_HZ)
    check_number("points", analysis.points, 1.0)
    if check_number("stop", analysis.stop, start) == start:
        raise ParameterError(f"stop = {start:g} Hz is not above start")


def _vector(name: str) -> str:
    try:
        return check_vector(name)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"save: {error}") from None


class _GridTable:
    """Collected results of a grid."""

    def __init__(self, plan: SweepPlan) -> None:
        self.plan = plan
        inner = (len(plan.curve),) if plan.bench.curve else ()
        self.values = {o.name: np.full((*plan.shape, *inner), np.nan) for o in plan.bench.outputs}
        self.status = np.full(plan.shape, NOT_RUN, dtype=object)
        self.reason = np.full(plan.shape, "", dtype=object)
        self.failures: dict[tuple[int, ...], Failure] = {}

    def add(self, point: Point, outcome: Outcome) -> None:
        """Measure one outcome and store it at its point."""
        reason = outcome.reason or self._measure(point, outcome.vectors)
        self.status[point.index] = FAILED if reason else OK
        self.reason[point.index] = reason
        if reason and len(self.failures) < KEPT_FAILURES:
            self.failures[point.index] = Failure(
                where=point.where, reason=reason, deck=point.deck.text, log=outcome.log
            )

    def _measure(self, point: Point, vectors: Waveforms) -> str:
        measured, reason = measure(self.plan.bench.outputs, vectors, point.values)
        for name, value in measured.items():
            self.values[name][point.index] = value
        return reason

    def dataset(self, simulator: Mapping[str, str]) -> xr.Dataset:
        plan, bench = self.plan, self.plan.bench
        dims = tuple(plan.dims)
        coords: dict[str, Any] = {
            "corner": ("corner", np.array(plan.corners, dtype=object), {"long_name": "process corner"}),
            "temp": ("temp", np.array(plan.temps), {"units": "degC", "long_name": "temperature"}),
        }
        for name, values in plan.sweep.items():
            kind = object if isinstance(values[0], str) else float
            coords[name] = (
                name,
                np.array(values, dtype=kind),
                {"units": plan.params[name].unit, "long_name": plan.params[name].doc},
            )
        inner: tuple[str, ...] = ()
        if bench.curve is not None:
            inner = (bench.curve.name,)
            coords[bench.curve.name] = (
                inner,
                plan.curve,
                {"units": bench.curve.unit, "long_name": bench.curve.doc},
            )
        data: dict[str, Any] = {
            o.name: ((*dims, *inner), self.values[o.name], {"units": o.unit, "long_name": o.doc}) for o in bench.outputs
        }
        data["status"] = (dims, self.status, {"long_name": "ok, failed or not run"})
        data["reason"] = (dims, self.reason, {"long_name": "why a point has no result"})
        return self._derive(xr.Dataset(data, coords, self._attrs(simulator)))

    def _derive(self, dataset: xr.Dataset) -> xr.Dataset:
        for derived in self.plan.bench.derived:
            if dataset.sizes.get(derived.along, 0) > 1:
                dataset[derived.name] = derived.compute(dataset)
                dataset[derived.name].attrs = {"units": derived.unit, "long_name": derived.doc}
        return dataset

    def _attrs(self, simulator: Mapping[str, str]) -> dict[str, Any]:
        plan = self.plan
        return {
            "circuit": plan.circuit.name,
            "bench": plan.bench.name,
            "technology": plan.technology.name,
            "technology_digest": plan.technology.digest,
            "plan_digest": plan.digest,
            "parameters": json.dumps(dict(plan.fixed)),
            "options": json.dumps(dict(plan.options)),
            **simulator,
            "package": f"gaincell-char {__version__}",
            "n_points": plan.size,
            "n_ok": int((self.status == OK).sum()),
            "n_failed": int((self.status == FAILED).sum()),
        }
