"""The largest error of every fit of a study: searched for near the largest known errors, and simulated there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..declare.bench import Floats, Numbers
from ..declare.circuit import Circuit
from ..declare.model import Model
from ..declare.parameters import Values
from ..fitting.accuracy import LargestError
from ..fitting.fit import Fit
from ..fitting.peaks import find_peaks, find_unresolved
from ..fitting.points import Selection, select
from ..spice.pool import Pool
from ..sweeping.plan import SweepPlan
from ..sweeping.run import Failure
from ..sweeping.scattered import RUN, characterize_scattered
from .fresh_points import (
    FreshPoints,
    Place,
    PlaceTable,
    derive_seed,
    interpolate_ranks,
    list_places,
)

ROUNDS = 3
PEAKS = 2
"""Largest known errors of a fit beside which points are simulated in each round."""
_CURVE_FACTOR = 4
"""Values of a bench's curve in a run of the search, per value in the grid."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """A fit, its place, and all points simulated so far at which it has an error."""

    fit: Fit
    model: Model
    place: Place
    points: Selection

    @property
    def error(self) -> Floats:
        """Prediction minus output at every point, shape (n,) [unit of the output]."""
        predicted = np.asarray(self.model(*self.points.inputs.values(), **self.fit.values()), dtype=float)
        return np.asarray(predicted - self.points.output)

    def extended(self, more: Selection) -> "Known":
        """Return the same with more points."""
        inputs = {name: np.concatenate([x, more.inputs[name]]) for name, x in self.points.inputs.items()}
        output = np.concatenate([self.points.output, more.output])
        return replace(self, points=Selection(inputs=inputs, output=output, conditions=self.points.conditions))


@dataclass(frozen=True, kw_only=True)
class Search:
    """Runs of a search, as fresh points are stored, and the largest error of each fit that was searched."""

    runs: FreshPoints
    largest: Sequence[tuple[Fit, LargestError]]

    def add_largest(self, fits: Sequence[Fit]) -> list[Fit]:
        """Return the `fits` with their largest errors."""
        found = {id(fit): largest for fit, largest in self.largest}
        return [fit.model_copy(update={"largest": found.get(id(fit))}) for fit in fits]


def list_known(
    fits: Sequence[Fit], circuit: Circuit, table: pd.DataFrame, dims: Sequence[str], params: Numbers, fresh: FreshPoints
) -> list[Known]:
    """Collect the grid points and the fresh points of every fit that has both.

    Parameters
    ----------
    fits : sequence of Fit
        Fits of a study.
    circuit : Circuit
        The circuit, with the models.
    table, dims, params
        The grid, as in `points.select`.
    fresh : FreshPoints
        Fresh points of the study.
    """
    found = []
    grids = {name: select(circuit.model(name), table, dims, params) for name in {fit.model for fit in fits}}
    for fit in fits:
        own, there = circuit.model(fit.model), fresh.find(fit)
        if there is not None:
            [grid] = [one for one in grids[fit.model] if one.conditions == fit.conditions]
            points = there.select(fit.output)
            found.append(Known(fit=fit, model=own, place=there.place, points=grid).extended(points))
    return found


def search_largest(plan: SweepPlan, known: Sequence[Known], pool: Pool) -> Search:
    """Simulate points near the largest known errors of every fit, in rounds.

    Each round proposes points for every fit by `find_peaks`, and for a fit of one input by `find_unresolved`, too; a
    point of one fit is also a point of all other fits at its place.  All runs of a bench with a curve have four times
    as many values along it as its grid.

    Parameters
    ----------
    plan : SweepPlan
        Plan of the study.
    known : sequence of Known
        Points known so far.
    pool : Pool
        The simulators.
    """
    search = replace(plan, curve=refine_curve(plan))
    start, tables, failures, count = list(known), [], list[Failure](), 0
    for number in range(ROUNDS):
        asked = list(_propose(plan, known, number))
        result = characterize_scattered(search, [at for _, at in asked], pool)
        found = _by_place(result.table, [place for place, _ in asked], count)
        known = [_learn(one, found) for one in known]
        count += len(asked)
        tables += found
        failures += result.failures
    runs = FreshPoints(seed=derive_seed(plan), tables=_join(tables), failures=failures)
    return Search(runs=runs, largest=[_find_largest(a, b, runs) for a, b in zip(start, known, strict=True)])


def refine_curve(plan: SweepPlan) -> Floats:
    """Values of a bench's curve for the search, shape (n,), in SI units; empty without a curve."""
    if plan.bench.curve is None:
        return plan.curve
    ranks = np.linspace(0.0, 1.0, _CURVE_FACTOR * (plan.curve.size - 1) + 1)
    return interpolate_ranks(plan.curve, (float(plan.curve.min()), float(plan.curve.max())), ranks)


