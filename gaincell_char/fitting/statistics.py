"""Statistics of samples: moments, quantiles, yield.

NaN marks a failed value, which is left out and counted.  Infinity marks a censored value, which lies beyond the
simulated range, and minus infinity one that lies before it: they count in quantiles and yields; a sample that contains
one has no mean and no sigma.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy
from numpy.typing import ArrayLike

from ..declare.bench import Floats
from ..errors import ParameterError

CONFIDENCE = 0.95
_FEWEST_FOR_NORMALITY = 20
_FIRST_PREFIX = 8
_PROBABILITIES = (0.00135, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.99865)
_NAN = float("nan")
_NO_SPREAD = 1e-12
"""Sigma below this fraction of the mean is rounding."""


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Moments of one quantity with 95 % intervals; NaN if there are too few samples, or one of them is censored.

    The interval of the mean is Student's, that of sigma is from chi-square.  Both assume independent samples of a
    normal quantity; with Sobol points or a Latin hypercube they are too wide.  ``p_normal`` is the p-value of the
    test of D'Agostino and Pearson (Biometrika 60, 613 (1973)).  That test detects skew and tails, which affect
    compact models, and gives a p-value at any n; Anderson-Darling gives one only from a table.  Its approximation,
    like skew and kurtosis, is inaccurate below 20 samples: these are then NaN, as for a sample that does not vary.
    """

    n: int
    n_missing: int
    n_beyond: int
    mean: float
    mean_low: float
    mean_high: float
    sigma: float
    sigma_low: float
    sigma_high: float
    skew: float
    excess_kurtosis: float
    p_normal: float


def moments(values: ArrayLike, confidence: float = CONFIDENCE) -> Moments:
    """Return the moments of a sample.

    Parameters
    ----------
    values : array_like, shape (n,)
        The sample, in any unit; mean and sigma are in units of the sample.
    confidence : float
        Probability of the intervals.

    Raises
    ------
    ParameterError
        If `confidence` is not between 0 and 1.
    """
    tail = tail_of(confidence)
    array: Floats = np.asarray(values, dtype=float)
    finite = array[np.isfinite(array)]
    n_beyond = int(np.isinf(array).sum())
    known = finite[:0] if n_beyond else finite
    mean, mean_low, mean_high = _mean_interval(known, tail)
    sigma, sigma_low, sigma_high = _sigma_interval(known, tail)
    skew, excess_kurtosis, p_normal = _shape(known)
    n = finite.size + n_beyond
    return Moments(
        n=n,
        n_missing=array.size - n,
        n_beyond=n_beyond,
        mean=mean,
        mean_low=mean_low,
        mean_high=mean_high,
        sigma=sigma,
        sigma_low=sigma_low,
        sigma_high=sigma_high,
        skew=skew,
        excess_kurtosis=excess_kurtosis,
        p_normal=p_normal,
    )


def _mean_interval(sample: Floats, tail: float) -> tuple[float, float, float]:
    """Mean, and its interval by Student's distribution."""
    n = sample.size
    if n == 0:
        return _NAN, _NAN, _NAN
    mean = float(sample.mean())
    if n == 1:
        return mean, _NAN, _NAN
    half = float(sample.std(ddof=1) / np.sqrt(n) * scipy.stats.t.ppf(1 - tail, n - 1))
    return mean, mean - half, mean + half


def _sigma_interval(sample: Floats, tail: float) -> tuple[float, float, float]:
    """Standard deviation, and its interval from chi-square."""
    n = sample.size
    if n < 2:
        return _NAN, _NAN, _NAN
    sigma = float(sample.std(ddof=1))
    low, high = sigma * np.sqrt((n - 1) / scipy.stats.chi2.ppf([1 - tail, tail], n - 1))
    return sigma, float(low), float(high)


def _shape(sample: Floats) -> tuple[float, float, float]:
    """Skew, excess kurtosis, and p-value of D'Agostino and Pearson's test; NaN below 20 samples or without spread."""
    if sample.size < _FEWEST_FOR_NORMALITY or not sample.std(ddof=1) > _NO_SPREAD * abs(sample.mean()):
        return _NAN, _NAN, _NAN
    skew, excess_kurtosis = scipy.stats.skew(sample), scipy.stats.kurtosis(sample)
    return float(skew), float(excess_kurtosis), float(scipy.stats.normaltest(sample).pvalue)


def _finite(values: ArrayLike) -> Floats:
    array: Floats = np.asarray(values, dtype=float)
    return np.asarray(array[np.isfinite(array)])


