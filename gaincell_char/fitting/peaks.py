"""Where errors known at some points may be larger: beside the largest ones, and where the points are far apart."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import scipy

from ..declare.bench import Floats

_CANDIDATES = 256
_NEIGHBOURS = 8
"""Points of a local interpolation in one dimension; twice as many in each further one."""
_APART = 1.0
"""Smallest distance between two peaks [steps of the grid]."""
_NEAREST = 0.01
"""Smallest distance of a new point from known ones [steps of the grid]."""
_REACH = 1.5
"""Largest distance of a point on the other side of a jump [steps of the grid]."""
_JUMP = 0.65
"""Change of an error between neighbours, as a fraction of the peak, from which it is a jump."""
_LARGE = 0.5
"""Size of a peak, as a fraction of the largest known error, from which a jump beside it matters."""


def find_peaks(where: Floats, error: Floats, top: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Propose points at which an error may be larger than at the known points.

    The largest known errors that are at least one step apart are the peaks.  Around each of them the size of the error
    is interpolated from the nearest points (Wendland, *Scattered Data Approximation*, 2004, chapter 10).  The largest
    interpolated value within one step is a new point if it exceeds the largest known error.  If the error jumps beside
    the peak, the middle of the jump is a further point.

    Parameters
    ----------
    where : ndarray, shape (n, d)
        Known points: distance from the lower corner of the grid [steps of the grid].
    error : ndarray, shape (n,)
        Error at each of them, dimensionless: a fraction of the full range.
    top : ndarray, shape (d,)
        Upper corner of the grid [steps].
    count : int
        Number of peaks.
    rng : Generator
        Random numbers.

    Returns
    -------
    ndarray, shape (n_found, d)
        New points in the closed range [steps of the grid], at most three per peak.
    """
    known = scipy.spatial.KDTree(where)
    size, found = np.abs(error), list[Floats]()
    for peak in _select_peaks(where, size, count):
        found += _climb(known, size, top, peak, rng)
        found += _bisect(known, error, peak) if size[peak] >= _LARGE * size.max() else []
    return np.array(found).reshape(-1, where.shape[1])


def _select_peaks(where: Floats, size: Floats, count: int) -> Iterator[int]:
    """Indices of the largest sizes that are apart from each other."""
    left = np.ones(size.size, dtype=bool)
    for _ in range(count):
        if not left.any():
            return
        peak = int(np.where(left, size, -1.0).argmax())
        left &= np.linalg.norm(where - where[peak], axis=1) >= _APART
        yield peak


def _climb(
    known: scipy.spatial.KDTree, size: Floats, top: Floats, peak: int, rng: np.random.Generator
) -> Iterator[Floats]:
    """The candidate within one step of a peak with the largest interpolated size, if that exceeds all known sizes."""
    where, center = np.asarray(known.data), np.asarray(known.data[peak])
    scale = np.repeat([1.0, 0.25], _CANDIDATES // 2)[:, None]
    candidates = np.clip(center + scale * rng.uniform(-1, 1, (_CANDIDATES, center.size)), 0, top)
    candidates = candidates[known.query(candidates)[0] >= _NEAREST]
    if candidates.size:
        near = known.query(center, min(len(where), _NEIGHBOURS * 2 ** (center.size - 1)))[1]
        near = np.atleast_1d(near)
        expected = _interpolate(where[near], size[near], candidates)
        if expected.max() > size.max():
            yield candidates[expected.argmax()]


def _interpolate(where: Floats, size: Floats, candidates: Floats) -> Floats:
    """Cubic radial interpolation; infinite at the first candidate if the points lie on a line, which is not enough."""
    try:
        return np.asarray(scipy.interpolate.RBFInterpolator(where, size, kernel="cubic")(candidates))
    except (np.linalg.LinAlgError, ValueError):
        return np.where(np.arange(len(candidates)) == 0, np.inf, 0.0)


def _bisect(known: scipy.spatial.KDTree, error: Floats, peak: int) -> Iterator[Floats]:
    """Middles between a peak and the nearest points, on both sides, with errors that differ by half of the peak."""
    where = np.asarray(known.data)
    near = np.array(known.query_ball_point(where[peak], _REACH))
    far = near[np.abs(error[near] - error[peak]) > _JUMP * np.abs(error[peak])]
    away = where[far] - where[peak]
    away = away[np.argsort(np.linalg.norm(away, axis=1), kind="stable")]
    opposite = away[away @ away[0] < 0] if len(away) else away
    for step in (*away[:1], *opposite[:1]):
        if np.linalg.norm(step) >= 2 * _NEAREST:
            yield where[peak] + step / 2


def find_unresolved(
    where: Floats, output: Floats, predict: Callable[[Floats], Floats], rng: np.random.Generator
) -> tuple[float, float]:
    """Find the point of one input at which a model differs most from a straight line between the known outputs.

    There the known points are too far apart to show the error of the model.

    Parameters
    ----------
    where : ndarray, shape (n,)
        Known points, sorted: distance from the lower end of the grid [steps of the grid].
    output : ndarray, shape (n,)
        Output at each of them [unit of the output].
    predict : callable
        Points, shape (m,) [steps], -> the model's output, shape (m,) [unit of the output].
    rng : Generator
        Random numbers.

    Returns
    -------
    point : float
        The point [steps of the grid].
    difference : float
        Size of the difference there [unit of the output].
    """
    candidates = rng.uniform(where[0], where[-1], _CANDIDATES * math.ceil(where.size / _CANDIDATES) * 8)
    difference = np.abs(predict(candidates) - np.interp(candidates, where, output))
    best = int(difference.argmax())
    return float(candidates[best]), float(difference[best])
