"""Errors of a model in one row of a grid, relative to the range of the output in that row."""

from collections.abc import Iterator

import numpy as np

from ..declare.bench import Floats
from .accuracy import RowError
from .points import Mask, Selection

FLAT = 0.01
"""Range of a row, as a fraction of the full range, below which the row is not compared."""
_FEWEST_POINTS = 3


def rows(points: Selection) -> Iterator[tuple[str, float, Mask]]:
    """Rows of a grid: points with one value of an input that is not the first.

    A value with fewer than three points, as in a table of scattered points, is not a row.

    Parameters
    ----------
    points : Selection
        The points of a grid, n of them.

    Yields
    ------
    str, float
        The input, and its value in the row [SI unit].
    ndarray of bool, shape (n,)
        Mask of the points of the row.
    """
    for name, x in list(points.inputs.items())[1:]:
        for value in np.unique(x):
            here = x == value
            if here.sum() >= _FEWEST_POINTS:
                yield name, float(value), here


def find_largest_row(points: Selection, predicted: Floats, full_range: float) -> RowError | None:
    """Find the row with the largest rms error relative to its own range.

    Parameters
    ----------
    points : Selection
        Points of the fit.
    predicted : ndarray, shape (n,)
        Prediction at each point [unit of the output].
    full_range : float
        Largest minus smallest output of all points [unit of the output], above 0.

    Returns
    -------
    RowError or None
        None if there is no row whose range is at least 1 % of the full range.
    """
    error, found, n_flat = predicted - points.output, [], 0
    for name, value, here in rows(points):
        span = float(np.ptp(points.output[here]))
        if span < FLAT * full_range:
            n_flat += 1
            continue
        rms = float(np.sqrt(np.mean(error[here] ** 2)))
        found.append((rms / span, span, rms, name, value, error[here]))
    if not found:
        return None
    nrmse, span, rms, name, value, own = max(found, key=lambda row: row[0])
    worst = float(own[np.abs(own).argmax()])
    counts = {"n": own.size, "n_rows": len(found), "n_flat": n_flat}
    return RowError(input=name, at=value, row_range=span, rms=rms, nrmse=nrmse, worst=worst, **counts)
