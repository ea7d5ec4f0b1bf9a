"""Quantities of a campaign, one number per sample: outputs at each grid point, and features; limits on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..declare.bench import Derived, Floats
from ..errors import DataError, ParameterError
from ..fitting.specs import Spec
from .campaign import Campaign

Span = tuple[float, float]
_UNBOUNDED: Span = (float("-inf"), float("inf"))
_MOST_SHOWN = 9
_MOST_NAMED = 8
"""Largest number of quantities, or of values of an axis, listed in a message."""


@dataclass(frozen=True, kw_only=True)
class SampledQuantity:
    """One number per sample: an output at one grid point, or a feature.

    Attributes
    ----------
    name, unit, doc : str
        Name, unit and description.
    where : mapping of str to float or str
        Grid point, without dimensions of one value.
    values : ndarray, shape (n_samples,)
        Value of each sample in SI units; NaN after a failure, infinite beyond `span`, minus infinite before it.
    main : bool
        Whether the quantity may be shown individually.
    span : tuple of (float, float)
        First and last value of the sweep for a censored feature, in the same unit.
    """

    name: str
    unit: str
    doc: str
    where: Mapping[str, float | str]
    values: Floats
    main: bool
    span: Span = _UNBOUNDED

    @property
    def label(self) -> str:
        """Name and grid point."""
        at = ", ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in self.where.items())
        return f"{self.name} at {at}" if at else self.name

    @property
    def n_outside(self) -> dict[float, int]:
        """Minus infinity and infinity -> number of samples before and beyond the sweep, if there are any."""
        counts = {side: int((self.values == side).sum()) for side in (-np.inf, np.inf)}
        return {side: count for side, count in counts.items() if count}


def list_quantities(campaign: Campaign, grid: xr.Dataset) -> tuple[SampledQuantity, ...]:
    """Every feature of a campaign, then every output at every grid point; `grid` is from `results.to_grid`."""
    features = _features(campaign, grid)
    return (*features, *_outputs(campaign, grid, main=not features))


def pick_shown(quantities: Sequence[SampledQuantity]) -> list[SampledQuantity]:
    """Quantities shown individually on a page: features, or the main output at points spread over the grid."""
    chosen = [q for q in quantities if q.main]
    picked = np.unique(np.linspace(0, len(chosen) - 1, min(len(chosen), _MOST_SHOWN)).round().astype(int))
    return [chosen[i] for i in picked]


def _features(campaign: Campaign, grid: xr.Dataset) -> list[SampledQuantity]:
    declared = campaign.plan.circuit.spread(campaign.plan.bench.name)
    found: list[SampledQuantity] = []
    for feature in declared.features if declared else ():
        if grid.sizes.get(feature.along, 0) > 1:
            axis = grid[feature.along]
            span = (float(axis.min()), float(axis.max())) if feature.censored else _UNBOUNDED
            found += _split(feature.name, feature.unit, feature.doc, feature.compute(grid), main=True, span=span)
    return found


def _outputs(campaign: Campaign, grid: xr.Dataset, *, main: bool) -> list[SampledQuantity]:
    outputs = campaign.plan.bench.outputs
    declared = campaign.plan.circuit.spread(campaign.plan.bench.name)
    chosen = declared.output if declared else outputs[0].name
    found: list[SampledQuantity] = []
    for output in outputs:
        shown = main and output.name == chosen
        found += _split(output.name, output.unit, output.doc, grid[output.name], main=shown)
    return found


def _split(
    name: str, unit: str, doc: str, array: xr.DataArray, *, main: bool, span: Span = _UNBOUNDED
) -> list[SampledQuantity]:
    """One quantity per grid point; dimensions of one value are not part of its name."""
    others = [str(dim) for dim in array.dims if dim != "sample"]
    told = [dim for dim in others if array.sizes[dim] > 1]
    found = []
    for index in np.ndindex(*(array.sizes[dim] for dim in others)):
        at_place = array.isel(dict(zip(others, index, strict=True)))
        where = {dim: at_place[dim].item() for dim in told}
        values = at_place.to_numpy()
        found.append(SampledQuantity(name=name, unit=unit, doc=doc, where=where, values=values, main=main, span=span))
    return found


def spec_passes(quantities: Sequence[SampledQuantity], spec: Spec) -> NDArray[np.bool_]:
    """Boolean array of shape (n_samples,): whether a sample meets a spec at all grid points that the spec names.

    A failed sample does not meet the spec.

    Raises
    ------
    DataError
        If no quantity matches the spec.
    """
    chosen = [q for q in quantities if q.name == spec.output and _holds(q.where, spec.where)]
    if not chosen:
        have = "; ".join(q.label for q in quantities[:_MOST_NAMED])
        raise DataError(f"spec {spec.text!r} matches no quantity; have {have}")
    return np.asarray(np.logical_and.reduce([spec.passes(q.values) for q in chosen]))


def check_spec(campaign: Campaign, spec: Spec) -> None:
    """Check that a spec names grid points of the campaign, and a limit within the sweep of a censored feature.

    Raises
    ------
    ParameterError
        If it does not.
    """
    axes = {name: values for name, values in _axes(campaign, spec).items() if len(values) > 1}
    for name, value in spec.where.items():
        if name not in axes:
            raise ParameterError(
                f"spec {spec.text!r}: {spec.output} is not swept over {name}; "
                f"it is swept over {', '.join(axes) or 'nothing'}"
            )
        if not any(_holds({name: there}, {name: value}) for there in axes[name]):
            raise ParameterError(f"spec {spec.text!r}: {name} = {value:g} is not in the grid; have {_few(axes[name])}")


def _axes(campaign: Campaign, spec: Spec) -> dict[str, Sequence[Any]]:
    """Axes of the grid for the output or feature of a spec; the axis that a feature reduces is removed."""
    plan = campaign.plan
    axes: dict[str, Sequence[Any]] = dict(plan.dims)
    if plan.bench.curve is not None:
        axes[plan.bench.curve.name] = plan.curve.tolist()
    declared = plan.circuit.spread(plan.bench.name)
    for feature in declared.features if declared else ():
        if feature.name == spec.output:
            axis = axes.pop(feature.along, [])
            if feature.censored and len(axis):
                _check_limit(spec, feature, axis)
    return axes


def _check_limit(spec: Spec, feature: Derived, axis: Sequence[Any]) -> None:
    if spec.limit > max(axis):
        known, other = f"up to {max(axis):g} {feature.unit}, the end", "further"
    elif spec.limit < min(axis):
        known, other = f"from {min(axis):g} {feature.unit}, the beginning", "from an earlier value"
    else:
        return
    raise ParameterError(
        f"spec {spec.text!r}: {spec.output} is only known {known} of {feature.along}; sweep {other} with --axis "
        f"{feature.along}=..."
    )


def _few(values: Sequence[float | str]) -> str:
    shown = ", ".join(v if isinstance(v, str) else f"{v:g}" for v in values[:_MOST_NAMED])
    return f"{shown}, ..." if len(values) > _MOST_NAMED else shown


def _holds(where: Mapping[str, float | str], wanted: Mapping[str, float]) -> bool:
    """Whether a grid point has all wanted coordinates."""
    for name, value in wanted.items():
        there = where.get(name)
        if there is None or isinstance(there, str) or not np.isclose(float(there), value, rtol=1e-6):
            return False
    return True
