"""Pictures of a Monte Carlo campaign, as PNG and SVG: band, distribution, contributions, convergence."""

import textwrap

import numpy as np
import pandas as pd
import scipy
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter

from ..declare.bench import Floats
from . import text
from .canvas import FITTED, INK, PUBLISHED, SMALL, label_axis, render
from .parts import Drawn
from .picture import AxisQuantity

_WIDTH = 6.4
_SHADE, _LIGHT = "#9ecae1", "#d6e8f5"
_SINGLES = 12
_MOST_BARS = 14
_TITLE_FITS, _LABEL_FITS = 58, 30
_BAND_GRID = {"left": 0.15, "right": 0.97, "top": 0.87, "bottom": 0.12, "hspace": 0.12}
_THREE_SIGMA = (0.135, 25.0, 50.0, 75.0, 99.865)


def draw_band(
    x: Floats,
    samples: Floats,
    *,
    x_label: AxisQuantity,
    y_label: AxisQuantity,
    title: str,
    nominal: Floats,
    model: Floats | None = None,
    log_x: bool = False,
) -> Drawn:
    """Draw an output over x: median, quartiles and the band of three sigmas; below it sigma, and that of a model.

    Parameters
    ----------
    x : ndarray, shape (n_x,)
        Values of the axis, in SI units.
    samples : ndarray, shape (n_samples, n_x)
        Output of each sample, in SI units; rows with NaN are failed samples.
    x_label, y_label : AxisQuantity
        Quantities of the axes.
    title : str
        Title.
    nominal : ndarray, shape (n_x,)
        Output of the typical circuit, in SI units.
    model : ndarray, shape (n_x,), optional
        Sigma of the random model, in SI units.
    log_x : bool
        Logarithmic x axis.
    """
    good = samples[np.isfinite(samples).all(axis=1)]
    across = text.Scale(factor=1.0, unit=x_label.unit) if log_x else text.choose_scale(x, x_label.unit)
    place = x * across.factor

    def draw(canvas: Canvas) -> None:
        top, low = canvas.subplots(2, 1, sharex=True, height_ratios=[2.6, 1], gridspec_kw=_BAND_GRID)
        _write_title(canvas, title, f"{len(good)} samples")
        if not len(good):
            return _write(top, "no sample finished")
        scale = text.choose_scale(good, y_label.unit)
        _draw_bands(top, place, good * scale.factor, nominal * scale.factor)
        top.set_ylabel(label_axis(y_label, scale.unit, _LABEL_FITS))
        _draw_sigma(low, place, good, model, y_label.unit)
        low.set_xlabel(label_axis(x_label, "" if log_x else across.unit, 60))
        if log_x:
            low.set_xscale("log")
            low.xaxis.set_major_formatter(FuncFormatter(lambda value, _: text.show(value, x_label.unit)))
        return None

    return render(draw, (_WIDTH, 5.2))


def _draw_sigma(ax: Axes, place: Floats, good: Floats, model: Floats | None, unit: str) -> None:
    sigma = good.std(axis=0, ddof=1) if len(good) > 1 else np.zeros(place.size)
    scale = text.choose_scale(sigma, unit)
    ax.plot(place, sigma * scale.factor, color=FITTED, lw=1.8, label="simulated")
    if model is not None:
        ax.plot(place, model * scale.factor, color=PUBLISHED, lw=1.6, dashes=(4, 2), label="compact model")
        ax.legend(frameon=False, fontsize=SMALL, loc="best", ncols=2)
    if sigma.max() > 0:
        ax.set_ylim(bottom=0)
    ax.set_ylabel(f"sigma [{scale.unit}]")


def _draw_bands(ax: Axes, x: Floats, good: Floats, nominal: Floats) -> None:
    low, first, median, third, high = np.percentile(good, _THREE_SIGMA, axis=0)
    ax.fill_between(x, low, high, color=_LIGHT, lw=0, label="0.135 to 99.865 %")
    ax.fill_between(x, first, third, color=_SHADE, lw=0, label="25 to 75 %")
    for number, single in enumerate(good[:_SINGLES]):
        ax.plot(x, single, color="#777777", lw=0.5, alpha=0.6, label="single samples" if number == 0 else None)
    ax.plot(x, median, color=FITTED, lw=1.8, label="median")
    ax.plot(x, nominal, color=INK, lw=1.2, dashes=(4, 2), label="typical")
    ax.legend(frameon=False, fontsize=SMALL, loc="best")


