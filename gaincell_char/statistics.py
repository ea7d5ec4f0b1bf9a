"""Statistics of samples: moments, quantiles, yield, contributions.  NaN marks a failed sample: left out and counted."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
from scipy import linalg

from . import si
from .circuit import Floats
from .errors import DataError, ParameterError

_CONFIDENCE = 0.95
_FEWEST_FOR_NORMALITY = 20
_SPEC = re.compile(r"\s*([^@<>=]+?)\s*(?:@\s*([^<>]+?)\s*)?(<=|>=|<|>)\s*([^<>=\s]+)\s*")
_GOAL = re.compile(r"\s*(sigma|mean|yield)\s*<\s*([0-9.eE+-]+)\s*%\s*")


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Moments of one quantity with 95 % intervals; NaN where there are too few samples.

    The interval of the mean is Student's, that of sigma from chi-square.  Both assume independent samples of a
    normal quantity: with Sobol points or a Latin hypercube they are wider than need be.  ``p_normal`` is the
    p-value of D'Agostino and Pearson's test.
    """

    n: int
    n_missing: int
    mean: float
    mean_low: float
    mean_high: float
    sigma: float
    sigma_low: float
    sigma_high: float
    skew: float
    excess_kurtosis: float
    p_normal: float


def moments(values: Floats, confidence: float = _CONFIDENCE) -> Moments:
    """Return the moments of a sample, shape (n,)."""
    good = _finite(values)
    n, nothing = good.size, float("nan")
    mean = float(good.mean()) if n else nothing
    sigma = float(good.std(ddof=1)) if n > 1 else nothing
    tail = (1 - confidence) / 2
    half = sigma / np.sqrt(n) * scipy.stats.t.ppf(1 - tail, n - 1) if n > 1 else nothing
    chi = scipy.stats.chi2.ppf([1 - tail, tail], n - 1) if n > 1 else np.full(2, nothing)
    low, high = sigma * np.sqrt((n - 1) / chi) if n > 1 else (nothing, nothing)
    shaped = n >= _FEWEST_FOR_NORMALITY and sigma > 1e-12 * abs(mean)
    return Moments(
        n=n, n_missing=values.size - n, mean=mean, mean_low=float(mean - half), mean_high=float(mean + half),
        sigma=sigma, sigma_low=float(low), sigma_high=float(high),
        skew=float(scipy.stats.skew(good)) if shaped else nothing,
        excess_kurtosis=float(scipy.stats.kurtosis(good)) if shaped else nothing,
        p_normal=float(scipy.stats.normaltest(good).pvalue) if shaped else nothing,
    )  # fmt: skip


def _finite(values: Any) -> Floats:
    array: Floats = np.asarray(values, dtype=float)
    return np.asarray(array[np.isfinite(array)])


