"""Content of a picture: lines of points, model curves, errors; without drawing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..declare.bench import Floats
from ..declare.model import Model
from ..declare.parameters import Value


@dataclass(frozen=True, kw_only=True)
class AxisQuantity:
    """Quantity on an axis: name, unit and description."""

    name: str
    unit: str
    doc: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """Simulated points and model curves at one value of the picture's family.

    Arrays have shape (n_points,) and (n_curve_points,), in SI units; a curve is None if the model has no fit here.
    """

    value: Value | None
    x: Floats
    y: Floats
    curve_x: Floats
    curves: tuple[Floats | None, ...]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Errors of one model, model minus simulation.

    Arrays have shape (n_points,), in SI units; ``fresh`` is the mask of the random points simulated after the fit.
    """

    x: Floats
    error: Floats
    fresh: NDArray[np.bool_]
    values: tuple[Value | None, ...]
    nrmse: float


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture: one panel per model; ``words`` are the x values if they are words."""

    name: str
    circuit: str
    title: str
    caption: str
    x: AxisQuantity
    y: AxisQuantity
    per: AxisQuantity | None
    family: tuple[Value, ...]
    log_x: bool
    models: tuple[Model, ...]
    lines: tuple[Line, ...]
    panels: tuple[Panel, ...]
    y_span: tuple[float, float] | None
    words: tuple[str, ...]
    panel: str
