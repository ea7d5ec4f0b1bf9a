"""Where errors known at some points may be larger: near the largest known ones, by local interpolation."""

from collections.abc import Iterator

import numpy as np
import scipy

from ..declare.bench import Floats

_CANDIDATES = 256
_NEIGHBOURS = 8
"""Points of a local interpolation in one dimension; twice as many in each further one."""
_APART = 1.0
"""Smallest distance between two peaks [steps of the grid]."""
_NEAREST = 0.03
"""Smallest distance of a new point from known ones [steps of the grid]."""


def find_peaks(where: Floats, size: Floats, top: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Propose points at which the size of an error may be larger than at the known points.

    The largest known sizes that are at least one step apart are the peaks.  Around each of them the size is
    interpolated from the nearest points (Wendland, *Scattered Data Approximation*, 2004, chapter 10), and the largest
    interpolated value within one step is taken.

    Parameters
    ----------
    where : ndarray, shape (n, d)
        Known points: distance from the lower corner of the grid [steps of the grid].
    size : ndarray, shape (n,)
        Size of the error at each of them, dimensionless: a fraction of the full range.
    top : ndarray, shape (d,)
        Upper corner of the grid [steps].
    count : int
        Number of peaks.
    rng : Generator
        Random numbers.

    Returns
    -------
    ndarray, shape (n_found, d)
        New points in the closed range [steps of the grid], at most `count` of them.
    """
    found = [one for peak in _select_peaks(where, size, count) for one in _climb(where, size, top, peak, rng)]
    return np.array(found).reshape(-1, where.shape[1])


def _select_peaks(where: Floats, size: Floats, count: int) -> Iterator[Floats]:
    """Places of the largest sizes that are apart from each other."""
    left = np.ones(size.size, dtype=bool)
    for _ in range(count):
        if not left.any():
            return
        peak = where[np.where(left, size, -1.0).argmax()]
        left &= np.linalg.norm(where - peak, axis=1) >= _APART
        yield peak


def _climb(where: Floats, size: Floats, top: Floats, peak: Floats, rng: np.random.Generator) -> Iterator[Floats]:
    """The candidate within one step of a peak with the largest interpolated size; none if all are known points."""
    scale = np.concatenate([np.ones(_CANDIDATES // 2), np.full(_CANDIDATES // 2, 0.25)])[:, None]
    candidates = np.clip(peak + scale * rng.uniform(-1, 1, (_CANDIDATES, peak.size)), 0, top)
    known = scipy.spatial.KDTree(where)
    candidates = candidates[known.query(candidates)[0] >= _NEAREST]
    if candidates.size:
        near = known.query(peak, min(len(where), _NEIGHBOURS * 2 ** (peak.size - 1)))[1]
        yield candidates[_interpolate(where[near], size[near], candidates).argmax()]


def _interpolate(where: Floats, size: Floats, candidates: Floats) -> Floats:
    """Cubic radial interpolation; random if the known points lie on a line, which does not determine it."""
    try:
        return np.asarray(scipy.interpolate.RBFInterpolator(where, size, kernel="cubic")(candidates))
    except (np.linalg.LinAlgError, ValueError):
        return -np.arange(len(candidates), dtype=float)