def quantiles(values: Floats, probabilities: Sequence[float], confidence: float = _CONFIDENCE) -> pd.DataFrame:
    """Quantiles with distribution-free intervals, from order statistics; a bound is NaN where n is too small.

    Returns
    -------
    DataFrame
        Columns probability, value, low, high.
    """
    good = np.sort(_finite(values))
    n, tail = good.size, (1 - confidence) / 2
    rows = []
    for p in probabilities:
        # The k-th smallest lies below the quantile with the probability that at least k samples do.
        lower = int(scipy.stats.binom.ppf(tail, n, p)) if n else 0
        upper = int(scipy.stats.binom.ppf(1 - tail, n, p)) + 1 if n else 1
        rows.append({
            "probability": p, "value": float(np.quantile(good, p)) if n else np.nan,
            "low": float(good[lower - 1]) if lower >= 1 else np.nan,
            "high": float(good[upper - 1]) if upper <= n else np.nan,
        })  # fmt: skip
    return pd.DataFrame(rows)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A limit of an output: ``i_bl @ v_store=0.9 > 8u``; `where` picks places of the grid, all unless given."""

    output: str
    relation: str
    limit: float
    where: Mapping[str, float]
    text: str

    def passes(self, values: Floats) -> Any:
        """Value -> whether it meets the limit; NaN never does."""
        compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}[self.relation]
        return compare(values, self.limit) & np.isfinite(values)


def parse_spec(text: str, units: Mapping[str, str]) -> Spec:
    """Read ``OUTPUT > LIMIT`` or ``OUTPUT @ NAME=VALUE,... > LIMIT``.

    Parameters
    ----------
    units : mapping of str to str
        Every output and feature there is, with its unit.

    Raises
    ------
    ParameterError
        If the text has another form or the output is unknown.
    """
    match = _SPEC.fullmatch(text)
    if match is None:
        raise ParameterError(f"spec {text!r}: write OUTPUT > LIMIT, <, >= or <=, for example 'i_bl@v_store=0.9 > 8u'")
    output, where, relation, limit = match.groups()
    if output not in units:
        raise ParameterError(f"spec {text!r}: there is no {output!r}; have {', '.join(units)}")
    places: dict[str, float] = {}
    for part in (where or "").split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        if equals and name:
            places[name] = si.parse(value)
        elif part.strip():
            raise ParameterError(f"spec {text!r}: after @ write NAME=VALUE, not {part.strip()!r}")
    return Spec(
        output=output,
        relation=relation,
        limit=si.parse(limit, units[output]),
        where=places,
        text=" ".join(text.split()),
    )


@dataclass(frozen=True, kw_only=True)
class Proportion:
    """A share with its interval."""

    value: float
    low: float
    high: float
    passed: int
    n: int


def wilson(passed: int, n: int, confidence: float = _CONFIDENCE) -> Proportion:
    """Share of samples that passed, with Wilson's interval; NaN without samples."""
    if n == 0:
        return Proportion(value=float("nan"), low=float("nan"), high=float("nan"), passed=0, n=0)
    found = scipy.stats.binomtest(passed, n).proportion_ci(confidence, method="wilson")
    return Proportion(value=passed / n, low=float(found.low), high=float(found.high), passed=passed, n=n)


@dataclass(frozen=True, kw_only=True)
class Goal:
    """When to stop: the half-width of a statistic's 95 % interval is below `limit`.

    That of sigma is taken relative to sigma, that of the mean relative to sigma, too; that of the yield is a
    difference of yields.
    """

    statistic: str
    limit: float
    text: str

    def width(self, values: Any) -> float:
        """Half-width for one quantity, or for whether each sample passed; infinite below two samples."""
        if self.statistic == "yield":
            share = wilson(int(np.count_nonzero(values)), len(values))
            return (share.high - share.low) / 2 if share.n > 1 else float("inf")
        found = moments(np.asarray(values, dtype=float))
        if not (found.n > 1 and found.sigma > 0):
            return float("inf")
        ends = (found.sigma_low, found.sigma_high) if self.statistic == "sigma" else (found.mean_low, found.mean_high)
        return (ends[1] - ends[0]) / 2 / found.sigma


def parse_goal(text: str) -> Goal:
    """Read ``sigma<2%``, ``mean<1%`` or ``yield<1%``.

    Raises
    ------
    ParameterError
        If the text has another form, or the limit is not between 0 and 100 %.
    """
    match = _GOAL.fullmatch(text)
    try:
        limit = float(match[2]) / 100 if match else 0.0
    except ValueError:
        limit = 0.0
    if match is None or not 0 < limit < 1:
        raise ParameterError(
            f"goal {text!r}: write 'sigma<2%', 'mean<1%' or 'yield<1%', with a percentage from 0 to 100"
        )
    return Goal(statistic=match[1], limit=limit, text=" ".join(text.split()))


