"""Models over process corner, supply voltage and temperature (PVT), made from a model at one condition.

Each coefficient of the model at one condition becomes a function of the temperature and of the supply, by its law.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ..errors import ParameterError
from .arithmetic import compute, references
from .law import CONSTANT, TEMP, Law, describe_laws, law_terms
from .model import Coefficient, Model

_UNIT, _SUFFIX = {"supply": "V", "bias": "A"}, {"supply": "pvt", "bias": "bias"}


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
    widest : mapping of str to Law
        The laws before terms were removed that no error needs.
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
    widest: Mapping[str, Law] = field(default_factory=dict)
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
    needed: Mapping[str, Mapping[str, Law]] | None = None,
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
    needed : mapping of str to (mapping of str to Law), optional
        Name of a model over conditions -> its laws without the terms that no error needs, as found by
        ``tools/needed_coefficients.py``; `laws` for a model or a coefficient that is not named.

    Raises
    ------
    ParameterError
        If there is no coefficient of that name, or it is computed from temperature and supply.
    """
    arguments: dict[str, Coefficient] = {}
    full_name = f"{nominal.name}_{_SUFFIX[kind]}"
    widest, laws = laws, {**laws, **(needed or {}).get(full_name, {})}
    own = [name for name, coefficient in nominal.coefficients.items() if not is_computed(coefficient, supply)]
    if unknown := sorted(laws.keys() - set(own)):
        raise ParameterError(f"model {nominal.name} has no coefficient {unknown[0]}; have {', '.join(own)}")
    for name, coefficient in nominal.coefficients.items():
        if not is_computed(coefficient, supply):
            arguments[name] = replace(coefficient, fixed=coefficient.fixed and name not in laws)
            arguments |= dict(law_terms(name, coefficient, laws.get(name, CONSTANT), supply, _UNIT[kind]))
    reference = Coefficient(unit=_UNIT[kind], doc=f"{kind} at the reference", start=supply, fixed=True)
    return PvtModel(
        name=full_name,
        form=nominal.form,
        bench=nominal.bench,
        function=nominal.function,
        output=nominal.output,
        equation=f"{nominal.equation}; {describe_laws(laws, supply)}",
        arguments={**arguments, f"{supply}_0": reference},
        held_at={name: value for name, value in nominal.held_at.items() if not _depends(value, supply)},
        linear=nominal.linear and not any(law.relative or law.leak for law in laws.values()),
        relative_from=nominal.relative_from,
        nominal=nominal,
        supply=supply,
        kind=kind,
        laws=laws,
        widest=widest,
        threshold=threshold,
        rails=rails or {},
        robust=robust,
    )
