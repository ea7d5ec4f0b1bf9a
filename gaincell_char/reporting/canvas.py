"""Common parts of all pictures: colours, style, labels, and a canvas for PNG and SVG.

Text in an SVG stays text.  The same data always give identical files.
"""

import io
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas

from ..declare.parameters import Value
from .parts import Drawn
from .picture import AxisQuantity

# Okabe and Ito: distinguishable with every common colour blindness.
INK, PUBLISHED, FITTED = "#222222", "#D55E00", "#0072B2"
_CATEGORIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SMALL = 10.5
"""Font size [pt] of legends and notes."""
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 12.0,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.9,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "gaincell",
}
_DPI = 160


def render(draw: Callable[[Canvas], None], size: tuple[float, float], dpi: float = _DPI) -> Drawn:
    """Draw on a canvas and return PNG and SVG.

    Parameters
    ----------
    draw : callable
        Draws on the canvas.
    size : (float, float)
        Width and height [inch].
    dpi : float
        Resolution of the PNG.
    """
    with matplotlib.rc_context(_STYLE):
        canvas = Canvas(figsize=size, dpi=dpi, facecolor="white")
        draw(canvas)
        png, svg = io.BytesIO(), io.StringIO()
        raster: Any = FigureCanvasAgg(canvas)
        raster.print_png(png, metadata={"Software": None})
        vector: Any = FigureCanvasSVG(canvas)
        vector.print_svg(svg, metadata={"Date": None})
    return png.getvalue(), svg.getvalue()


def label_axis(quantity: AxisQuantity, unit: str, width: int) -> str:
    """Label with description and name of a `quantity` and its `unit`, in lines of at most `width` characters."""
    return "\n".join(textwrap.wrap(f"{quantity.doc}, {quantity.name}{bracket(unit)}", width))


def bracket(unit: str) -> str:
    """A unit in brackets, to follow a name; empty without a unit."""
    # A no-break space keeps a name and its unit on one line.
    return f"\N{NO-BREAK SPACE}[{unit}]" if unit else ""


def colour_form(form: str) -> str:
    """Colour of a model's curve, by its form."""
    return PUBLISHED if form == "published" else FITTED


def colour_value(value: Value | None, family: Sequence[Value]) -> str:
    """Colour of one value of a picture's family: from a colour map for numbers, from a list for words."""
    if value is None or value not in family:
        return INK
    if isinstance(value, str):
        return _CATEGORIES[family.index(value) % len(_CATEGORIES)]
    ranks = sorted(v for v in family if not isinstance(v, str))
    # The end of the map has too little contrast on white.
    place = 0.86 * ranks.index(value) / max(1, len(ranks) - 1)
    return matplotlib.colors.to_hex(matplotlib.colormaps["viridis"](place))


def choose_dashes(form: str) -> str | tuple[float, tuple[float, ...]]:
    """Line style of a model's curve, by its form."""
    return (0, (4, 2)) if form == "published" else "-"
