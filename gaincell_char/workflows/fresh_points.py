"""Random points over the closed valid range of every fit of a study, simulated after the fits, and the errors there."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy

from ..declare.bench import Floats, Op
from ..declare.circuit import Circuit
from ..declare.parameters import Values
from ..declare.pvt import PvtModel
from ..fitting.accuracy import FreshErrors, compute_errors
from ..fitting.fit import Fit
from ..fitting.points import Selection
from ..spice.pool import Pool
from ..sweeping.plan import SweepPlan
from ..sweeping.run import FAILED, OK, Failure
from ..sweeping.scattered import RUN, characterize_scattered

RUNS_DC, RUNS_TRANSIENT, RUNS_OF_MANY = 32, 24, 16
"""Runs per condition: of a DC bench, of other benches, and of a study with more than `_MANY` conditions."""
_MANY = 4
_CURVE_VALUES = 8
_EDGE_SHARE = 4
"""One point in this number lies on the edge of the range."""
_DIGITS = 12


@dataclass(frozen=True, kw_only=True)
class Place:
    """Inputs, conditions and valid range; fits that have all three in common share their fresh points.

    ``model`` is that of the fits if it is one over conditions.
    """

    inputs: tuple[str, ...]
    conditions: Mapping[str, float | str]
    valid_range: Mapping[str, tuple[float, float]]
    model: PvtModel | None = None

    def between_rails(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return `values` of the inputs, with every voltage between the rails of its supply."""
        if self.model is None:
            return dict(values)
        found = dict(values)
        for name in self.model.rails:
            low, high = self.model.limits(name, values[self.model.supply])
            found[name] = min(max(values[name], float(low)), float(high))
        return found

    def holds(self, fit: Fit) -> bool:
        """Whether a fit has these inputs, conditions and valid range."""
        same_range = fit.valid_range == self.valid_range
        return same_range and (fit.inputs, fit.conditions) == (self.inputs, self.conditions)


@dataclass(frozen=True, kw_only=True)
class PlaceTable:
    """Results at one place: the rows of `ScatteredResult.table`."""

    place: Place
    table: pd.DataFrame

    @property
    def n_failed(self) -> int:
        """Number of runs without a result."""
        return int(self.table.loc[self.table["status"] == FAILED, RUN].nunique())

    def select(self, output: str) -> Selection:
        """Return the points with a result."""
        rows = self.table[self.table["status"] == OK]
        return Selection(
            inputs={name: rows[name].to_numpy(dtype=float) for name in self.place.inputs},
            output=rows[output].to_numpy(dtype=float),
            conditions=dict(self.place.conditions),
        )


@dataclass(frozen=True, kw_only=True)
class FreshPoints:
    """All simulations after the fits of a study."""

    seed: int = 0
    tables: Sequence[PlaceTable] = ()
    failures: Sequence[Failure] = ()

    @property
    def frame(self) -> pd.DataFrame:
        """Every row, place by place."""
        tables = [one.table for one in self.tables]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"status": []})

    @property
    def counts(self) -> dict[str, int]:
        """Number of runs: all, finished and failed."""
        runs = self.frame.drop_duplicates(RUN)["status"] if self.tables else pd.Series([], dtype=object)
        return {"points": len(runs), "ok": int((runs == OK).sum()), "failed": int((runs == FAILED).sum())}

    def find(self, fit: Fit) -> PlaceTable | None:
        """Return the results at the place of a fit, or None if there are none."""
        return next((one for one in self.tables if one.place.holds(fit)), None)


def simulate_fresh_points(plan: SweepPlan, fits: Sequence[Fit], pool: Pool) -> FreshPoints:
    """Simulate random points in the valid ranges of the fits of a study, at the conditions of each.

    Points are spread along each input like the values of its grid, by a Sobol sequence; one in four lies on a corner or
    an edge of the range.  All runs of a bench with a curve share its random values, including both ends of its range.
    A fit without the curve among its inputs has no fresh points.

    Parameters
    ----------
    plan : SweepPlan
        Plan of the study; the seed is computed from its digest.
    fits : sequence of Fit
        Fits of the study.
    pool : Pool
        The simulators.
    """
    seed, asked = derive_seed(plan), draw_runs(plan, fits)
    if not asked:
        return FreshPoints(seed=seed)
    scattered = replace(plan, curve=draw_curve(plan))
    result = characterize_scattered(scattered, [at for _, at in asked], pool)
    tables = []
    for place, group in itertools.groupby(range(len(asked)), lambda number: asked[number][0]):
        tables.append(PlaceTable(place=place, table=result.table[result.table[RUN].isin(list(group))]))
    return FreshPoints(seed=seed, tables=tables, failures=result.failures)


def draw_runs(plan: SweepPlan, fits: Sequence[Fit]) -> list[tuple[Place, Values]]:
    """Return the runs of `simulate_fresh_points`: the place of each, and its value of every dimension of the plan."""
    count, seed = _count_runs(plan, fits), derive_seed(plan)
    found: list[tuple[Place, Values]] = []
    for number, place in enumerate(list_places(plan, fits)):
        found += [(place, at) for at in draw_values(plan, place, count, np.random.default_rng([seed, number]))]
    return found


def draw_curve(plan: SweepPlan) -> Floats:
    """Return random values of a bench's curve, shape (n,), in SI units, including both ends; empty without a curve."""
    if plan.bench.curve is None:
        return plan.curve
    rng = np.random.default_rng(derive_seed(plan))
    ranks = np.concatenate([[0.0], np.sort(rng.random(_CURVE_VALUES - 2)), [1.0]])
    return interpolate_ranks(plan.curve, (float(plan.curve.min()), float(plan.curve.max())), ranks)


