"""Values along an axis: which of them are drawn, and where curves are computed."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..declare.bench import Floats
from ..declare.parameters import Value

_CURVE_POINTS = 241
_MOST_LINES = 12


def find_span(values: Floats) -> tuple[float, float] | None:
    """Smallest and largest of the values that are numbers; None if none is."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def list_values(values: Iterable[Value]) -> tuple[Value, ...]:
    """Values of a dimension as plain numbers and words."""
    return tuple(v if isinstance(v, str) else float(v) for v in values)


def find_nearest(values: NDArray[Any], wanted: Value | None) -> Value:
    """The value of a dimension that is closest to what the declaration asks for; the first if it asks for none."""
    there = list_values(values)
    if wanted is None or isinstance(wanted, str) or values.dtype.kind not in "fiu":
        return wanted if wanted is not None and wanted in there else there[0]
    return float(values[int(np.abs(values - wanted).argmin())])


def thin(values: tuple[Value, ...], most: int) -> tuple[Value, ...]:
    """At most `most` values, spread evenly over their order, first and last among them."""
    count = max(2, min(most, _MOST_LINES))
    if len(values) <= count:
        return values
    return tuple(values[i] for i in sorted({round(i) for i in np.linspace(0, len(values) - 1, count)}))


def make_grid(x: Floats, *, log: bool) -> Floats:
    """Where curves are computed: evenly over the axis, and at the simulated points."""
    low, high = float(x.min()), float(x.max())
    even = np.geomspace(low, high, _CURVE_POINTS) if log and low > 0 else np.linspace(low, high, _CURVE_POINTS)
    # With the simulated points among them, a knee between two grid points is not cut.
    return np.unique(np.concatenate([even, x]))


def choose_markers(x: Floats, most: int, *, log: bool) -> NDArray[np.intp]:
    """Indices of at most about `most` points, evenly spread over the axis."""
    if x.size <= most:
        return np.arange(x.size)
    place = np.log(x) if log and (x > 0).all() else x
    wanted = np.linspace(place.min(), place.max(), most)
    return np.unique([int(np.abs(place - w).argmin()) for w in wanted])
