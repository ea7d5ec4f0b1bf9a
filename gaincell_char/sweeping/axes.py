"""The values of an axis: as a user types them, and as a grid takes them."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from .. import units
from ..declare.bench import Curve
from ..declare.parameters import Choice, Number, Params, Value
from ..errors import ParameterError

T = TypeVar("T")
CONDITIONS = ("corner", "temp")
"""Dimensions every dataset begins with."""


def parse_axis(text: str, params: Params, curve: Curve | None = None) -> tuple[str, tuple[Value, ...]]:
    """Read ``NAME=START:STOP:COUNT[:log]`` or ``NAME=V1,V2,...``.

    Raises
    ------
    ParameterError
        If the text has another form, the name is unknown, or the sweep is empty or runs backwards.
    """
    name, equals, spec = (part.strip() for part in text.partition("="))
    if not equals or not name or not spec:
        raise ParameterError(f"axis {text!r}: write NAME=START:STOP:COUNT, NAME=START:STOP:COUNT:log or NAME=V1,V2,...")
    if name in CONDITIONS:
        raise ParameterError(f"axis {text!r}: give corners with --corner and temperatures with --temp")
    parameter = limits(curve) if curve is not None and name == curve.name else params[name]
    if ":" not in spec or isinstance(parameter, Choice):
        return name, tuple(parameter.parse(name, word.strip()) for word in spec.split(",") if word.strip())
    parts = spec.split(":")
    if len(parts) not in (3, 4) or (len(parts) == 4 and parts[3] != "log"):
        raise ParameterError(f"axis {text!r}: a range is START:STOP:COUNT or START:STOP:COUNT:log")
    start, stop = parameter.parse(name, parts[0]), parameter.parse(name, parts[1])
    return name, tuple(_spaced(text, start, stop, _count(text, parts[2]), log=len(parts) == 4))


def _count(text: str, word: str) -> int:
    value = units.parse(word)
    if not (1 <= value <= 1_000_000 and value.is_integer()):
        raise ParameterError(f"axis {text!r}: COUNT is {word}, but has to be a whole number from 1 to 1000000")
    return int(value)


def _spaced(text: str, start: float, stop: float, count: int, *, log: bool) -> list[float]:
    if start > stop:
        raise ParameterError(f"axis {text!r} runs backwards: write the smaller end first")
    if count == 1 and start != stop:
        raise ParameterError(f"axis {text!r}: one point cannot span a range")
    if count > 1 and start == stop:
        raise ParameterError(f"axis {text!r}: {count} points in a range of zero width")
    if log and start <= 0:
        raise ParameterError(f"axis {text!r}: a log range starts above 0")
    # Rounded to 12 digits so that 0:0.9:10 gives 0.3, not 0.30000000000000004.
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.geomspace(start, stop, count) if log else np.linspace(start, stop, count)
    if not np.isfinite(values).all():
        raise ParameterError(f"axis {text!r}: the range is too wide")
    return [float(f"{value:.12g}") for value in values]


def limits(curve: Curve) -> Number:
    """Range of a curve, as that of a parameter."""
    return Number(default=0.0, unit=curve.unit, doc=curve.doc, low=curve.low, high=curve.high)


def distinct(name: str, values: Sequence[T]) -> tuple[T, ...]:
    """Return the values of a sweep, or raise `ParameterError` if there are none or one is there twice."""
    if not values:
        raise ParameterError(f"sweep of {name} is empty")
    seen: set[T] = set()
    for value in values:
        if value in seen:
            raise ParameterError(f"sweep of {name} has {value} twice")
        seen.add(value)
    return tuple(values)
