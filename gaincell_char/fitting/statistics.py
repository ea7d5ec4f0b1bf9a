"""Statistics of samples: moments, quantiles, yield.

NaN marks a failed sample: left out and counted.  Infinity marks a censored one, which lies beyond the range that was
looked at: it counts in quantiles and yields, and there is no mean and no sigma of a sample that contains one.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.stats
from numpy.typing import ArrayLike, NDArray

from ..declare.bench import Floats
from ..errors import ParameterError
from ..storage.untrusted import shown
from ..units import parse

CONFIDENCE = 0.95
_FEWEST_FOR_NORMALITY = 20
_FIRST_PREFIX = 8
_PROBABILITIES = (0.00135, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.99865)
_LONGEST_SPEC = 1000
_RELATION = re.compile(r"[<>]=?")
_GOAL = re.compile(r"\s*(sigma|mean|yield)\s*<\s*([0-9.eE+-]+)\s*%\s*")


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Moments of one quantity with 95 % intervals; NaN where there are too few samples, or one of them is censored.

    The interval of the mean is Student's, that of sigma from chi-square.  Both assume independent samples of a
    normal quantity: with Sobol points or a Latin hypercube they are wider than need be.  ``p_normal`` is the
    p-value of D'Agostino and Pearson's test: it asks for skew and tails, which compact models feel, and has a p-value
    at any n, which Anderson-Darling has only from a table.  Its approximation, like skew and kurtosis, says little
    below 20 samples: NaN there, and for a sample that does not vary.
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
    """Return the moments of a sample, shape (n,), in its own unit.

    Raises
    ------
    ParameterError
        If `confidence` is not between 0 and 1.
    """
    tail = tail_of(confidence)
    good = _finite(values)
    n, nothing = good.size, float("nan")
    beyond = int(np.isinf(np.asarray(values, dtype=float)).sum())
    if beyond:
        good, n = good[:0], 0
    mean = float(good.mean()) if n else nothing
    sigma = float(good.std(ddof=1)) if n > 1 else nothing
    half = sigma / np.sqrt(n) * scipy.stats.t.ppf(1 - tail, n - 1) if n > 1 else nothing
    chi = scipy.stats.chi2.ppf([1 - tail, tail], n - 1) if n > 1 else np.full(2, nothing)
    low, high = sigma * np.sqrt((n - 1) / chi) if n > 1 else (nothing, nothing)
    shaped = n >= _FEWEST_FOR_NORMALITY and sigma > 1e-12 * abs(mean)
    there = int(np.isfinite(np.asarray(values, dtype=float)).sum()) + beyond
    return Moments(
        n=there,
        n_missing=np.size(values) - there,
        n_beyond=beyond,
        mean=mean,
        mean_low=float(mean - half),
        mean_high=float(mean + half),
        sigma=sigma,
        sigma_low=float(low),
        sigma_high=float(high),
        skew=float(scipy.stats.skew(good)) if shaped else nothing,
        excess_kurtosis=float(scipy.stats.kurtosis(good)) if shaped else nothing,
        p_normal=float(scipy.stats.normaltest(good).pvalue) if shaped else nothing,
    )


def _finite(values: ArrayLike) -> Floats:
    array: Floats = np.asarray(values, dtype=float)
    return np.asarray(array[np.isfinite(array)])


def tail_of(confidence: float) -> float:
    """Probability on each side of an interval of `confidence`."""
    if not 0 < confidence < 1:
        raise ParameterError(f"a confidence lies between 0 and 1, such as 0.95; got {confidence:g}")
    return (1 - confidence) / 2


def quantiles(
    values: ArrayLike, probabilities: Sequence[float] = _PROBABILITIES, confidence: float = CONFIDENCE
) -> pd.DataFrame:
    """Quantiles with distribution-free intervals, from order statistics; a bound is NaN where n is too small.

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
    good = np.sort(array[~np.isnan(array)])
    n, tail = good.size, tail_of(confidence)
    rows = []
    for p in probabilities:
        if not 0 < p < 1:
            raise ParameterError(f"a probability lies between 0 and 1, such as 0.99; got {p:g}")
        # The k-th smallest lies below the quantile with the probability that at least k samples do.
        lower = int(scipy.stats.binom.ppf(tail, n, p)) if n else 0
        upper = int(scipy.stats.binom.ppf(1 - tail, n, p)) + 1 if n else 1
        rows.append(
            {
                "probability": p,
                "value": _quantile(good, p) if n else np.nan,
                "low": float(good[lower - 1]) if lower >= 1 else np.nan,
                "high": float(good[upper - 1]) if upper <= n else np.nan,
            }
        )
    return pd.DataFrame(rows, columns=["probability", "value", "low", "high"])


