"""How a coefficient of a model depends on temperature and supply, and the coefficients that state it.

It is a polynomial in their differences from a reference, or, for a quantity that stays positive, a power of the
absolute temperature.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .arithmetic import evaluate_number
from .array_math import Array, exp, log
from .model import Coefficient

T_0 = 27.0
"""Temperature [degC] at which the terms in the temperature are 0."""
KELVIN = 273.15
"""Absolute temperature [K] of 0 degC."""
TEMP = "temp"
"""Name of the temperature [degC]."""


@dataclass(frozen=True, kw_only=True)
class Law:
    """How a coefficient depends on temperature and supply.

    Attributes
    ----------
    temp, supply : int
        Highest powers of the temperature and of the supply.
    cross : int
        Highest power of the temperature in the terms that are also proportional to the supply; 0 for no such term.
    relative : bool
        The coefficient is its value at the reference times ``exp(a_t1 L + a_t2 L^2 + ... + a_v1 dv + ...)`` with
        ``L = ln(T/T_0)``; otherwise terms are added to it, in the temperature above 27 degC, and in the supply above
        the reference, ``dv``.  A first power of L is a power law of the absolute temperature, as for mobility: Sze and
        Ng, Physics of Semiconductor Devices, 2007, section 1.5.
    proportional : bool
        The coefficient is proportional to the absolute temperature, like a thermal voltage.
    leak : bool
        A term for a leakage current that is thermally activated is added: ``(a + av dv) exp(e (1 - T_0/T))``, with
        ``e`` its activation energy over k T_0; Sze and Ng, section 2.3.
    """

    temp: int = 0
    supply: int = 0
    cross: int = 0
    relative: bool = False
    proportional: bool = False
    leak: bool = False

    @property
    def names(self) -> list[str]:
        """Suffix of every coefficient of the law."""
        return [*(suffix for suffix, _, _ in self.suffixes()), *(LEAK if self.leak else ())]

    def contains(self, other: "Law") -> bool:
        """Whether every term of an `other` law is a term of this one, of the same kind."""
        kind = (self.relative, self.proportional) == (other.relative, other.proportional)
        return kind and set(other.names) <= set(self.names)

    def simpler(self) -> Iterator["Law"]:
        """Every law with one term less: the highest power of temperature, supply or their product, or the leakage.

        A product of temperature and supply needs the terms of both.
        """
        if self.cross:
            yield replace(self, cross=self.cross - 1)
        if self.temp > self.cross:
            yield replace(self, temp=self.temp - 1)
        if self.supply > (1 if self.cross else 0):
            yield replace(self, supply=self.supply - 1)
        if self.leak:
            yield replace(self, leak=False)

    def suffixes(self) -> Iterator[tuple[str, int, int]]:
        """Suffix of each term, and its powers of temperature and supply."""
        yield from ((f"t{power}", power, 0) for power in range(1, self.temp + 1))
        yield from ((f"v{power}", 0, power) for power in range(1, self.supply + 1))
        yield from ((f"t{power}v", power, 1) for power in range(1, self.cross + 1))

    def apply(self, value: Any, found: Mapping[str, Any], temp: Array, dv: Array) -> Any:
        """Return the coefficient at other conditions, elementwise.

        Parameters
        ----------
        value : float or array
            Coefficient at the reference [its unit].
        found : mapping of str to float or array
            Suffix -> coefficient of that term [its unit].
        temp : float or array, any shape
            Temperature [degC].
        dv : float or array, any shape
            Supply above the reference [V].
        """
        ratio = (temp + KELVIN) / (T_0 + KELVIN)
        if self.proportional:
            value = value * ratio
        if not found:
            return value
        heat = log(ratio) if self.relative else temp - T_0
        added = sum(found[suffix] * heat**power * dv**other for suffix, power, other in self.suffixes())
        if self.leak:
            added = added + (found["a"] + found["av"] * dv) * exp(found["e"] * (1 - 1 / ratio))
        return value * exp(added) if self.relative else value + added


CONSTANT = Law()
_STEP = {"V": 1.0, "A": 1e-5}
"""Typical size of a supply [V] and of a bias [A]."""
LEAK = ("a", "av", "e")
"""Suffixes of the coefficients of a leakage term."""
_LITTLE = 1e-4
"""Where the search begins: amplitude of a leakage term in units of the coefficient."""


def by_law(groups: Mapping[Law, str]) -> dict[str, Law]:
    """Coefficient -> its law, from `groups`: law -> names of its coefficients, separated by spaces."""
    return {name: law for law, names in groups.items() for name in names.split()}


def law_terms(
    name: str, coefficient: Coefficient, law: Law, supply: str, per: str
) -> Iterator[tuple[str, Coefficient]]:
    """Coefficient of every term of a law.

    Parameters
    ----------
    name, coefficient
        Name of the coefficient at one condition, and its declaration.
    law : Law
        Its law.
    supply : str
        Name of the supply or of the bias.
    per : {"V", "A"}
        Unit of `supply`.

    Yields
    ------
    (str, Coefficient)
        Name and declaration of each.
    """
    unit = "1" if law.relative else coefficient.unit
    size = (
        1.0
        if law.relative
        else coefficient.scale or abs(evaluate_number(coefficient.start, {TEMP: T_0, supply: 1.0})) or 1.0
    )
    for suffix, power, other in law.suffixes():
        yield (
            f"{name}_{suffix}",
            Coefficient(
                unit=_divided(unit, 0 if law.relative else power, other, per),
                doc=f"{coefficient.doc}: term {_product(power, other, relative=law.relative)}",
                start=0.0,
                scale=(size if law.relative else size / 100**power) / _STEP[per] ** other,
            ),
        )
    if law.leak:
        doc = f"{coefficient.doc}: leakage"
        yield f"{name}_a", Coefficient(unit=unit, doc=f"{doc} at T_0", start=_LITTLE * size, scale=size)
        yield (
            f"{name}_av",
            Coefficient(unit=_divided(unit, 0, 1, per), doc=f"{doc} at T_0 by supply", start=0.0, scale=size),
        )
        yield (
            f"{name}_e",
            Coefficient(unit="1", doc=f"{doc}: activation energy over k T_0", start=13.0, low=3.0, high=40.0),
        )


def _divided(unit: str, kelvins: int, others: int, per: str) -> str:
    """Unit per power of kelvin and of `per`: ``A/V`` per volt is ``A/V^2``, and per kelvin ``A/(V K)``."""
    top, _, below = unit.partition("/")
    name, _, power = below.partition("^")
    powers = Counter({name: int(power or 1)} if name else {})
    powers.update({per: others, "K": kelvins})
    factors = [f"{one}^{n}" if n > 1 else one for one, n in powers.items() if n]
    return top if not factors else f"{top}/{factors[0]}" if len(factors) == 1 else f"{top}/({' '.join(factors)})"


def _product(power: int, other: int, *, relative: bool) -> str:
    """Powers of temperature and supply as a reader would write them."""
    factors = (("L" if relative else "dt", power), ("dv", other))
    return " ".join(f"{letter}^{n}" if n > 1 else letter for letter, n in factors if n)


def describe_laws(laws: Mapping[str, Law], supply: str) -> str:
    """Equation of `laws` in the temperature and the `supply`; coefficients with the same law share a clause."""
    words = f"dt = {TEMP} - {T_0:g} degC, dv = {supply} - {supply}_0, L = ln(T/T_0), T_0 = {T_0 + KELVIN:g} K"
    shared: dict[Law, list[str]] = {}
    for name, law in laws.items():
        shared.setdefault(law, []).append(name)
    return "; ".join([words, *(f"{', '.join(names)}: {_clause(law)}" for law, names in shared.items())])


def _clause(law: Law) -> str:
    products = [f"{suffix} {_product(power, other, relative=law.relative)}" for suffix, power, other in law.suffixes()]
    terms = " + ".join([*products, *(["(a + av dv) exp(e (1 - T_0/T))"] if law.leak else [])])
    scaled = ["times T/T_0"] if law.proportional else []
    return ", ".join([*scaled, *([f"times exp({terms})" if law.relative else f"plus {terms}"] if terms else [])])
