"""Share of the variance of a quantity that each device brings."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..declare.bench import Floats
from ..errors import DataError
from ..fitting.statistics import CONFIDENCE, tail_of


def contributions(
    draws: pd.DataFrame,
    values: ArrayLike,
    groups: Mapping[str, str],
    *,
    n_bootstrap: int = 200,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> pd.DataFrame:
    """Share of the variance that each device brings: linear regression on what was drawn for the finished samples.

    A share is the sum of ``slope^2 var(draw) / var(values)``, less what the noise of the slopes adds to it: about
    1/n a variable, so that many that do nothing would look like one that does.  It can therefore be a little below 0.

    Parameters
    ----------
    draws : DataFrame
        A row per sample, a column per standard normal variable.
    values : array-like, shape (n_samples,)
        In any unit; NaN for failed samples.
    groups : mapping of str to str
        Variable -> what it belongs to.

    Returns
    -------
    DataFrame
        Columns group, share, low, high: largest first, at the end ``rest``, which is not linear in any draw.  The
        interval is the bootstrap's percentiles over samples, moved by the bootstrap's own bias; NaN where a resample
        repeats so few samples that it does not determine the slopes.

    Raises
    ------
    DataError
        If there are too few finished samples, they do not vary, or `draws`, `values` and `groups` do not match.
    """
    tail = tail_of(confidence)
    x, y = _finished(draws, values)
    if lost := [str(name) for name in draws.columns if name not in groups]:
        raise DataError(f"no group is given for {', '.join(lost)}; every variable needs one")
    names = list(dict.fromkeys(groups[name] for name in draws.columns))
    belongs = np.array([[groups[name] == group for group in names] for name in draws.columns], dtype=float)
    table = np.column_stack([np.ones(len(y)), x, y])
    shares = _shares((table.T @ table)[None], belongs)[0]
    again = _shares(_resampled(table, n_bootstrap, seed), belongs)
    low, high = np.full((2, len(shares)), np.nan)
    if len(again):
        low, middle, high = np.quantile(again, [tail, 0.5, 1 - tail], axis=0)
        low, high = low + shares - middle, high + shares - middle
    found = pd.DataFrame({"group": [*names, "rest"], "share": shares, "low": low, "high": high})
    order = [*np.argsort(-shares[:-1], kind="stable"), len(names)]
    return found.iloc[order].reset_index(drop=True)


def _finished(draws: pd.DataFrame, values: ArrayLike) -> tuple[Floats, Floats]:
    """Draws and values of finished samples, the values about their mean in units of their sigma."""
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
        raise DataError("it does not vary")
    return x, (y - y.mean()) / y.std()


def _resampled(table: Floats, count: int, seed: int) -> Floats:
    """Products of the columns of `table` over each resample; none if one resample does not determine the slopes."""
    n, width = table.shape
    rng = np.random.default_rng(seed)
    products = np.empty((count, width, width))
    for product in products:
        times = rng.multinomial(n, np.full(n, 1 / n))
        if np.count_nonzero(times) < width:
            return np.empty((0, width, width))
        product[:] = (table * times[:, None]).T @ table
    return products


def _shares(products: Floats, belongs: Floats) -> Floats:
    """Share of each group, then the rest, for each matrix of products of the columns 1, draws, value."""
    n, sums = products[:, :1, :1], products[:, :1, 1:]
    centred = products[:, 1:, 1:] - sums.transpose(0, 2, 1) * sums / n
    gram, cross, total = centred[:, :-1, :-1], centred[:, :-1, -1:], centred[:, -1, -1]
    power = np.diagonal(gram, axis1=1, axis2=2)
    # A little of the diagonal keeps a draw that does not vary solvable.
    inverse = np.linalg.inv(gram + 1e-9 * power.mean(axis=1)[:, None, None] * np.eye(gram.shape[1]))
    slopes = (inverse @ cross)[:, :, 0]
    left = total - np.sum(slopes * cross[:, :, 0], axis=1)
    noise = np.maximum(left, 0)[:, None] / (n[:, 0] - 1 - gram.shape[1]) * np.diagonal(inverse, axis1=1, axis2=2)
    shares = ((slopes**2 - noise) * power / total[:, None]) @ belongs
    return np.column_stack([shares, 1 - shares.sum(axis=1)])
