"""Models over process corner, supply voltage and temperature (PVT), made from a model at one condition.

Each coefficient of the model at one condition becomes a function of the temperature and of the supply: a polynomial in
their differences from a reference, or, for a quantity that stays positive, a power of the absolute temperature.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ..errors import ParameterError
from .arithmetic import compute, evaluate_number, references
from .array_math import Array, exp, log
from .model import Coefficient, Model

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
_UNIT, _SUFFIX = {"supply": "V", "bias": "A"}, {"supply": "pvt", "bias": "bias"}
_STEP = {"V": 1.0, "A": 1e-5}
"""Typical size of a supply [V] and of a bias [A]."""
LEAK = ("a", "av", "e")
"""Suffixes of the coefficients of a leakage term."""
_LITTLE = 1e-4
"""Where the search begins: amplitude of a leakage term in units of the coefficient."""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A coefficient that is measured by bisection at every condition, not fitted with the others.

    Attributes
    ----------
    coefficient : str
        The coefficient: the value of an input at which an output becomes positive.
    input, output : str
        That input, and that output of the bench.
    margin : float
        Distance from the threshold [unit of the input] within which points are left out of the fit.
    """

    coefficient: str
    input: str
    output: str
    margin: float


@dataclass(frozen=True, kw_only=True)
class PvtModel(Model):
    """A model whose inputs include temperature and supply.

    Attributes
    ----------
    nominal : Model
        The model at one condition.  A coefficient that it takes from an expression of the temperature or the supply
        (the thermal voltage, half the supply) is computed from the inputs.
    supply : str
        Name of the supply among the parameters of the circuit, or of the current of its bias.
    kind : {"supply", "bias"}
        What `supply` is.
    laws : mapping of str to Law
        Coefficient -> its dependence; a coefficient that is not named is constant.
    threshold : Threshold, optional
        A coefficient that is measured at every condition of a study; its law is fitted to the measured values.
    rails : mapping of str to (str, str)
        Voltage among the inputs -> its limits as SPICE expressions of the supply; the model is valid between them.
    robust : float
        Residual, as a fraction of the full range, above which the weight of a residual decreases; 0 for plain least
        squares.
    """

    nominal: Model
    supply: str
    kind: str = "supply"
    laws: Mapping[str, Law] = field(default_factory=dict)
    threshold: Threshold | None = None
    rails: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    robust: float = 0.0

    @property
    def conditions(self) -> tuple[str, str]:
        """Names of the temperature [degC] and of the supply [V]: the last two inputs."""
        return TEMP, self.supply

    @property
    def reference(self) -> str:
        """Name of the coefficient with the supply [V] at which the terms in the supply are 0."""
        return f"{self.supply}_0"

    def limits(self, name: str, supply: Any) -> tuple[Any, Any]:
        """Limits of the input `name` [its SI unit] at a `supply` [V]; infinite if it is not between rails."""
        low, high = self.rails.get(name, ("", ""))
        return (
            compute(low, {self.supply: supply}) if low else -math.inf,
            compute(high, {self.supply: supply}) if high else math.inf,
        )

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Inputs of the nominal model, the temperature, and the supply."""
        return (*self.nominal.inputs, *self.conditions)

    @cached_property
    def coefficients(self) -> Mapping[str, Coefficient]:
        """Every coefficient by its name in the record."""
        return {name: part for name, part in self.arguments.items() if isinstance(part, Coefficient)}

    def at(self, temp: Any, supply: Any, **coefficients: Any) -> dict[str, Any]:
        """Coefficients of the nominal model.

        Parameters
        ----------
        temp : float or array
            Temperature [degC].
        supply : float or array
            Supply [V].
        **coefficients : float or array
            Coefficients of this model [SI units].

        Returns
        -------
        dict of str to float or array
            Every coefficient of the nominal model [SI units].
        """
        where = dict(zip(self.conditions, (temp, supply), strict=True))
        found: dict[str, Any] = {}
        for name, coefficient in self.nominal.coefficients.items():
            if is_computed(coefficient, self.supply):
                found[name] = compute(str(coefficient.start), where)
            else:
                law = self.laws.get(name, CONSTANT)
                terms = {suffix: coefficients[f"{name}_{suffix}"] for suffix in law.names}
                found[name] = law.apply(coefficients[name], terms, temp, supply - coefficients[self.reference])
        return found

    def __call__(self, *inputs: Any, **coefficients: Any) -> Any:
        """Evaluate elementwise; the last two inputs are temperature [degC] and supply [V]."""
        *own, temp, supply = inputs
        return self.nominal(*own, **self.at(temp, supply, **coefficients))


def is_computed(coefficient: Coefficient, supply: str) -> bool:
    """Whether a coefficient is not fitted and is an expression of the temperature or of the `supply`."""
    return coefficient.fixed and _depends(coefficient.start, supply)


def _depends(value: float | str, supply: str) -> bool:
    """Whether a number or an expression depends on temperature or supply."""
    return isinstance(value, str) and not references(f"{{{value}}}").isdisjoint((TEMP, supply))


def over_conditions(
    nominal: Model,
    laws: Mapping[str, Law],
    *,
    supply: str,
    threshold: Threshold | None = None,
    rails: Mapping[str, tuple[str, str]] | None = None,
    robust: float = 0.0,
    kind: str = "supply",
) -> PvtModel:
    """Declare the model of a `nominal` model over temperature and supply, called ``<nominal>_pvt``.

    Of `kind` "bias" it is one over temperature and the current of a bias, called ``<nominal>_bias``.

    Parameters
    ----------
    nominal : Model
        The model at one condition.
    laws : mapping of str to Law
        Dependence of each coefficient; one that is not named is constant, and one that the nominal model does not fit
        is fitted.
    supply, threshold, rails, robust, kind
        As of `PvtModel`.

    Raises
    ------
    ParameterError
        If there is no coefficient of that name, or it is computed from temperature and supply.
    """
    arguments: dict[str, Coefficient] = {}
    own = [name for name, coefficient in nominal.coefficients.items() if not is_computed(coefficient, supply)]
    if unknown := sorted(laws.keys() - set(own)):
        raise ParameterError(f"model {nominal.name} has no coefficient {unknown[0]}; have {', '.join(own)}")
    for name, coefficient in nominal.coefficients.items():
        if not is_computed(coefficient, supply):
            arguments[name] = replace(coefficient, fixed=coefficient.fixed and name not in laws)
            arguments |= dict(_terms(name, coefficient, laws.get(name, CONSTANT), supply, _UNIT[kind]))
    reference = Coefficient(unit=_UNIT[kind], doc=f"{kind} at the reference", start=supply, fixed=True)
    return PvtModel(
        name=f"{nominal.name}_{_SUFFIX[kind]}",
        form=nominal.form,
        bench=nominal.bench,
        function=nominal.function,
        output=nominal.output,
        equation=f"{nominal.equation}; {_describe(laws, supply)}",
        arguments={**arguments, f"{supply}_0": reference},
        held_at={name: value for name, value in nominal.held_at.items() if not _depends(value, supply)},
        linear=nominal.linear and not any(law.relative or law.leak for law in laws.values()),
        relative_from=nominal.relative_from,
        nominal=nominal,
        supply=supply,
        kind=kind,
        laws=laws,
        threshold=threshold,
        rails=rails or {},
        robust=robust,
    )


def _terms(name: str, coefficient: Coefficient, law: Law, supply: str, per: str) -> Iterator[tuple[str, Coefficient]]:
    """Coefficient of every term of a law."""
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


def _describe(laws: Mapping[str, Law], supply: str) -> str:
    """The laws as a reader would write them; coefficients with the same law share a clause."""
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
