"""A model function -> a formula: the function is called once, with symbols instead of arrays.

So no format contains a second copy of a formula.  Sympy is imported only when a model is traced.
"""

from typing import Any, Self, SupportsFloat, TypeAlias

import sympy
from sympy.codegen.cfunctions import log1p

from ..declare.model import Model

Expression: TypeAlias = Any
"""A sympy expression; sympy declares no types."""


class Clip(sympy.Function):  # type: ignore[misc]
    """``clip(x, low, high)``: `x` limited to a range with possibly infinite limits."""

    nargs = 3


class Symbolic:
    """A symbolic number with the operators and functions used in models."""

    def __init__(self, expression: Expression) -> None:
        self.expression = expression

    def __array_namespace__(self, *, api_version: str | None = None) -> type["Functions"]:
        """Functions of the array API for symbols."""
        return Functions

    def __add__(self, other: "Operand") -> Self:
        return type(self)(self.expression + to_expression(other))

    def __radd__(self, other: "Operand") -> Self:
        return type(self)(to_expression(other) + self.expression)

    def __sub__(self, other: "Operand") -> Self:
        return type(self)(self.expression - to_expression(other))

    def __rsub__(self, other: "Operand") -> Self:
        return type(self)(to_expression(other) - self.expression)

    def __mul__(self, other: "Operand") -> Self:
        return type(self)(self.expression * to_expression(other))

    def __rmul__(self, other: "Operand") -> Self:
        return type(self)(to_expression(other) * self.expression)

    def __truediv__(self, other: "Operand") -> Self:
        return type(self)(self.expression / to_expression(other))

    def __rtruediv__(self, other: "Operand") -> Self:
        return type(self)(to_expression(other) / self.expression)

    def __pow__(self, other: "Operand") -> Self:
        return type(self)(self.expression ** to_expression(other))

    def __neg__(self) -> Self:
        return type(self)(-self.expression)


Operand: TypeAlias = Symbolic | SupportsFloat


class Functions:
    """The functions of the array API used in models, for symbols."""

    @staticmethod
    def exp(x: Symbolic) -> Symbolic:
        """Exponential."""
        return Symbolic(sympy.exp(to_expression(x)))

    @staticmethod
    def log(x: Symbolic) -> Symbolic:
        """Natural logarithm."""
        return Symbolic(sympy.log(to_expression(x)))

    @staticmethod
    def log1p(x: Symbolic) -> Symbolic:
        """``log(1 + x)``, accurate for small `x`."""
        return Symbolic(log1p(to_expression(x)))

    @staticmethod
    def sqrt(x: Symbolic) -> Symbolic:
        """Square root."""
        return Symbolic(sympy.sqrt(to_expression(x)))

    @staticmethod
    def abs(x: Symbolic) -> Symbolic:
        """Absolute value."""
        return Symbolic(sympy.Abs(to_expression(x)))

    @staticmethod
    def clip(x: Symbolic, low: Operand, high: Operand) -> Symbolic:
        """`x` limited to the range from `low` to `high`."""
        return Symbolic(Clip(to_expression(x), to_expression(low), to_expression(high)))


def to_expression(value: Operand) -> Expression:
    """Return the sympy expression of a symbol or a number; whole floats become integers and are printed as integers."""
    if isinstance(value, Symbolic):
        return value.expression
    number = float(value)
    return sympy.Integer(int(number)) if number.is_integer() else sympy.sympify(number)


def make_symbol(name: str) -> Symbolic:
    """Return a real number called `name`."""
    return Symbolic(sympy.Symbol(name, real=True))


def trace_model(model: Model) -> Expression:
    """Return the formula of a model, in symbols with the names of its inputs and coefficients."""
    inputs = [make_symbol(name) for name in model.inputs]
    coefficients = {name: make_symbol(name) for name in model.coefficients}
    return to_expression(model(*inputs, **coefficients))