def draw_distribution(values: Floats, *, label: AxisQuantity, title: str, limits: tuple[float, ...] = ()) -> Drawn:
    """Draw a histogram with the fitted normal, and a Q-Q plot with the 95 % band of normal samples.

    Parameters
    ----------
    values : ndarray, shape (n_samples,)
        In SI units; failed samples are NaN, censored ones infinite.  With censored samples there is no normal, since
        their mean and sigma are not known.
    label : AxisQuantity
        The quantity.
    title : str
        Title.
    limits : tuple of float
        Limits to mark, in SI units.
    """
    good, outside = np.sort(values[np.isfinite(values)]), int(np.isinf(values).sum())
    scale = text.choose_scale(good, label.unit)
    counted = f"{good.size} samples" + (f", and {outside} outside the sweep, not drawn" if outside else "")

    def draw(canvas: Canvas) -> None:
        left, right = canvas.subplots(
            1, 2, gridspec_kw={"left": 0.1, "right": 0.98, "top": 0.8, "bottom": 0.2, "wspace": 0.32}
        )
        _write_title(canvas, title, counted)
        if good.size < 3 or np.ptp(good) <= 1e-12 * np.abs(good).max():
            _write(
                left, "fewer than three samples" if good.size < 3 else f"always {text.show(float(good[0]), label.unit)}"
            )
            right.set_visible(False)
            return
        shown = good * scale.factor
        _draw_histogram(left, shown, [limit * scale.factor for limit in limits])
        if not outside:
            _draw_normal(left, shown, scale.unit)
        left.set_xlabel(label_axis(label, scale.unit, 34))
        if outside:
            right.set_visible(False)
            return
        _draw_quantiles(right, shown)
        right.set_ylabel(f"{label.name} [{scale.unit}]" if scale.unit else label.name)

    return render(draw, (_WIDTH * 1.45, 3.6))


def _draw_histogram(ax: Axes, shown: Floats, limits: list[float]) -> None:
    ax.hist(shown, bins="fd" if shown.size < 5000 else 80, density=True, color=_SHADE, edgecolor="white", lw=0.4)
    for limit in limits:
        ax.axvline(limit, color=INK, lw=1.3, dashes=(3, 2), label="limit" if limit == limits[0] else None)
    ax.set_yticks([])
    ax.set_ylabel("density")


def _draw_normal(ax: Axes, shown: Floats, unit: str) -> None:
    """Draw the normal with the mean and sigma of the samples, and the legend."""
    mean, sigma = shown.mean(), shown.std(ddof=1)
    grid = np.linspace(mean - 4 * sigma, mean + 4 * sigma, 201)
    label = f"normal: mean {mean:.4g} {unit}, sigma {sigma:.3g} {unit}"
    ax.plot(grid, scipy.stats.norm.pdf(grid, mean, sigma), color=PUBLISHED, lw=1.8, label=label)
    ax.legend(frameon=False, fontsize=SMALL, loc="lower left", bbox_to_anchor=(-0.08, 0.98), borderpad=0)


def _draw_quantiles(ax: Axes, shown: Floats) -> None:
    n, mean, sigma = shown.size, shown.mean(), shown.std(ddof=1)
    place = scipy.stats.norm.ppf((np.arange(1, n + 1) - 0.375) / (n + 0.25))
    # The k-th smallest of n uniform numbers has a beta distribution.
    rank = np.arange(1, n + 1)
    low, high = (scipy.stats.norm.ppf(scipy.stats.beta.ppf(p, rank, n + 1 - rank)) for p in (0.025, 0.975))
    ax.fill_between(place, mean + sigma * low, mean + sigma * high, color=_LIGHT, lw=0, label="95 % of normal samples")
    ax.plot(place, mean + sigma * place, color=PUBLISHED, lw=1.5, label="normal")
    ax.plot(place, shown, ".", ms=3.5, color=FITTED, label="samples")
    ax.set_xlabel("quantile of the normal distribution [sigma]")
    ax.legend(frameon=False, fontsize=SMALL, loc="upper left")


