"""Values of an axis: from the notation of the command line to the values of a grid."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from .. import units
from ..declare.bench import Curve
from ..declare.parameters import Choice, Number, Params, Value
from ..errors import ParameterError

T = TypeVar("T")
CONDITIONS = ("corner", "temp")
"""First dimensions of every dataset."""


def parse_axis(text: str, params: Params, curve: Curve | None = None) -> tuple[str, tuple[Value, ...]]:
    """Read ``NAME=START:STOP:COUNT[:log]`` or ``NAME=V1,V2,...``.

    Parameters
    ----------
    text : str
        The axis, for example ``w=100n:400n:4``.
    params : Params
        Declared parameters.
    curve : Curve, optional
        Curve of the bench, also a valid name.

    Raises
    ------
    ParameterError
        If the text cannot be parsed, the name is unknown, or the sweep is empty or descending.
    """
    name, equals, spec = (part.strip() for part in text.partition("="))
    if not equals or not name or not spec:
        raise ParameterError(f"axis {text!r}: write NAME=START:STOP:COUNT, NAME=START:STOP:COUNT:log or NAME=V1,V2,...")
    if name in CONDITIONS:
        raise ParameterError(f"axis {text!r}: use --corner for corners and --temp for temperatures")
    parameter = limits(curve) if curve is not None and name == curve.name else params[name]
    if ":" not in spec or isinstance(parameter, Choice):
        return name, tuple(parameter.parse(name, word.strip()) for word in spec.split(",") if word.strip())
    parts = spec.split(":")
    if len(parts) not in (3, 4) or (len(parts) == 4 and parts[3] != "log"):
        raise ParameterError(f"axis {text!r}: write a range as START:STOP:COUNT or START:STOP:COUNT:log")
    start, stop = parameter.parse(name, parts[0]), parameter.parse(name, parts[1])
    return name, tuple(_spaced(text, start, stop, _count(text, parts[2]), log=len(parts) == 4))


def _count(text: str, word: str) -> int:
    value = units.parse(word)
    if not (1 <= value <= 1_000_000 and value.is_integer()):
        raise ParameterError(f"axis {text!r}: COUNT is {word}, but must be a whole number from 1 to 1000000")
    return int(value)


def _spaced(text: str, start: float, stop: float, count: int, *, log: bool) -> list[float]:
    if start > stop:
        raise ParameterError(f"axis {text!r} is descending: write the smaller limit first")
    if count == 1 and start != stop:
        raise ParameterError(f"axis {text!r}: a range needs at least two points")
    if count > 1 and start == stop:
        raise ParameterError(f"axis {text!r}: a range of zero width must have one point, not {count}")
    if log and start <= 0:
        raise ParameterError(f"axis {text!r}: a log range must start above 0")
    # Rounded to 12 digits so that 0:0.9:10 gives 0.3, not 0.30000000000000004.
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.geomspace(start, stop, count) if log else np.linspace(start, stop, count)
    if not np.isfinite(values).all():
        raise ParameterError(f"axis {text!r}: the range is too wide for floating-point numbers")
    return [float(f"{value:.12g}") for value in values]


def limits(curve: Curve) -> Number:
    """Valid range of a curve, in the form of a parameter."""
    return Number(default=0.0, unit=curve.unit, doc=curve.doc, low=curve.low, high=curve.high)


def distinct(name: str, values: Sequence[T]) -> tuple[T, ...]:
    """Return the values of a sweep, or raise `ParameterError` if it is empty or contains a value twice."""
    if not values:
        raise ParameterError(f"sweep of {name} is empty")
    seen: set[T] = set()
    for value in values:
        if value in seen:
            raise ParameterError(f"sweep of {name} has {value} twice")
        seen.add(value)
    return tuple(values)