def _propose(plan: SweepPlan, known: Sequence[Known], number: int) -> Iterator[tuple[Place, Values]]:
    """Yield new runs of one round, place by place; a fit whose only input is the curve needs one run."""
    rng = np.random.default_rng([derive_seed(plan), number])
    fixed = {name: values[0] for name, values in plan.dims.items()}
    for place in list_places(plan, [one.fit for one in known]):
        here = fixed | {name: value for name, value in place.conditions.items() if name in fixed}
        swept = [name for name in place.inputs if name in plan.dims]
        if not swept and number == 0:
            yield place, here
        grid = _Grid.of(plan, place, swept)
        for one in [one for one in known if one.place == place and swept]:
            for at in _find_new(one, grid, rng):
                yield place, here | place.between_rails(at)


@dataclass(frozen=True, kw_only=True)
class _Grid:
    """Swept inputs of a fit, in steps of the grid: values of each axis in the valid range, and its ends."""

    names: Sequence[str]
    axes: Sequence[Floats]
    spans: Sequence[tuple[float, float]]

    @classmethod
    def of(cls, plan: SweepPlan, place: Place, names: Sequence[str]) -> "_Grid":
        spans = [place.valid_range[name] for name in names]
        swept = [np.array(plan.dims[name], dtype=float) for name in names]
        axes = [np.unique(x[(x >= low) & (x <= high)]) for x, (low, high) in zip(swept, spans, strict=True)]
        return cls(names=names, axes=axes, spans=spans)

    @property
    def top(self) -> Floats:
        return np.array([x.size - 1.0 for x in self.axes])

    def steps(self, inputs: Mapping[str, Floats]) -> Floats:
        """Points in steps, shape (n, n_swept)."""
        columns = [np.interp(inputs[n], x, np.arange(x.size)) for n, x in zip(self.names, self.axes, strict=True)]
        return np.column_stack(columns)

    def values(self, steps: Floats) -> dict[str, Floats]:
        """Values of every swept input [SI unit], each of shape (n,)."""
        ranks = (steps / self.top).T
        zipped = zip(self.names, self.axes, self.spans, ranks, strict=True)
        return {name: interpolate_ranks(x, span, own) for name, x, span, own in zipped}


def _find_new(known: Known, grid: _Grid, rng: np.random.Generator) -> list[dict[str, float]]:
    """New values of the swept inputs of a fit; along a curve only the largest error of each run counts."""
    error, steps = known.error / known.fit.full_range, grid.steps(known.points.inputs)
    order = np.argsort(-np.abs(error), kind="stable")
    where, first = np.unique(steps[order], axis=0, return_index=True)
    found = find_peaks(where, error[order][first], grid.top, PEAKS, rng)
    if len(known.place.inputs) == 1:
        found = np.concatenate([found, *_explore(known, grid, rng)])
    columns = grid.values(found)
    return [dict(zip(columns, map(float, values), strict=True)) for values in zip(*columns.values(), strict=True)]


def _explore(known: Known, grid: _Grid, rng: np.random.Generator) -> Iterator[Floats]:
    """The least resolved point, if a larger error than the known ones may be there."""

    def predict(steps: Floats) -> Floats:
        [values] = grid.values(steps[:, None]).values()
        return np.asarray(known.model(values, **known.fit.values()))

    where, first = np.unique(grid.steps(known.points.inputs)[:, 0], return_index=True)
    point, difference = find_unresolved(where, known.points.output[first], predict, rng)
    if difference > np.abs(known.error).max():
        yield np.array([[point]])


def _by_place(table: pd.DataFrame, places: Sequence[Place], count: int) -> list[PlaceTable]:
    """Results of a round by place; runs are numbered from `count`."""
    found = []
    for start in [n for n, place in enumerate(places) if n == 0 or place != places[n - 1]]:
        runs = [n for n, place in enumerate(places) if place == places[start]]
        own = table[table[RUN].isin(runs)]
        found.append(PlaceTable(place=places[start], table=own.assign(**{RUN: own[RUN] + count})))
    return found


def _learn(known: Known, found: Sequence[PlaceTable]) -> Known:
    for one in found:
        if one.place.holds(known.fit):
            known = known.extended(one.select(known.fit.output))
    return known


def _join(tables: Sequence[PlaceTable]) -> list[PlaceTable]:
    """One table per place."""
    places: list[Place] = []
    for one in tables:
        if one.place not in places:
            places.append(one.place)
    return [
        PlaceTable(place=place, table=pd.concat([one.table for one in tables if one.place == place], ignore_index=True))
        for place in places
    ]


def _find_largest(before: Known, known: Known, runs: FreshPoints) -> tuple[Fit, LargestError]:
    error, own = known.error, runs.find(known.fit)
    worst = int(np.abs(error).argmax())
    largest = LargestError(
        worst=float(error[worst]),
        worst_at={name: float(x[worst]) for name, x in known.points.inputs.items()},
        n=error.size,
        n_searched=error.size - before.points.output.size,
        n_failed=own.n_failed if own else 0,
    )
    return known.fit, largest
