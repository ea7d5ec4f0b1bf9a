"""Selection of drawn values along an axis, and grids for curves."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..declare.bench import Floats
from ..declare.parameters import Value

_CURVE_POINTS = 241
_MOST_LINES = 12


def find_span(values: Floats) -> tuple[float, float] | None:
    """Smallest and largest finite number of an array of any shape, in the same unit; None if there is none."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def list_values(values: Iterable[Value]) -> tuple[Value, ...]:
    """Values of a dimension as Python numbers and words."""
    return tuple(v if isinstance(v, str) else float(v) for v in values)


def find_nearest(values: NDArray[Any], wanted: Value | None) -> Value:
    """Value of a dimension closest to the wanted one, in the same unit; the first if `wanted` is None.

    `values` has shape (n,).
    """
    there = list_values(values)
    if wanted is None or isinstance(wanted, str) or values.dtype.kind not in "fiu":
        return wanted if wanted is not None and wanted in there else there[0]
    return float(values[int(np.abs(values - wanted).argmin())])


def thin(values: tuple[Value, ...], most: int) -> tuple[Value, ...]:
    """Select at most `most` values, evenly by position, including the first and the last."""
    count = max(2, min(most, _MOST_LINES))
    if len(values) <= count:
        return values
    return tuple(values[i] for i in sorted({round(i) for i in np.linspace(0, len(values) - 1, count)}))


def make_grid(x: Floats, *, log: bool) -> Floats:
    """Grid for curves over an axis: equally spaced points (logarithmic with `log`), and the simulated points `x`.

    `x` and the result have shape (n,), in the same unit.
    """
    low, high = float(x.min()), float(x.max())
    even = np.geomspace(low, high, _CURVE_POINTS) if log and low > 0 else np.linspace(low, high, _CURVE_POINTS)
    # The simulated points are included, so that a knee between two grid points is not cut off.
    return np.unique(np.concatenate([even, x]))


def choose_markers(x: Floats, most: int, *, log: bool) -> NDArray[np.intp]:
    """Indices, dimensionless, shape (n_chosen,), of about `most` points evenly spread over an axis.

    `x` has shape (n,), in the unit of the axis; with `log` the points are spread over its logarithm.
    """
    if x.size <= most:
        return np.arange(x.size)
    place = np.log(x) if log and (x > 0).all() else x
    wanted = np.linspace(place.min(), place.max(), most)
    return np.unique([int(np.abs(place - w).argmin()) for w in wanted])