def draw_contributions(shares: pd.DataFrame, *, title: str) -> Drawn:
    """Draw the share of each device in the variance as a bar with its 95 % interval; small shares are summed."""
    rows = shares.iloc[:-1]
    shown, others = rows.iloc[:_MOST_BARS], rows.iloc[_MOST_BARS:]
    names = [*shown["group"]]
    share, low, high = (100 * shown[c].to_numpy() for c in ("share", "low", "high"))
    more = [(f"{len(others)} others", 100 * others["share"].sum())] if len(others) else []
    more.append(("not linear", 100 * float(shares["share"].iloc[-1])))

    def draw(canvas: Canvas) -> None:
        ax = canvas.subplots(
            gridspec_kw={"left": 0.27, "right": 0.96, "top": 1 - 0.62 / height, "bottom": 0.55 / height}
        )
        _write_title(canvas, f"Contributions to the variance: {title}", "")
        place = np.arange(len(names) + len(more))
        spread = np.maximum([share - low, high - share], 0)
        ax.barh(
            place[: len(names)], share, xerr=spread, color=FITTED, height=0.62, error_kw={"lw": 1.1, "capsize": 2.5}
        )
        ax.barh(place[len(names) :], [value for _, value in more], color="#bbbbbb", height=0.62)
        ax.set_yticks(place, [*names, *(name for name, _ in more)])
        ax.invert_yaxis()
        ax.grid(visible=False, axis="y")
        ax.set_xlabel("share of the variance [%]; whiskers: 95 %")

    height = 1.4 + 0.3 * (len(names) + len(more))
    return render(draw, (_WIDTH, height))


def draw_convergence(table: pd.DataFrame, *, label: AxisQuantity, title: str) -> Drawn:
    """Draw mean and sigma of the first n samples over n, with 95 % intervals.

    Parameters
    ----------
    table : DataFrame
        From `statistics.convergence`.
    label : AxisQuantity
        The quantity.
    title : str
        Title.
    """

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots(
            2, 1, sharex=True, gridspec_kw={"left": 0.17, "right": 0.97, "top": 0.86, "bottom": 0.13, "hspace": 0.14}
        )
        _write_title(canvas, f"First n samples: {title}", "")
        for ax, name in zip(axes, ("mean", "sigma"), strict=True):
            _draw_running(ax, table, name, label.unit)
        axes[1].set_xlabel("samples n")
        axes[1].set_xscale("log")
        axes[1].xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:g}"))

    return render(draw, (_WIDTH, 4.4))


def _draw_running(ax: Axes, table: pd.DataFrame, name: str, unit: str) -> None:
    good = table[np.isfinite(table[[name, f"{name}_low", f"{name}_high"]]).all(axis=1)]
    if good.empty:
        return _write(ax, "too few samples")
    scale = text.choose_scale(good[name].to_numpy(), unit)
    n, value = good["n"].to_numpy(), good[name].to_numpy() * scale.factor
    low, high = (good[f"{name}_{end}"].to_numpy() * scale.factor for end in ("low", "high"))
    ax.fill_between(n, low, high, color=_LIGHT, lw=0, label="95 % interval")
    ax.plot(n, value, color=FITTED, lw=1.8, label=f"{name} of the first n")
    ax.axhline(value[-1], color=INK, lw=1.0, dashes=(4, 2), label=f"all: {value[-1]:.4g} {scale.unit}")
    wide = 4 * max(high[len(high) // 2] - low[len(low) // 2], 1e-12 * abs(value[-1]))
    if high.max() > low.min():
        ax.set_ylim(max(low.min(), value[-1] - wide), min(high.max(), value[-1] + wide))
    ax.set_ylabel(f"{name} [{scale.unit}]" if scale.unit else name)
    ax.legend(frameon=False, fontsize=SMALL, loc="best")
    return None


def _write_title(canvas: Canvas, title: str, note: str) -> None:
    lines = textwrap.wrap(f"{title} ({note})" if note else title, _TITLE_FITS)
    canvas.suptitle("\n".join(lines), x=0.02, y=0.985, ha="left", va="top", fontsize=12.5, fontweight="bold")


def _write(ax: Axes, words: str) -> None:
    ax.text(0.5, 0.5, words, ha="center", va="center", transform=ax.transAxes)
    ax.set_axis_off()
