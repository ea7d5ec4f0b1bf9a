"""Pictures that compare technologies: one colour and marker for each, one line style for each line of a declaration."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from ..declare.bench import Floats
from ..declare.record_merits import CurveAxis
from ..workflows.technology_comparison import ComparedCurves, ComparedLine
from . import text
from .canvas import INK, SMALL, bracket, colour_value, render
from .parts import Drawn

_SIZE = (6.4, 4.6)
_BOX = {"left": 0.16, "right": 0.975, "bottom": 0.15}
_TOP, _ROW = 0.82, 0.075
"""Top of the axes below one row of a legend, and height of another row, relative to the picture [dimensionless]."""
_LABEL = 30
"""Characters of a line of a label."""
_MARKERS = ("o", "s", "^", "v", "D", "P", "X")
_DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
_LIMIT = (0, (2, 2))
_MARKS = 9
_BELOW_LIMIT = 50.0
"""Share of a limit [dimensionless] at which a logarithmic axis of y begins."""


def draw_curves(picture: ComparedCurves, technologies: Sequence[str]) -> Drawn:
    """Draw one picture with the lines of some `technologies`, as PNG and SVG.

    Raises
    ------
    ValueError
        If no technology has a line.
    """
    lines = [line for line in picture.lines if line.x is not None and line.y is not None]
    if not lines:
        raise ValueError(picture.lines[0].reason if picture.lines else "no technology has a curve")

    def draw(canvas: Canvas) -> None:
        below = _TOP - (_ROW if _list_styles(picture) else 0.0)
        ax = canvas.subplots(gridspec_kw={**_BOX, "top": below})
        scales = [_scale(lines, picture.curves.x, "x"), _scale(lines, picture.curves.y, "y")]
        for number, line in enumerate(lines):
            _draw_line(ax, line, picture, technologies, (scales[0].factor, scales[1].factor), number)
        _draw_axes(ax, picture, scales)
        canvas.text(0.02, 0.975, picture.curves.title, va="top", fontsize=13, fontweight="bold")
        _draw_legend(canvas, picture, lines, technologies)

    return render(draw, _SIZE)


def _values(line: ComparedLine, which: str) -> Floats:
    values = line.x if which == "x" else line.y
    assert values is not None  # noqa: S101  such lines are left out
    return np.asarray(values, dtype=float)


def _scale(lines: Sequence[ComparedLine], axis: CurveAxis, which: str) -> text.Scale:
    if axis.log:
        return text.Scale(factor=1.0, unit=axis.unit)
    return text.choose_scale(np.concatenate([_values(line, which) for line in lines]), axis.unit)


def _draw_line(
    ax: Axes,
    line: ComparedLine,
    picture: ComparedCurves,
    technologies: Sequence[str],
    factors: tuple[float, float],
    number: int,
) -> None:
    place = list(picture.curves.lines).index(line.label)
    x, y = _values(line, "x") * factors[0], _values(line, "y") * factors[1]
    step = max(1, x.size // _MARKS)
    ax.plot(
        x,
        y,
        color=colour_value(line.technology, technologies),
        ls=_DASHES[place % len(_DASHES)],
        lw=2.0,
        marker=_MARKERS[technologies.index(line.technology) % len(_MARKERS)],
        ms=5.5,
        mfc="white",
        mew=1.3,
        # Marks of two lines on top of each other are at different places.
        markevery=(number * step // 3 % step, step),
    )


def _draw_axes(ax: Axes, picture: ComparedCurves, scales: Sequence[text.Scale]) -> None:
    curves = picture.curves
    ax.set_xscale("log" if curves.x.log else "linear")
    ax.set_yscale("log" if curves.y.log else "linear")
    for axis, declared, scale in ((ax.xaxis, curves.x, scales[0]), (ax.yaxis, curves.y, scales[1])):
        unit = "" if scale.unit == "1" else scale.unit
        axis.set_label_text(
            "\n".join(textwrap.wrap(f"{declared.doc}{bracket(unit)}", _LABEL if axis is ax.yaxis else 60))
        )
        if declared.log:
            axis.set_major_locator(LogLocator(numticks=8))
            axis.set_major_formatter(FuncFormatter(lambda value, _, unit=declared.unit: text.show(value, unit)))
            axis.set_minor_locator(NullLocator())
        else:
            axis.set_major_locator(MaxNLocator(7, steps=(1, 2, 2.5, 5, 10)))
    if curves.limit is not None:
        ax.axhline(curves.limit * scales[1].factor, color=INK, lw=1.1, ls=_LIMIT, zorder=1)
        if curves.y.log:
            ax.set_ylim(bottom=curves.limit / _BELOW_LIMIT)
    elif not curves.y.log and ax.get_ylim()[0] < 0 < ax.get_ylim()[1]:
        ax.axhline(0.0, color="#999999", lw=0.9, zorder=1)


def _draw_legend(
    canvas: Canvas, picture: ComparedCurves, lines: Sequence[ComparedLine], technologies: Sequence[str]
) -> None:
    """Technologies in the first row, line styles and the limit in the second."""
    drawn = {line.technology for line in lines}
    first = [_handle(name, technologies) for name in technologies if name in drawn]
    for row, handles in enumerate((first, _list_styles(picture))):
        canvas.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(0.01, 0.91 - row * _ROW),
            ncols=max(1, len(handles)),
            frameon=False,
            fontsize=SMALL,
            handlelength=2.4,
            columnspacing=1.3,
            handletextpad=0.5,
            borderpad=0.2,
            borderaxespad=0.0,
        )


def _handle(name: str, technologies: Sequence[str]) -> Line2D:
    marker = _MARKERS[technologies.index(name) % len(_MARKERS)]
    colour = colour_value(name, technologies)
    return Line2D([], [], color=colour, lw=2, marker=marker, ms=5.5, mfc="white", mew=1.3, label=name)


def _list_styles(picture: ComparedCurves) -> list[Line2D]:
    """Line styles of the declared lines, and of the limit; none if there is only one line."""
    labels = [label for label in picture.curves.lines if label]
    found = [
        Line2D([], [], color=INK, lw=1.6, ls=_DASHES[at % len(_DASHES)], label=label) for at, label in enumerate(labels)
    ]
    if picture.curves.limit is not None and picture.curves.limit_doc:
        found.append(Line2D([], [], color=INK, lw=1.1, ls=_LIMIT, label=picture.curves.limit_doc))
    return found
