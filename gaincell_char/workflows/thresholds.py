"""Thresholds at every condition of a study: where an output becomes positive along an input, found by bisection."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from ..declare.bench import Floats
from ..declare.model import Model
from ..declare.parameters import Value
from ..declare.pvt import PvtModel, Threshold
from ..spice.pool import Pool
from ..sweeping.plan import SweepPlan
from ..sweeping.run import OK, Failure
from ..sweeping.scattered import RUN, characterize_scattered

_RESOLUTION = 50
"""The last interval of a bisection is at most the margin of the threshold, divided by this number."""


@dataclass(frozen=True, kw_only=True)
class _Bracket:
    """A condition, and two values of the input between which the output becomes positive."""

    at: Mapping[str, Value]
    low: float
    high: float

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2


def with_thresholds(
    plan: SweepPlan, dataset: xr.Dataset, models: Iterable[Model], pool: Pool
) -> tuple[xr.Dataset, list[Failure]]:
    """Add the measured thresholds of models over conditions to the dataset of a study.

    Parameters
    ----------
    plan : SweepPlan
        Plan of the study.
    dataset : Dataset
        Its results.
    models : iterable of Model
        Models to be fitted to them.
    pool : Pool
        The simulators.

    Returns
    -------
    dataset : Dataset
        The results, with one variable per threshold [unit of its input].
    failures : list of Failure
        Simulations without a result.
    """
    failures: list[Failure] = []
    for model in models:
        if isinstance(model, PvtModel) and model.threshold is not None:
            unit = model.coefficients[model.threshold.coefficient].unit
            found, failed = measure_threshold(plan, dataset, model.threshold, pool)
            dataset = dataset.assign({model.threshold.coefficient: found.assign_attrs(units=unit)})
            failures += failed
    return dataset, failures


def measure_threshold(
    plan: SweepPlan, dataset: xr.Dataset, threshold: Threshold, pool: Pool
) -> tuple[xr.DataArray, list[Failure]]:
    """Bisect between two neighbouring points of the grid, at every condition.

    Parameters
    ----------
    plan : SweepPlan
        Plan of the study.
    dataset : Dataset
        Its results, from which the first interval is taken.
    threshold : Threshold
        The input and the output.
    pool : Pool
        The simulators.

    Returns
    -------
    thresholds : DataArray
        Value of the input [its SI unit], over every other dimension of the grid; NaN where the output is not positive
        at the end of the grid, or a simulation failed.
    failures : list of Failure
        Simulations without a result.
    """
    brackets = _first_brackets(dataset, threshold)
    failures: list[Failure] = []
    while any(b.high - b.low > threshold.margin / _RESOLUTION for b in brackets):
        result = characterize_scattered(plan, [{**b.at, threshold.input: b.middle} for b in brackets], pool)
        failures += result.failures
        rows = result.table.set_index(RUN)
        halves = zip(brackets, rows["status"], rows[threshold.output], strict=True)
        brackets = [_half(b, positive=output > 0) for b, status, output in halves if status == OK]
    return _as_array(dataset, threshold, brackets), failures


def _first_brackets(dataset: xr.Dataset, threshold: Threshold) -> list[_Bracket]:
    """Intervals of the grid in which the output becomes positive, at every condition that has one."""
    ordered = dataset.sortby(threshold.input)
    others = [str(name) for name in dataset.status.dims if name != threshold.input]
    x, values = ordered[threshold.input].to_numpy(), ordered[threshold.output].transpose(*others, threshold.input)
    found = []
    for index in np.ndindex(values.shape[:-1]):
        last = _last_without(values[index].to_numpy())
        if last is not None:
            at = {name: ordered[name].to_numpy()[i] for name, i in zip(others, index, strict=True)}
            found.append(_Bracket(at=at, low=float(x[last]), high=float(x[last + 1])))
    return found


def _last_without(values: Floats) -> int | None:
    """Index of the last value that is not positive, if all values after it are; None otherwise, or if one is NaN."""
    (without,) = np.nonzero(~(values > 0))
    if np.isnan(values).any() or not without.size or without[-1] + 1 == values.size:
        return None
    return int(without[-1])


def _half(bracket: _Bracket, *, positive: bool) -> _Bracket:
    """The half of an interval in which the output becomes positive, given whether it is positive in the middle."""
    return replace(bracket, high=bracket.middle) if positive else replace(bracket, low=bracket.middle)


def _as_array(dataset: xr.Dataset, threshold: Threshold, brackets: Sequence[_Bracket]) -> xr.DataArray:
    """Middles of the last intervals over every other dimension of the grid."""
    found: xr.DataArray = xr.full_like(dataset.status.isel({threshold.input: 0}, drop=True), np.nan, dtype=float)
    for bracket in brackets:
        found.loc[dict(bracket.at)] = bracket.middle
    return found
