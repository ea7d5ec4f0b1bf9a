"""A model function -> a formula: the function is called once, with symbols instead of arrays.

So no target holds a second copy of a formula.  Sympy is imported when something is traced, not before.
"""

from collections.abc import Callable, Mapping
from typing import Any, Self

import sympy
from sympy.codegen.cfunctions import log1p

Expression = Any
"""A sympy expression."""


class Clip(sympy.Function):  # type: ignore[misc]
    """``clip(x, low, high)``: `x` limited to a range whose ends may be infinite."""

    nargs = 3


class Symbolic:
    """A number that is not known yet: takes the operators and functions that models are written with."""

    def __init__(self, expression: Expression) -> None:
        self.expression = expression

    def __array_namespace__(self, *, api_version: str | None = None) -> type["Functions"]:
        """Functions that models find by `formula.namespace`."""
        return Functions

    def __add__(self, other: Any) -> Self:
        return type(self)(self.expression + plain(other))

    def __radd__(self, other: Any) -> Self:
        return type(self)(plain(other) + self.expression)

    def __sub__(self, other: Any) -> Self:
        return type(self)(self.expression - plain(other))

    def __rsub__(self, other: Any) -> Self:
        return type(self)(plain(other) - self.expression)

    def __mul__(self, other: Any) -> Self:
        return type(self)(self.expression * plain(other))

    def __rmul__(self, other: Any) -> Self:
        return type(self)(plain(other) * self.expression)

    def __truediv__(self, other: Any) -> Self:
        return type(self)(self.expression / plain(other))

    def __rtruediv__(self, other: Any) -> Self:
        return type(self)(plain(other) / self.expression)

    def __pow__(self, other: Any) -> Self:
        return type(self)(self.expression ** plain(other))

    def __neg__(self) -> Self:
        return type(self)(-self.expression)


class Functions:
    """The functions of the array API that models use, on symbols."""

    @staticmethod
    def exp(x: Symbolic) -> Symbolic:
        """Exponential."""
        return Symbolic(sympy.exp(plain(x)))

    @staticmethod
    def log(x: Symbolic) -> Symbolic:
        """Natural logarithm."""
        return Symbolic(sympy.log(plain(x)))

    @staticmethod
    def log1p(x: Symbolic) -> Symbolic:
        """``log(1 + x)``, exact for a small `x`."""
        return Symbolic(log1p(plain(x)))

    @staticmethod
    def sqrt(x: Symbolic) -> Symbolic:
        """Square root."""
        return Symbolic(sympy.sqrt(plain(x)))

    @staticmethod
    def abs(x: Symbolic) -> Symbolic:
        """Absolute value."""
        return Symbolic(sympy.Abs(plain(x)))

    @staticmethod
    def clip(x: Symbolic, low: Any, high: Any) -> Symbolic:
        """`x` limited to ``[low, high]``."""
        return Symbolic(Clip(plain(x), plain(low), plain(high)))


def plain(value: Any) -> Expression:
    """Sympy's view of a symbol, or of a number, which whole floats enter as integers so that they print as such."""
    if isinstance(value, Symbolic):
        return value.expression
    number = float(value)
    return sympy.Integer(int(number)) if number.is_integer() else sympy.sympify(number)


def symbol(name: str) -> Symbolic:
    """A real number called `name`."""
    return Symbolic(sympy.Symbol(name, real=True))


def trace(function: Callable[..., Any], arguments: Mapping[str, Any], coefficients: tuple[str, ...]) -> Expression:
    """Formula of a model.

    Parameters
    ----------
    function : callable
        A model's function.
    arguments : mapping of str to number
        Input -> number; an input that is None stays a symbol of its name.
    coefficients : tuple of str
        Names of the keyword arguments; all stay symbols.

    Returns
    -------
    sympy expression
    """
    inputs = [symbol(name) if value is None else Symbolic(plain(value)) for name, value in arguments.items()]
    return plain(function(*inputs, **{name: symbol(name) for name in coefficients}))
