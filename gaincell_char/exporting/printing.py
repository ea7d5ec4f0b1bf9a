"""A traced formula as text in SPICE, Verilog-A or Python."""

from collections.abc import Callable

import sympy
from sympy.printing.codeprinter import CodePrinter
from sympy.printing.precedence import PRECEDENCE

from .trace import Expression

_LARGEST_PRODUCT = 8
Refer = Callable[[str], str]
"""Name of a symbol -> its reference in the text."""


def _is_negative(term: Expression) -> bool:
    """Tell whether a term is written with a minus."""
    return bool(term.as_coeff_Mul()[0].is_negative)


class _Printer(CodePrinter):  # type: ignore[misc]
    """Common notation of the three languages: numbers with all digits, integer powers as products.

    Integer powers are written as products because ``^`` in ngspice takes the absolute value of its base.
    """

    language = "plain"
    reserved_words = frozenset[str]()
    log1p, power, least, most, absolute = "ln(1+{})", "pow({},{})", "min({},{})", "max({},{})", "abs({})"
    logarithm, prefix = "ln", ""

    def __init__(self, refer: Refer) -> None:
        super().__init__({})
        self._refer = refer

    def _print_Symbol(self, symbol: Expression) -> str:
        return self._refer(symbol.name)

    def _print_Float(self, number: Expression) -> str:
        return repr(float(number))

    def _print_Integer(self, number: Expression) -> str:
        return str(number.p)

    def _print_Rational(self, number: Expression) -> str:
        return f"({number.p}.0/{number.q}.0)" if number.q != 1 else str(number.p)

    def _print_Half(self, _: Expression) -> str:
        return "0.5"

    def _print_Pow(self, power: Expression) -> str:
        base, exponent = power.args
        if exponent.is_Integer and 0 < abs(int(exponent)) <= _LARGEST_PRODUCT:
            product = "*".join([self.parenthesize(base, PRECEDENCE["Pow"])] * abs(int(exponent)))
            return product if exponent > 0 else f"1/({product})"
        return self.power.format(self._print(base), self._print(exponent))

    def _print_Mul(self, product: Expression) -> str:
        if _is_negative(product):
            return f"-{self.parenthesize(-product, PRECEDENCE['Mul'])}"
        above, below = sympy.fraction(product, exact=True)
        if below == 1:
            return "*".join(self.parenthesize(factor, PRECEDENCE["Mul"]) for factor in product.args)
        return f"{self.parenthesize(above, PRECEDENCE['Mul'])}/({self._print(below)})"

    def _print_Add(self, total: Expression) -> str:
        text = ""
        for term in sorted(total.args, key=_is_negative):
            sign, size = ("-", -term) if _is_negative(term) else ("+", term)
            text += sign + self.parenthesize(size, PRECEDENCE["Mul"])
        return text.removeprefix("+")

    def _print_exp(self, function: Expression) -> str:
        return f"{self.prefix}exp({self._print(function.args[0])})"

    def _print_log(self, function: Expression) -> str:
        return f"{self.prefix}{self.logarithm}({self._print(function.args[0])})"

    def _print_log1p(self, function: Expression) -> str:
        return self.log1p.format(self._print(function.args[0]))

    def _print_Abs(self, function: Expression) -> str:
        return self.absolute.format(self._print(function.args[0]))

    def _print_Clip(self, function: Expression) -> str:
        x, low, high = function.args
        text: str = self._print(x)
        if low != -sympy.oo:
            text = self.most.format(text, self._print(low))
        if high != sympy.oo:
            text = self.least.format(text, self._print(high))
        return text


class _Python(_Printer):
    log1p, power = "np.log1p({})", "np.power({},{})"
    least, most, absolute = "np.minimum({},{})", "np.maximum({},{})", "np.abs({})"
    logarithm, prefix = "log", "np."


def format_spice(formula: Expression, refer: Refer) -> str:
    """Return text for a B source of ngspice.

    Parameters
    ----------
    formula : sympy expression
        The formula.
    refer : callable
        Returns ``v(st,vss)`` for a signal and ``{k_n}`` for a parameter.
    """
    return str(_Printer(refer)._print(formula))


def format_verilog_a(formula: Expression, refer: Refer) -> str:
    """Return text for an analog block of Verilog-A.

    Parameters
    ----------
    formula : sympy expression
        The formula.
    refer : callable
        Returns ``V(st, vss)`` for a signal and ``p_k_n`` for a parameter.
    """
    return str(_Printer(refer)._print(formula))


def format_python(formula: Expression, refer: Refer) -> str:
    """Return text for Python with NumPy as ``np``.

    Parameters
    ----------
    formula : sympy expression
        The formula.
    refer : callable
        Returns a Python expression for each symbol.
    """
    return str(_Python(refer)._print(formula))
