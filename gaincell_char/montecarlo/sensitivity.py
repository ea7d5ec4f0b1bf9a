"""Contribution of each device to the variance of a quantity."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..declare.bench import Floats
from ..errors import DataError
from ..fitting.statistics import CONFIDENCE, tail_of

Counts = NDArray[np.int64]


def estimate_contributions(
    draws: pd.DataFrame,
    values: ArrayLike,
    groups: Mapping[str, str],
    *,
    n_bootstrap: int = 200,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> pd.DataFrame:
    """Share of each device in the variance, by linear regression on the drawn numbers of the finished samples.

    A share is the sum of ``slope^2 var(draw) / var(values)``, minus the bias from the noise of the slopes, about 1/n
    per variable: otherwise many variables without effect would show a large share.  It can be slightly below 0.

    Parameters
    ----------
    draws : DataFrame
        A row per sample, a column per standard normal variable.
    values : array-like, shape (n_samples,)
        In SI units; NaN for failed samples.
    groups : mapping of str to str
        Variable -> its group, for example the device.
    n_bootstrap, seed : int
        Number of bootstrap resamples, and seed of their random numbers.
    confidence : float
        Confidence level of the intervals.

    Returns
    -------
    DataFrame
        Columns group, share, low, high; largest first, last ``rest``, the part that is not linear in any variable.
        The interval is that of `_bootstrap_interval`.

    Raises
    ------
    DataError
        If there are too few finished samples, they do not vary, or `draws`, `values` and `groups` do not match.
    """
    tail = tail_of(confidence)
    x, y = _finished(draws, values)
    names, membership = _group_variables([str(name) for name in draws.columns], groups)
    shares = _compute_shares(x, y, np.ones(len(y), dtype=np.int64), membership)
    low, high = _bootstrap_interval(shares, _resample_shares(x, y, membership, n_bootstrap, seed), tail)
    found = pd.DataFrame({"group": [*names, "rest"], "share": shares, "low": low, "high": high})
    order = [*np.argsort(-shares[:-1], kind="stable"), len(names)]
    return found.iloc[order].reset_index(drop=True)


def _finished(draws: pd.DataFrame, values: ArrayLike) -> tuple[Floats, Floats]:
    """Draws and standardized values of the finished samples."""
    x: Floats = draws.to_numpy(dtype=float)
    y: Floats = np.asarray(values, dtype=float)
    if len(x) != len(y):
        raise DataError(f"{len(x)} rows of draws do not match {len(y)} values; one row per value is needed")
    good = np.isfinite(y) & np.isfinite(x).all(axis=1)
    x, y = x[good], y[good]
    need = x.shape[1] + 2
    if len(y) < need:
        raise DataError(f"{len(y)} finished samples are too few for {x.shape[1]} variables; {need} are needed")
    if np.ptp(y) <= 1e-12 * np.abs(y).max():
        raise DataError("the values do not vary")
    return x, (y - y.mean()) / y.std()


def _group_variables(variables: list[str], groups: Mapping[str, str]) -> tuple[list[str], Floats]:
    """Names of the groups, and their members: 1 if a variable belongs to a group, shape (n_variables, n_groups)."""
    if lost := [name for name in variables if name not in groups]:
        raise DataError(f"no group is given for {', '.join(lost)}; every variable needs one")
    names = list(dict.fromkeys(groups[name] for name in variables))
    return names, np.array([[groups[name] == group for group in names] for name in variables], dtype=float)


def _compute_shares(x: Floats, y: Floats, times: Counts, membership: Floats) -> Floats:
    """Share of each group, then the rest; sample i counts ``times[i]`` times.

    Least squares from the covariances of draws and values; variance of a slope: Seber and Lee, Linear Regression
    Analysis, 2003, sections 3.1 to 3.3.  The draws are independent, so their covariance is well-conditioned; a variable
    that does not vary has slope 0.
    """
    n, n_variables = int(times.sum()), x.shape[1]
    covariance = np.cov(np.column_stack([x, y]), rowvar=False, fweights=times, ddof=0)
    among_draws, with_value, variance = covariance[:-1, :-1], covariance[:-1, -1], covariance[-1, -1]
    slopes = np.linalg.lstsq(among_draws, with_value)[0]
    residual_variance = max(variance - slopes @ with_value, 0.0)
    slope_variances = residual_variance / (n - 1 - n_variables) * np.diag(np.linalg.pinv(among_draws))
    shares = ((slopes**2 - slope_variances) * np.diag(among_draws) / variance) @ membership
    return np.append(shares, 1 - shares.sum())


def _resample_shares(x: Floats, y: Floats, membership: Floats, count: int, seed: int) -> Floats:
    """Shares of each bootstrap resample, one per row; no rows if a resample does not determine the slopes."""
    n, unknowns = len(y), x.shape[1] + 2
    rng = np.random.default_rng(seed)
    shares = np.empty((count, membership.shape[1] + 1))
    for row in shares:
        times = rng.multinomial(n, np.full(n, 1 / n))
        if np.count_nonzero(times) < unknowns:
            return shares[:0]
        row[:] = _compute_shares(x, y, times, membership)
    return shares


def _bootstrap_interval(shares: Floats, resampled: Floats, tail: float) -> tuple[Floats, Floats]:
    """Percentile interval over the resamples, corrected for the median bias of the bootstrap; NaN without resamples.

    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 10 and 13.  `scipy.stats.bootstrap` has no
    such interval, and does not detect a resample with too few samples to determine the slopes.
    """
    if not len(resampled):
        nothing = np.full(len(shares), np.nan)
        return nothing, nothing
    low, middle, high = np.quantile(resampled, [tail, 0.5, 1 - tail], axis=0)
    return low + shares - middle, high + shares - middle