def contributions(
    draws: pd.DataFrame, values: Floats, groups: Mapping[str, str], *, n_bootstrap: int = 200, seed: int = 0,
    confidence: float = _CONFIDENCE,
) -> pd.DataFrame:  # fmt: skip
    """Share of the variance that each device brings: linear regression on what was drawn for the finished samples.

    Parameters
    ----------
    draws : DataFrame
        A row per sample, a column per standard normal variable.
    values : ndarray, shape (n_samples,)
        NaN for failed samples.
    groups : mapping of str to str
        Variable -> what it belongs to.

    Returns
    -------
    DataFrame
        Columns group, share, low, high: largest first, at the end ``rest``, which is not linear in any draw.  The
        interval is the bootstrap's, over samples.

    Raises
    ------
    DataError
        If there are too few finished samples, or they do not vary.
    """
    good = np.isfinite(values)
    x, y = draws.to_numpy()[good], np.asarray(values, dtype=float)[good]
    if len(y) < x.shape[1] + 2:
        raise DataError(
            f"{len(y)} finished samples are too few for {x.shape[1]} variables; {x.shape[1] + 2} are needed"
        )
    if np.ptp(y) <= 1e-12 * np.abs(y).max():
        raise DataError("it does not vary")
    names = list(dict.fromkeys(groups[name] for name in draws.columns))
    belongs = np.array([[groups[name] == group for group in names] for name in draws.columns], dtype=float)
    shares = _shares(x, y, belongs)
    rng = np.random.default_rng(seed)
    again = [_shares(x[pick], y[pick], belongs) for pick in rng.integers(0, len(y), (n_bootstrap, len(y)))]
    tail = (1 - confidence) / 2
    low, high = np.quantile(again, [tail, 1 - tail], axis=0)
    table = pd.DataFrame({"group": [*names, "rest"], "share": shares, "low": low, "high": high})
    order = [*np.argsort(-shares[:-1], kind="stable"), len(names)]
    return table.iloc[order].reset_index(drop=True)


def _shares(x: Floats, y: Floats, belongs: Floats) -> Floats:
    """Share of each group, then the rest; a draw's own variance counts, not its ideal one."""
    x, y = x - x.mean(axis=0), y - y.mean()
    gram = x.T @ x
    # A little of the diagonal keeps a resample that repeats few samples solvable.
    slopes = linalg.solve(gram + 1e-9 * np.trace(gram) / len(gram) * np.eye(len(gram)), x.T @ y, assume_a="pos")
    single = slopes**2 * np.diag(gram)
    linear = float(slopes @ gram @ slopes) / float(y @ y)
    # Draws of a finite sample correlate a little: what they explain together is shared out.
    return np.array([*(single @ belongs) / single.sum() * linear, 1 - linear])


def worst(frame: pd.DataFrame, column: str, count: int = 10) -> pd.DataFrame:
    """Return the rows farthest from the median, worst first, with their `distance` in sigmas."""
    values = frame[column].to_numpy(dtype=float)
    found = moments(values)
    if not (found.n > 1 and found.sigma > 0):
        return frame.iloc[:0].assign(distance=np.empty(0))
    distance = (values - np.median(_finite(values))) / found.sigma
    table = frame.assign(distance=distance)[np.isfinite(values)]
    return pd.DataFrame(table.iloc[np.argsort(-table["distance"].abs(), kind="stable")[:count]]).reset_index(drop=True)


def convergence(values: Floats, points: int = 40) -> pd.DataFrame:
    """Mean and sigma with their intervals over the first n samples, for n from 8 to all of them."""
    counts = np.unique(np.geomspace(8, max(len(values), 8), points).round().astype(int))
    kept = ("mean", "mean_low", "mean_high", "sigma", "sigma_low", "sigma_high")
    found = [(int(n), moments(np.asarray(values[:n]))) for n in counts]
    return pd.DataFrame([{"n": n, **{name: getattr(m, name) for name in kept}} for n, m in found])


def correlation(columns: pd.DataFrame) -> pd.DataFrame:
    """Correlation of every two columns over the samples that have both; NaN for one that does not vary."""
    return pd.DataFrame(columns.corr())
