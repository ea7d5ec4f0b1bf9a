"""What a picture shows: lines of points, model curves, errors.  Draws nothing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..declare.bench import Floats
from ..declare.model import Model
from ..declare.parameters import Value


@dataclass(frozen=True, kw_only=True)
class AxisQuantity:
    """What an axis stands for."""

    name: str
    unit: str
    doc: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """Simulated points at one value of the picture's family, and each model's curve or None."""

    value: Value | None
    x: Floats
    y: Floats
    curve_x: Floats
    curves: tuple[Floats | None, ...]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Errors of one model, model less simulation; ``fresh`` marks random points that were simulated after its fit."""

    x: Floats
    error: Floats
    fresh: NDArray[np.bool_]
    values: tuple[Value | None, ...]
    nrmse: float


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture: ``panels`` belong to ``models``, one each; ``words`` are the x values if those are words."""

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
