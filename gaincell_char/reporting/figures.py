"""Drawing of pictures as PNG and SVG; the same data always give identical files."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from . import text
from .canvas import INK, PUBLISHED, SMALL, bracket, choose_dashes, colour_form, colour_value, label_axis, render
from .grids import choose_markers
from .parts import Drawn
from .picture import Line, Panel, Picture

_MARKERS = ("o", "s", "^", "v", "D", "P", "X")
_OVERVIEW_DPI = 120
# Inches.
_WIDTH, _LEFT, _RIGHT, _LEGEND = 6.4, 1.12, 0.16, 1.16
_TOP, _MAIN, _GAP, _PANEL, _BOTTOM = 0.95, 2.75, 0.36, 0.82, 0.62
_MOST_MARKERS = {True: 20, False: 28}
# Characters.
_TITLE_FITS, _NAMES_FIT = 54, 30
_STEPS = (1, 2, 2.5, 5, 10)


def draw_picture(picture: Picture) -> Drawn:
    """Draw one picture, as PNG and SVG."""
    height = _measure_height(picture)

    def draw(canvas: Canvas) -> None:
        _Drawing(canvas, picture, height).draw()

    return render(draw, (_WIDTH, height))


def draw_overview(pictures: Sequence[Picture]) -> Drawn:
    """Draw several pictures on one sheet, two per row, as PNG and SVG."""
    columns = min(2, len(pictures))
    rows = -(-len(pictures) // columns)
    height = max(_measure_height(p) for p in pictures) + 0.35

    def draw(canvas: Canvas) -> None:
        parts = canvas.subfigures(rows, columns, squeeze=False, wspace=0.0, hspace=0.0).ravel()
        for part, picture in zip(parts, pictures, strict=False):
            _Drawing(part, picture, height, heading=picture.circuit).draw()

    return render(draw, (_WIDTH * columns, height * rows), _OVERVIEW_DPI)


def _measure_height(picture: Picture) -> float:
    return _TOP + _MAIN + len(picture.panels) * (_GAP + _PANEL) + _BOTTOM


class _Drawing:
    """Drawing of one picture on a canvas or a part of one."""

    def __init__(self, target: FigureBase, picture: Picture, height: float, heading: str = "") -> None:
        self.target, self.picture, self.height, self.heading = target, picture, height, heading
        self.top = _TOP + (0.35 if heading else 0.0)
        every_x = np.concatenate([line.x for line in picture.lines])
        self.x_scale = text.choose_scale(every_x, "" if picture.words else picture.x.unit)
        if picture.log_x:
            self.x_scale = text.Scale(factor=1.0, unit=picture.x.unit)
        self.y_scale = text.choose_scale(np.array(picture.y_span or (0.0,)), picture.y.unit)

    def draw(self) -> None:
        """Draw points and curves above, the errors of each model below, on a common x axis."""
        left, right = _LEFT, _RIGHT + (_LEGEND if self.picture.per else 0.0)
        self._draw_titles()
        below = self.top + _MAIN
        main = self._add_axes(left, right, self.top, _MAIN)
        self._draw_main(main)
        axes = [main]
        for i, panel in enumerate(self.picture.panels):
            axes.append(self._add_axes(left, right, below + _GAP + i * (_GAP + _PANEL), _PANEL))
            self._draw_errors(axes[-1], i, panel)
        for ax in axes:
            self._draw_x_axis(ax, last=ax is axes[-1])
        for ax in axes[:-1]:
            ax.tick_params(labelbottom=False)
        self._draw_family_legend(main)

    def _add_axes(self, left: float, right: float, top: float, height: float) -> Axes:
        box = (left / _WIDTH, 1 - (top + height) / self.height, (_WIDTH - left - right) / _WIDTH, height / self.height)
        return self.target.add_axes(box)

    def _draw_titles(self) -> None:
        y = 1 - 0.1 / self.height
        if self.heading:
            self.target.text(0.16 / _WIDTH, y, self.heading, va="top", fontsize=15, fontweight="bold")
            y -= 0.35 / self.height
        bold = "normal" if self.heading else "bold"
        size = 13 * min(1.0, _TITLE_FITS / len(self.picture.title or " "))
        self.target.text(0.16 / _WIDTH, y, self.picture.title, va="top", fontsize=size, fontweight=bold)
        y -= 0.25 / self.height
        self.target.text(0.16 / _WIDTH, y, self.picture.caption, va="top", fontsize=SMALL, color="#666666")
        handles = self._list_handles()
        legend = self.target.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(0.08 / _WIDTH, y - 0.2 / self.height),
            ncols=len(handles),
            frameon=False,
            fontsize=SMALL,
            handlelength=1.9,
            columnspacing=1.3,
            handletextpad=0.5,
            borderpad=0.2,
            borderaxespad=0.0,
        )
        legend.set_zorder(5)

    def _list_handles(self) -> list[Line2D]:
        models = self.picture.models
        form = " form" if sum(len(model.name) for model in models) <= _NAMES_FIT else ""
        handles = [Line2D([], [], color=INK, marker="o", mfc="none", ms=5.5, lw=0, label="SPICE")]
        for model in models:
            colour = "#555555" if self.picture.per else colour_form(model.form)
            label = f"{model.name.replace('_', ' ')} ({model.form}{form})"
            handles.append(Line2D([], [], color=colour, ls=choose_dashes(model.form), lw=2, label=label))
        return handles

    def _draw_main(self, ax: Axes) -> None:
        if self.picture.y_span is None:
            ax.text(
                0.5, 0.5, "no point has a result", transform=ax.transAxes, ha="center", va="center", color=PUBLISHED
            )
        for number, line in enumerate(self.picture.lines):
            self._draw_line(ax, number, line)
        low, high = self.picture.y_span or (0.0, 1.0)
        room = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
        ax.set_ylim((low - room) * self.y_scale.factor, (high + room) * self.y_scale.factor)
        ax.yaxis.set_major_locator(MaxNLocator(6, steps=_STEPS))
        ax.set_ylabel(label_axis(self.picture.y, self.y_scale.unit, 36), labelpad=4)
        if low < 0 < high:
            ax.axhline(0.0, color="#999999", lw=0.9, zorder=1)

    def _draw_line(self, ax: Axes, number: int, line: Line) -> None:
        x, y = line.x * self.x_scale.factor, line.y * self.y_scale.factor
        many = self.picture.per is not None
        colour = colour_value(line.value, self.picture.family) if many else INK
        if not self.picture.models:
            ax.plot(x, y, color=colour, lw=1.4, alpha=0.8, zorder=2)
        for model, curve in zip(self.picture.models, line.curves, strict=True):
            if curve is not None:
                at, value = line.curve_x * self.x_scale.factor, curve * self.y_scale.factor
                own = colour if many else colour_form(model.form)
                ax.plot(at, value, color=own, ls=choose_dashes(model.form), lw=1.5 if many else 2.0, zorder=2)
        kept = choose_markers(x, _MOST_MARKERS[many], log=self.picture.log_x)
        marker = _MARKERS[number % len(_MARKERS)] if many and not self.picture.models else "o"
        size = 4.2 if many else 5.5
        ax.plot(x[kept], y[kept], ls="none", marker=marker, ms=size, mfc="none", mec=colour, mew=1.1, zorder=3)

    def _draw_errors(self, ax: Axes, number: int, panel: Panel) -> None:
        model = self.picture.models[number]
        scale = text.choose_scale(panel.error, self.picture.y.unit)
        x, y = panel.x * self.x_scale.factor, panel.error * scale.factor
        known = {value for value in panel.values if value is not None}
        of = {value: colour_value(value, self.picture.family) for value in known}
        own = INK if known else colour_form(model.form)
        colours = np.array([own if value is None else of[value] for value in panel.values])
        used, fresh = ~panel.fresh, panel.fresh
        ax.scatter(x[used], y[used], s=9, c=colours[used], linewidths=0, zorder=2)
        ax.scatter(
            x[fresh], y[fresh], s=26, facecolors="none", edgecolors=colours[fresh].tolist(), linewidths=1.1, zorder=3
        )
        largest = float(np.abs(y[np.isfinite(y)]).max()) if np.isfinite(y).any() else 0.0
        ax.set_ylim(-1.25 * (largest or 1.0), 1.25 * (largest or 1.0))
        ax.yaxis.set_major_locator(MaxNLocator(3, symmetric=True, min_n_ticks=3))
        ax.axhline(0.0, color="#999999", lw=0.9, zorder=1)
        ax.set_ylabel(f"error{bracket(scale.unit)}")
        title = f"{model.name.replace('_', ' ')} \N{MINUS SIGN} SPICE, NRMSE {text.show_percent(panel.nrmse)}"
        ax.set_title(title, loc="left", fontsize=SMALL, pad=4)
        if number == 0:
            self._draw_fresh_legend(ax, any_fresh=bool(fresh.any()))

    def _draw_fresh_legend(self, ax: Axes, *, any_fresh: bool) -> None:
        handles = [Line2D([], [], color=INK, marker="o", ms=3, lw=0, label="fitted")]
        if any_fresh:
            handles.append(Line2D([], [], color=INK, marker="o", mfc="none", ms=5, lw=0, label="fresh"))
        beside = self.picture.per is not None
        loc: Literal["upper left", "lower right"] = "upper left" if beside else "lower right"
        corner, columns = ((1.02, 1.0), 1) if beside else ((1.0, 0.98), 2)
        ax.legend(
            handles=handles,
            loc=loc,
            bbox_to_anchor=corner,
            ncols=columns,
            frameon=False,
            fontsize=SMALL,
            handlelength=1.0,
            handletextpad=0.3,
            columnspacing=0.9,
            borderpad=0.0,
            borderaxespad=0.1,
        )

    def _draw_x_axis(self, ax: Axes, *, last: bool) -> None:
        unit = self.picture.x.unit
        if self.picture.log_x:
            ax.set_xscale("log")
            ax.xaxis.set_major_locator(LogLocator(numticks=8))
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: text.show(value, unit)))
            ax.xaxis.set_minor_locator(NullLocator())
        elif self.picture.words:
            ax.set_xticks(range(len(self.picture.words)), self.picture.words)
        else:
            ax.xaxis.set_major_locator(MaxNLocator(7, steps=_STEPS))
        if last:
            ax.set_xlabel(label_axis(self.picture.x, self.x_scale.unit, 60))

    def _draw_family_legend(self, ax: Axes) -> None:
        per = self.picture.per
        if per is None:
            return
        values = [(number, line.value) for number, line in enumerate(self.picture.lines) if line.value is not None]
        numeric = np.array([v for _, v in values if not isinstance(v, str)])
        scale = text.choose_scale(numeric, per.unit) if numeric.size else text.Scale(factor=1.0, unit="")
        handles = []
        for number, value in values:
            label = value if isinstance(value, str) else f"{value * scale.factor:.4g}".replace("-", "\N{MINUS SIGN}")
            marker = "o" if self.picture.models else _MARKERS[number % len(_MARKERS)]
            colour = colour_value(value, self.picture.family)
            handles.append(Line2D([], [], color=colour, marker=marker, mfc="none", ms=4.5, lw=1.8, label=label))
        if numeric.size > 1 and bool(np.all(np.diff(numeric) > 0)):
            handles.reverse()
        ax.legend(
            handles=handles,
            title=f"{per.name}{bracket(scale.unit)}",
            loc="upper left",
            bbox_to_anchor=(1.02, 1.03),
            frameon=False,
            fontsize=SMALL,
            title_fontsize=SMALL,
            handlelength=1.5,
            labelspacing=0.28,
            borderpad=0.0,
            alignment="left",
            borderaxespad=0.0,
        )