def tail_of(confidence: float) -> float:
    """Probability on each side of an interval of `confidence`.

    Raises
    ------
    ParameterError
        If `confidence` is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ParameterError(f"a confidence must be between 0 and 1, such as 0.95; got {confidence:g}")
    return (1 - confidence) / 2


def quantiles(
    values: ArrayLike, probabilities: Sequence[float] = _PROBABILITIES, confidence: float = CONFIDENCE
) -> pd.DataFrame:
    """Quantiles with distribution-free intervals, from order statistics; a bound is NaN if n is too small.

    Parameters
    ----------
    values : array_like, shape (n,)
        The sample, in any unit; results are in units of the sample.
    probabilities : sequence of float
        Probability of each quantile.
    confidence : float
        Probability of the intervals.

    Returns
    -------
    DataFrame
        Columns probability, value, low, high; the last three in the unit of `values`.

    Raises
    ------
    ParameterError
        If a probability or `confidence` is not between 0 and 1.
    """
    array: Floats = np.asarray(values, dtype=float)
    ordered = np.sort(array[~np.isnan(array)])
    tail = tail_of(confidence)
    rows = []
    for p in probabilities:
        if not 0 < p < 1:
            raise ParameterError(f"a probability must be between 0 and 1, such as 0.99; got {p:g}")
        low, high = _quantile_interval(ordered, p, tail)
        rows.append({"probability": p, "value": _quantile(ordered, p), "low": low, "high": high})
    return pd.DataFrame(rows, columns=["probability", "value", "low", "high"])


def _quantile_interval(ordered: Floats, p: float, tail: float) -> tuple[float, float]:
    """Order statistics around a quantile; NaN if the sample is too small to contain one.

    The k-th smallest value lies below the quantile with the probability that at least k samples do: David and
    Nagaraja, Order Statistics, 2003, section 7.1.
    """
    n = ordered.size
    if n == 0:
        return _NAN, _NAN
    lower, upper = int(scipy.stats.binom.ppf(tail, n, p)), int(scipy.stats.binom.ppf(1 - tail, n, p))
    low = float(ordered[lower - 1]) if lower >= 1 else _NAN
    high = float(ordered[upper]) if upper < n else _NAN
    return low, high


def _quantile(ordered: Floats, p: float) -> float:
    """Interpolated quantile of a sorted sample; infinite if a neighbour is, NaN without samples."""
    if ordered.size == 0:
        return _NAN
    place = p * (ordered.size - 1)
    lower, upper = ordered[math.floor(place)], ordered[min(math.ceil(place), ordered.size - 1)]
    if np.isfinite([lower, upper]).all():
        return float(np.quantile(ordered, p))
    return float(upper if np.isinf(upper) else lower)


def describe_censored(value: float, span: tuple[float, float]) -> str:
    """Text of a censored value in a table, ``> 1000`` or ``< 0.001``; empty for any other value.

    Parameters
    ----------
    value : float
        Infinite if it lies beyond the simulated range, minus infinite if it lies before it.
    span : tuple of (float, float)
        First and last value of the simulated range, in the unit of `value`.
    """
    if not np.isinf(value) or not np.isfinite(span[int(value > 0)]):
        return ""
    return f"> {span[1]:g}" if value > 0 else f"< {span[0]:g}"


@dataclass(frozen=True, kw_only=True)
class Proportion:
    """A share with its interval."""

    value: float
    low: float
    high: float
    passed: int
    n: int


def wilson(passed: int, n: int, confidence: float = CONFIDENCE) -> Proportion:
    """Share of samples that passed, with Wilson's interval, J. Am. Stat. Assoc. 22, 209 (1927); NaN without samples.

    Parameters
    ----------
    passed : int
        Number of samples that passed.
    n : int
        Number of all samples.
    confidence : float
        Probability of the interval.

    Raises
    ------
    ParameterError
        If `passed` is not within 0 and `n`, or `confidence` not between 0 and 1.
    """
    tail_of(confidence)
    if not 0 <= passed <= n:
        raise ParameterError(f"{passed} of {n} samples cannot have passed; the number must be 0 to {n}")
    if n == 0:
        return Proportion(value=float("nan"), low=float("nan"), high=float("nan"), passed=0, n=0)
    found = scipy.stats.binomtest(passed, n).proportion_ci(confidence, method="wilson")
    return Proportion(value=passed / n, low=float(found.low), high=float(found.high), passed=passed, n=n)


def worst(frame: pd.DataFrame, output: str, count: int = 10) -> pd.DataFrame:
    """Return the samples farthest from the median, worst first, with their `distance` in sigmas.

    Failed samples have no distance and are left out; if the output does not vary, the table is empty.

    Parameters
    ----------
    frame : DataFrame
        One row per sample.
    output : str
        Column of the output.
    count : int
        Largest number of rows to return.
    """
    values = frame[output].to_numpy(dtype=float)
    found = moments(values)
    if not (found.n > 1 and found.sigma > 0):
        return frame.iloc[:0].assign(distance=np.empty(0))
    distance = (values - np.median(_finite(values))) / found.sigma
    table = frame.assign(distance=distance)[np.isfinite(values)]
    return pd.DataFrame(table.iloc[np.argsort(-table["distance"].abs(), kind="stable")[:count]]).reset_index(drop=True)


def convergence(values: ArrayLike, points: int = 40) -> pd.DataFrame:
    """Mean and sigma with their intervals over the first n samples, for n from 8 to all.

    n includes failed samples.  Fewer than 8 samples give one row; no samples give an empty table.

    Parameters
    ----------
    values : array_like, shape (n,)
        The sample, in any unit; results are in units of the sample.
    points : int
        Largest number of rows.
    """
    array: Floats = np.asarray(values, dtype=float)
    kept = ["mean", "mean_low", "mean_high", "sigma", "sigma_low", "sigma_high"]
    first = min(_FIRST_PREFIX, array.size)
    counts = np.unique(np.geomspace(max(first, 1), max(array.size, 1), points).round().astype(int))
    found = [(int(n), vars(moments(array[:n]))) for n in counts if n <= array.size]
    return pd.DataFrame([{"n": n, **{name: m[name] for name in kept}} for n, m in found], columns=["n", *kept])


def correlation(columns: pd.DataFrame) -> pd.DataFrame:
    """Correlation of every two columns over the samples that have both; NaN for a column that does not vary."""
    return pd.DataFrame(columns.corr())