def _quantile(ordered: Floats, p: float) -> float:
    """Quantile of a sorted sample, between its neighbours; infinite if the upper one is."""
    upper = ordered[min(math.ceil(p * (ordered.size - 1)), ordered.size - 1)]
    return float(np.quantile(ordered, p)) if np.isfinite(upper) else float(upper)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A limit of an output: ``current @ bias=0.9 > 8u``; `where` picks places of the grid, all unless given."""

    output: str
    relation: str
    limit: float
    where: Mapping[str, float]
    text: str

    def passes(self, values: ArrayLike) -> NDArray[np.bool_]:
        """Value -> whether it meets the limit; NaN, which is a failed sample, never does."""
        array: Floats = np.asarray(values, dtype=float)
        compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}[self.relation]
        return np.asarray(compare(array, self.limit) & ~np.isnan(array), dtype=bool)


def parse_spec(text: str, units: Mapping[str, str] | None = None) -> Spec:
    """Read ``OUTPUT > LIMIT`` or ``OUTPUT @ NAME=VALUE,... > LIMIT``.

    Parameters
    ----------
    units : mapping of str to str, optional
        Every output and feature there is, with its unit, which the limit may then carry; names of conditions, too, if
        theirs may.  Without it every output is taken, and numbers carry no unit.

    Raises
    ------
    ParameterError
        If the text has another form, the output is unknown, or a number cannot be read.
    """
    output, where, relation, limit = _parts(text)
    if units is not None and output not in units:
        raise ParameterError(f"spec {text!r}: there is no {output!r}; have {', '.join(units)}")
    known = units or {}
    return Spec(
        output=output,
        relation=relation,
        limit=_number(text, limit, known.get(output, "")),
        where={} if where is None else _places(text, where, known),
        text=" ".join(text.split()),
    )


def _parts(text: str) -> tuple[str, str | None, str, str]:
    """Output, place, relation and limit of a spec."""
    if len(text) > _LONGEST_SPEC:
        raise ParameterError(f"spec {shown(text)} has {len(text)} characters; the most is {_LONGEST_SPEC}")
    relation = _RELATION.search(text)
    output, at, where = (part.strip() for part in text[: relation.start() if relation else None].partition("@"))
    limit = text[relation.end() :].strip() if relation else ""
    odd = not (output and limit) or (at and not where) or "=" in output or re.search(r"[<>=\s]", limit)
    if relation is None or odd:
        raise ParameterError(f"spec {text!r}: write OUTPUT > LIMIT, <, >= or <=, for example 'current@bias=0.9 > 8u'")
    return output, where if at else None, relation[0], limit


def _places(text: str, where: str, units: Mapping[str, str]) -> dict[str, float]:
    places: dict[str, float] = {}
    for part in where.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not (equals and name and value):
            raise ParameterError(f"spec {text!r}: after @ write NAME=VALUE, not {part.strip()!r}")
        if name in places:
            raise ParameterError(f"spec {text!r}: {name} is given twice; give it once")
        places[name] = _number(text, value, units.get(name, ""))
    return places


def _number(text: str, part: str, unit: str) -> float:
    try:
        value = parse(part, unit)
    except ParameterError as error:
        raise ParameterError(f"spec {text!r}: {error}") from None
    if not math.isfinite(value):
        raise ParameterError(f"spec {text!r}: {part} is not a finite number")
    return value


@dataclass(frozen=True, kw_only=True)
class Proportion:
    """A share with its interval."""

    value: float
    low: float
    high: float
    passed: int
    n: int


def wilson(passed: int, n: int, confidence: float = CONFIDENCE) -> Proportion:
    """Share of samples that passed, with Wilson's interval; NaN without samples.

    Raises
    ------
    ParameterError
        If `passed` is not within 0 and `n`, or `confidence` not between 0 and 1.
    """
    tail_of(confidence)
    if not 0 <= passed <= n:
        raise ParameterError(f"{passed} of {n} samples cannot have passed; it takes 0 to {n}")
    if n == 0:
        return Proportion(value=float("nan"), low=float("nan"), high=float("nan"), passed=0, n=0)
    found = scipy.stats.binomtest(passed, n).proportion_ci(confidence, method="wilson")
    return Proportion(value=passed / n, low=float(found.low), high=float(found.high), passed=passed, n=n)


@dataclass(frozen=True, kw_only=True)
class Goal:
    """When to stop: the half-width of a statistic's 95 % interval is below `limit`.

    That of sigma is taken relative to sigma, that of the mean relative to sigma, too, not to the mean; that of the
    yield is a difference of yields, 0.01 for one percentage point.
    """

    statistic: str
    limit: float
    text: str

    def width(self, values: ArrayLike) -> float:
        """Half-width for one quantity, or for whether each sample passed; infinite below two samples.

        A failed sample is no part of mean and sigma, but did not pass.  A quantity that does not vary has no width
        relative to its sigma: infinite, too.
        """
        array: Floats = np.asarray(values, dtype=float)
        if self.statistic == "yield":
            share = wilson(int(np.count_nonzero(array > 0)), array.size)
            return (share.high - share.low) / 2 if share.n > 1 else float("inf")
        found = moments(array)
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


def worst(frame: pd.DataFrame, output: str, count: int = 10) -> pd.DataFrame:
    """Return the rows farthest from the median, worst first, with their `distance` in sigmas.

    Failed samples have no distance and are left out; without spread there is no row.
    """
    values = frame[output].to_numpy(dtype=float)
    found = moments(values)
    if not (found.n > 1 and found.sigma > 0):
        return frame.iloc[:0].assign(distance=np.empty(0))
    distance = (values - np.median(_finite(values))) / found.sigma
    table = frame.assign(distance=distance)[np.isfinite(values)]
    return pd.DataFrame(table.iloc[np.argsort(-table["distance"].abs(), kind="stable")[:count]]).reset_index(drop=True)


def convergence(values: ArrayLike, points: int = 40) -> pd.DataFrame:
    """Mean and sigma with their intervals over the first n samples, failed ones counted, for n from 8 to all.

    Fewer than 8 samples give one row, none gives none.
    """
    array: Floats = np.asarray(values, dtype=float)
    kept = ["mean", "mean_low", "mean_high", "sigma", "sigma_low", "sigma_high"]
    first = min(_FIRST_PREFIX, array.size)
    counts = np.unique(np.geomspace(max(first, 1), max(array.size, 1), points).round().astype(int))
    found = [(int(n), vars(moments(array[:n]))) for n in counts if n <= array.size]
    return pd.DataFrame([{"n": n, **{name: m[name] for name in kept}} for n, m in found], columns=["n", *kept])


def correlation(columns: pd.DataFrame) -> pd.DataFrame:
    """Correlation of every two columns over the samples that have both; NaN for one that does not vary."""
    return pd.DataFrame(columns.corr())
