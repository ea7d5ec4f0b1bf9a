"""Run the points of a plan in child processes and put what they measure into one dataset."""

import contextlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from . import __version__
from .cards import flatten
from .circuit import Analysis, Waveforms
from .errors import ParameterError, SimulationError
from .measure import measure
from .netlist import Deck, Template, check_instances, check_vector, undeclared
from .ngspice import Outcome
from .params import ABSOLUTE_ZERO
from .plan import Plan, Point
from .pool import Pool
from .spice_options import check_options
from .untrusted import check_name

OK, FAILED, NOT_RUN = "ok", "failed", "not run"
KEPT_FAILURES = 20


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A point that gave no result: where, why, and the evidence; ``name`` is that of its files, if it has one."""

    where: Mapping[str, Any]
    reason: str
    deck: str
    log: str
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """A dataset and the first few of its failures, with their decks and logs."""

    dataset: xr.Dataset
    failures: tuple[Failure, ...]


def characterize(
    plan: Plan,
    *,
    pool: Pool | None = None,
    only: Sequence[tuple[int, ...]] | None = None,
    progress: Callable[[], None] = lambda: None,
) -> Result:
    """Simulate every point of a plan.

    Parameters
    ----------
    pool : Pool, optional
        Simulators to use; one per core by default.
    only : sequence of index tuples, optional
        Points to run; the others stay "not run".
    progress : callable
        Called once per finished point.

    Returns
    -------
    Result
        Dataset with one dimension per swept quantity, ``status`` and ``reason`` per point.  Points
        without a result are NaN and say why.
    """
    if pool is None:
        with Pool() as own:
            return characterize(plan, pool=own, only=only, progress=progress)
    table = _Table(plan)
    points = plan.points() if only is None else (plan.point(index) for index in only)
    count = plan.size if only is None else len(only)
    for point, outcome in pool.map(points, lambda p: p.deck, count=count):
        table.add(point, outcome)
        progress()
    return Result(
        dataset=table.dataset(pool.version), failures=tuple(failure for _, failure in sorted(table.failures.items()))
    )


def simulate(
    netlist: object,
    analysis: Analysis,
    save: Sequence[str],
    *,
    params: Mapping[str, float] | None = None,
    temp: float = 27.0,
    options: Mapping[str, float] | None = None,
    timeout_s: float = 60.0,
    pool: Pool | None = None,
) -> Waveforms:
    """Run any netlist once and return its waveforms.

    Parameters
    ----------
    netlist : str or PySpice Circuit
        SPICE text, or anything whose ``str()`` is.
    analysis : Op or Tran
        What to run; analyses in the netlist are ignored.
    save : sequence of str
        Vectors, as ``"v(out)"`` and ``"i(vdd)"``.
    params : mapping, optional
        Value of every ``{name}`` in the netlist.
    pool : Pool, optional
        Simulators to run it on, with their own timeout; one is started for it otherwise.

    Raises
    ------
    NetlistError
        If the netlist is unsafe or incomplete.
    ParameterError
        If a name is not a plain one, a value not a finite number, or the netlist uses a name without a value.
    SimulationError
        If ngspice does not give the result.
    """
    values = _numbers("params", params or {})
    checked = check_options(_numbers("options", options or {}))
    template = _any_template(str(netlist), values, save, temp, checked)
    deck = Deck(template=template, params=values, analysis=analysis, initial={})
    with contextlib.nullcontext(pool) if pool else Pool(1, timeout_s=timeout_s) as simulators:
        [(_, outcome)] = simulators.map([deck], lambda d: d, count=1)
    if outcome.reason:
        raise SimulationError(f"ngspice: {outcome.reason}", deck=deck.text, log=outcome.log)
    return outcome.vectors


def _any_template(
    netlist: str, values: Mapping[str, float], save: Sequence[str], temp: float, options: Mapping[str, float]
) -> Template:
    body = flatten(netlist)
    if missing := undeclared(body, values):
        raise ParameterError(f"the netlist uses {', '.join(sorted(missing))}, which params does not give")
    check_instances(body)
    temp = _numbers("temp", {"temp": temp})["temp"]
    if temp < ABSOLUTE_ZERO:
        raise ParameterError(f"temp = {temp:g} degC is below absolute zero ({ABSOLUTE_ZERO:g} degC)")
    return Template(
        title="gaincell-char", temp=temp, options=tuple(options.items()),
        body=f"{body}\n.save {' '.join(map(_vector, save))}", save=tuple(save),
    )  # fmt: skip


def _numbers(what: str, values: Mapping[str, float]) -> dict[str, float]:
    """Return the values as numbers under plain names, or raise `ParameterError`."""
    try:
        found = {check_name(name): float(value) for name, value in values.items()}
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{what}: {error}") from None
    if odd := [name for name, value in found.items() if not math.isfinite(value)]:
        raise ParameterError(f"{what}: {odd[0]} = {found[odd[0]]:g} is not a finite number")
    return found


def _vector(name: str) -> str:
    try:
        return check_vector(name)
    except ValueError as error:
        raise ParameterError(f"save: {error}") from None


class _Table:
    """The dataset while it fills."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        inner = (len(plan.curve),) if plan.bench.curve else ()
        self.values = {o.name: np.full((*plan.shape, *inner), np.nan) for o in plan.bench.outputs}
        self.status = np.full(plan.shape, NOT_RUN, dtype=object)
        self.reason = np.full(plan.shape, "", dtype=object)
        self.failures: dict[tuple[int, ...], Failure] = {}

    def add(self, point: Point, outcome: Outcome) -> None:
        """Measure one outcome and file it under its point."""
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

    def dataset(self, version: str) -> xr.Dataset:
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
        return self._derive(xr.Dataset(data, coords, self._attrs(version)))

    def _derive(self, dataset: xr.Dataset) -> xr.Dataset:
        for derived in self.plan.bench.derived:
            if dataset.sizes.get(derived.over, 0) > 1:
                dataset[derived.name] = derived.compute(dataset)
                dataset[derived.name].attrs = {"units": derived.unit, "long_name": derived.doc}
        return dataset

    def _attrs(self, version: str) -> dict[str, Any]:
        plan = self.plan
        return {
            "circuit": plan.circuit.name,
            "bench": plan.bench.name,
            "technology": plan.technology.name,
            "technology_digest": plan.technology.digest,
            "plan_digest": plan.digest,
            "parameters": json.dumps(dict(plan.fixed)),
            "options": json.dumps(dict(plan.options)),
            "simulator": f"ngspice {version}",
            "package": f"gaincell-char {__version__}",
            "n_points": plan.size,
            "n_ok": int((self.status == OK).sum()),
            "n_failed": int((self.status == FAILED).sum()),
        }