def add_errors(fits: Sequence[Fit], fresh: FreshPoints, circuit: Circuit) -> list[Fit]:
    """Return the `fits` of a `circuit` with their errors at the points of `fresh`."""
    return [fit.model_copy(update={"fresh": compute_fresh_errors(fit, fresh, circuit)}) for fit in fits]


def compute_fresh_errors(fit: Fit, fresh: FreshPoints, circuit: Circuit) -> FreshErrors | None:
    """Errors of a `fit` of a `circuit` at the points of `fresh`; None if no run at its place has a result."""
    found = fresh.find(fit)
    points = found.select(fit.output) if found else None
    if found is None or points is None or not points.output.size:
        return None
    predicted = np.asarray(circuit.model(fit.model)(*points.inputs.values(), **fit.values()), dtype=float)
    errors = compute_errors(points, predicted, fit.full_range)
    return FreshErrors(**errors.model_dump(), seed=fresh.seed, n_failed=found.n_failed)


def derive_seed(plan: SweepPlan) -> int:
    """Seed of a study's fresh points, from the digest of its plan."""
    return int(plan.digest, 16) % 2**32


def list_places(plan: SweepPlan, fits: Sequence[Fit]) -> list[Place]:
    """Places of the fits, each once; without fits that do not have the bench's curve as an input."""
    found: list[Place] = []
    curve = plan.bench.curve.name if plan.bench.curve else None
    for fit in fits:
        known = any(place.holds(fit) for place in found)
        if not known and (curve is None or curve in fit.inputs):
            own = plan.circuit.model(fit.model)
            model = own if isinstance(own, PvtModel) else None
            place = Place(inputs=fit.inputs, conditions=fit.conditions, valid_range=fit.valid_range, model=model)
            found.append(place)
    return found


def has_many_conditions(fits: Sequence[Fit]) -> bool:
    """Whether the `fits` of a study have more than four conditions."""
    return len({tuple(sorted(fit.conditions.items())) for fit in fits}) > _MANY


def _count_runs(plan: SweepPlan, fits: Sequence[Fit]) -> int:
    """Number of runs of the simulator per place."""
    if has_many_conditions(fits):
        return RUNS_OF_MANY
    return RUNS_DC if isinstance(plan.point((0,) * len(plan.shape)).deck.analysis, Op) else RUNS_TRANSIENT


def draw_values(plan: SweepPlan, place: Place, count: int, rng: np.random.Generator) -> Iterator[Values]:
    """Yield a value of every dimension of a `plan` for each of `count` runs at a `place`, drawn by `rng`.

    Without a swept input there is one run.
    """
    swept = [name for name in place.inputs if name in plan.dims]
    ranks = _draw_ranks(len(swept), count, rng)
    columns: dict[str, Floats] = {}
    for name, own in zip(swept, ranks.T, strict=True):
        columns[name] = interpolate_ranks(np.array(plan.dims[name], dtype=float), place.valid_range[name], own)
    fixed = {name: values[0] for name, values in plan.dims.items()}
    fixed |= {name: value for name, value in place.conditions.items() if name in fixed}
    for number in range(len(ranks)):
        yield fixed | place.between_rails({name: float(column[number]) for name, column in columns.items()})


def _draw_ranks(dimensions: int, count: int, rng: np.random.Generator) -> Floats:
    """Points of the unit cube, shape (count, dimensions); the last ones lie on its corners and edges."""
    if not dimensions:
        return np.empty((1, 0))
    sobol = scipy.stats.qmc.Sobol(dimensions, rng=rng).random_base2(math.ceil(math.log2(count)))[:count]
    edges = np.array(list(itertools.islice(_edges(dimensions), count // _EDGE_SHARE)))
    inside = sobol[count - len(edges) :]
    return np.concatenate([sobol[: count - len(edges)], np.where(np.isnan(edges), inside, edges)])


def _edges(dimensions: int) -> Iterator[tuple[float, ...]]:
    """Corners of the unit cube, then points with one coordinate at an end and the others NaN; of a line both ends."""
    yield from itertools.product((0.0, 1.0), repeat=dimensions)
    sides = itertools.product((0.0, 1.0), range(dimensions))
    for end, which in itertools.cycle(sides) if dimensions > 1 else ():
        yield tuple(end if number == which else math.nan for number in range(dimensions))


def interpolate_ranks(values: Floats, span: tuple[float, float], ranks: Floats) -> Floats:
    """Values between those of an axis, by their rank from 0 to 1; the ends are those of the range.

    Parameters
    ----------
    values : ndarray, shape (n_values,)
        Values of the axis [SI unit].
    span : (float, float)
        Ends of the range [SI unit].
    ranks : ndarray, shape (n,)
        Ranks, dimensionless: 0 is the smallest value in the range, 1 the largest.

    Returns
    -------
    ndarray, shape (n,)
        The values [SI unit], in the closed range, with twelve digits.
    """
    inside = np.unique(values[(values >= span[0]) & (values <= span[1])])
    found = np.interp(ranks, np.linspace(0.0, 1.0, inside.size), inside)
    # Decks contain short numbers, as on a grid; rounding must not leave the range.
    short = [float(f"{value:.{_DIGITS}g}") for value in found]
    return np.clip(short, *span)
