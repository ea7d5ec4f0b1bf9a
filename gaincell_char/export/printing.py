"""A traced formula as text: SPICE, Verilog-A, Python."""

from collections.abc import Callable
from typing import Any

import sympy
from sympy.printing.codeprinter import CodePrinter
from sympy.printing.precedence import PRECEDENCE

from .trace import Expression

_LARGEST_PRODUCT = 8
Named = Callable[[str], str]
"""Name of a symbol -> how the text refers to it."""


class _Printer(CodePrinter):  # type: ignore[misc]
    """What the three languages share: numbers in full, whole powers as products.

    Whole powers are products because ngspice's ``^`` takes the absolute value of its base.
    """

    language = "plain"
    reserved_words = frozenset[str]()
    log1p, power, least, most, absolute = "ln(1+{})", "pow({},{})", "min({},{})", "max({},{})", "abs({})"
    prefix = ""

    def __init__(self, named: Named) -> None:
        super().__init__({})
        self._named = named

    def _print_Symbol(self, symbol: Any) -> str:
        return self._named(symbol.name)

    def _print_Float(self, number: Any) -> str:
        return repr(float(number))

    def _print_Integer(self, number: Any) -> str:
        return str(number.p)

    def _print_Rational(self, number: Any) -> str:
        return f"({number.p}.0/{number.q}.0)" if number.q != 1 else str(number.p)

    def _print_Half(self, _: Any) -> str:
        return "0.5"

    def _print_Pow(self, power: Any) -> str:
        base, exponent = power.args
        if exponent.is_Integer and 0 < abs(int(exponent)) <= _LARGEST_PRODUCT:
            product = "*".join([self.parenthesize(base, PRECEDENCE["Pow"])] * abs(int(exponent)))
            return product if exponent > 0 else f"1/({product})"
        return self.power.format(self._print(base), self._print(exponent))

    def _print_Mul(self, product: Any) -> str:
        if product.as_coeff_Mul()[0].is_negative:
            return f"-{self.parenthesize(-product, PRECEDENCE['Mul'])}"
        above, below = sympy.fraction(product, exact=True)
        if below == 1:
            return "*".join(self.parenthesize(factor, PRECEDENCE["Mul"]) for factor in product.args)
        return f"{self.parenthesize(above, PRECEDENCE['Mul'])}/({self._print(below)})"

    def _print_Add(self, total: Any) -> str:
        terms = [(term.as_coeff_Mul()[0].is_negative, term) for term in total.args]
        ordered = sorted(terms, key=lambda term: bool(term[0]))
        signed = [("-" if negative else "+", -term if negative else term) for negative, term in ordered]
        return "".join(sign + self.parenthesize(term, PRECEDENCE["Mul"]) for sign, term in signed).removeprefix("+")

    def _print_exp(self, function: Any) -> str:
        return f"{self.prefix}exp({self._print(function.args[0])})"

    def _print_log(self, function: Any) -> str:
        return f"{'log' if self.prefix else 'ln'}({self._print(function.args[0])})"

    def _print_log1p(self, function: Any) -> str:
        return self.log1p.format(self._print(function.args[0]))

    def _print_Abs(self, function: Any) -> str:
        return self.absolute.format(self._print(function.args[0]))

    def _print_Clip(self, function: Any) -> str:
        x, low, high = function.args
        text = self._print(x)
        text = text if low == -sympy.oo else self.most.format(text, self._print(low))
        return text if high == sympy.oo else self.least.format(text, self._print(high))


class _Python(_Printer):
    log1p, power = "np.log1p({})", "np.power({},{})"
    least, most, absolute = "np.minimum({},{})", "np.maximum({},{})", "np.abs({})"
    prefix = "np."


def spice(formula: Expression, named: Named) -> str:
    """Text for a B source of ngspice: `named` gives ``v(st,vss)`` for a signal and ``{k_n}`` for a parameter."""
    return str(_Printer(named)._print(formula))


def verilog_a(formula: Expression, named: Named) -> str:
    """Text for an analog block."""
    return str(_Printer(named)._print(formula))


def python(formula: Expression, named: Named) -> str:
    """Text for Python with NumPy as ``np``."""
    return str(_Python(named)._print(formula))
