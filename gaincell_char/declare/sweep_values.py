"""Values of a sweep, as data: numbers, SPICE expressions of the parameters, ranges, and several of these in a row."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arithmetic import evaluate_number
from .parameters import Numbers, Value

Floats = NDArray[np.float64]
_DIGITS = 12
"""Significant digits of a swept value: 0.3, not 0.30000000000000004."""


@dataclass(frozen=True, kw_only=True)
class Flavours:
    """Flavours of the technology: those of ``only`` that it has, or all of them."""

    only: tuple[str, ...] = ()

    def of(self, have: Sequence[str]) -> tuple[str, ...]:
        """Choose from those that a technology has."""
        return tuple(name for name in self.only if name in have) or tuple(have)

    def __str__(self) -> str:
        """The rule, as a user reads it."""
        return f"flavours {', '.join(self.only)}" if self.only else "all flavours"


@dataclass(frozen=True, kw_only=True)
class Span:
    """Values in equal steps, or in equal ratios if ``log``.

    Attributes
    ----------
    start, stop : float or str
        Both ends: numbers in SI units, or SPICE expressions of the parameters.
    count : int
        Number of values.
    inner : bool
        Leave out both ends: ``count`` values between them.
    """

    start: float | str
    stop: float | str
    count: int
    log: bool = False
    inner: bool = False

    def values(self, params: Numbers) -> Floats:
        """Return the values [SI unit], shape (count,)."""
        ends = (evaluate_number(self.start, params), evaluate_number(self.stop, params))
        count = self.count + 2 * self.inner
        values = np.geomspace(*ends, count) if self.log else np.linspace(*ends, count)
        return np.asarray(values[1:-1] if self.inner else values)

    def __str__(self) -> str:
        """The rule, as a user reads it."""
        kind = "geomspace" if self.log else "linspace"
        between = ", ends left out" if self.inner else ""
        return f"{kind}({_show(self.start)}, {_show(self.stop)}, {self.count}{between})"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """Given values, times ``scale``, plus ``offset``; those as large as ``within`` are left out.

    Attributes
    ----------
    given : tuple of float or str
        Numbers, or SPICE expressions of the parameters.
    scale, offset : float or str
        Applied to every value, in this order.
    within : str
        Expression of the size [SI unit], before the offset, from which values are left out; empty for no limit.
    """

    given: tuple[float | str, ...]
    scale: float | str = 1.0
    offset: float | str = 0.0
    within: str = ""

    def values(self, params: Numbers) -> Floats:
        """Return the values [SI unit], shape (n,)."""
        found = np.array([evaluate_number(value, params) for value in self.given]) * evaluate_number(self.scale, params)
        if self.within:
            found = found[np.abs(found) < evaluate_number(self.within, params)]
        return np.asarray(found + evaluate_number(self.offset, params))

    def __str__(self) -> str:
        """The rule, as a user reads it."""
        text = ", ".join(map(_show, self.given))
        text = text if self.scale == 1.0 else f"{_show(self.scale)} * ({text})"
        text = text if self.offset == 0.0 else f"{_show(self.offset)} + ({text})"
        return f"{text}, within {self.within}" if self.within else text


@dataclass(frozen=True, kw_only=True)
class Joined:
    """The values of several grids, one after the other."""

    parts: tuple[Span | Listed, ...]

    def values(self, params: Numbers) -> Floats:
        """Return the values [SI unit], shape (n,)."""
        return np.concatenate([part.values(params) for part in self.parts])

    def __str__(self) -> str:
        """The rule, as a user reads it."""
        return "; ".join(map(str, self.parts))


Rule = Span | Listed | Joined
Grid = Sequence[Value] | Rule | Flavours
"""Values of a sweep: given as numbers, words or SPICE expressions, by a rule, or flavours of the technology."""


def linspace(start: float | str, stop: float | str, count: int, *, inner: bool = False) -> Span:
    """Declare `count` values in equal steps from `start` to `stop`; with `inner` the two ends are left out."""
    return Span(start=start, stop=stop, count=count, inner=inner)


def geomspace(start: float | str, stop: float | str, count: int) -> Span:
    """Declare `count` values in equal ratios from `start` to `stop`, both included."""
    return Span(start=start, stop=stop, count=count, log=True)


def listed(*values: float | str, scale: float | str = 1.0, offset: float | str = 0.0, within: str = "") -> Listed:
    """Declare given `values`; `scale`, `offset` and `within` are those of `Listed`."""
    return Listed(given=values, scale=scale, offset=offset, within=within)


def join(*parts: Rule) -> Joined:
    """Declare the values of several grids, one after the other."""
    flat = (part.parts if isinstance(part, Joined) else (part,) for part in parts)
    return Joined(parts=tuple(piece for some in flat for piece in some))


def evaluate_grid(rule: Rule, params: Numbers) -> list[float]:
    """Return the values of a rule [SI unit], rounded to 12 significant digits.

    Parameters
    ----------
    params : mapping of str to float
        Value of every parameter that an expression may name.

    Raises
    ------
    NetlistError
        If an expression names something else, or is no arithmetic.
    """
    return [float(f"{value:.{_DIGITS}g}") for value in rule.values(params)]


def show_grid(grid: Grid) -> str:
    """Return the values of a sweep, or their rule, as a user reads them."""
    if isinstance(grid, Rule | Flavours):
        return str(grid)
    return ", ".join(map(_show, grid))


def _show(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"
