"""What a behavioural model declares: one elementwise function, and its coefficients."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import ParameterError
from .arithmetic import evaluate_number
from .parameters import Numbers


@dataclass(frozen=True, kw_only=True)
class Coefficient:
    """One number of a model.

    Attributes
    ----------
    unit, doc : str
        SI unit and one-line meaning.
    start : float or str
        Where the optimiser begins: a number, or a SPICE expression of the bench's parameters, ``temp`` [degC], and the
        median of each input.
    low, high : float
        Bounds of the optimiser.
    scale : float
        Typical size, if that is not the size of the start.
    fixed : bool
        The coefficient is given by its start and not fitted.
    """

    unit: str
    doc: str
    start: float | str
    low: float = -np.inf
    high: float = np.inf
    scale: float = 0.0
    fixed: bool = False

    def start_value(self, params: Numbers) -> float:
        """Return the start [its unit] at given parameters."""
        return evaluate_number(self.start, params, f"start of {self.doc}")


@dataclass(frozen=True, kw_only=True)
class CoefficientArray:
    """Several coefficients that a model's function takes as one argument: a tuple, or a tuple of tuples.

    Attributes
    ----------
    parts : mapping of str to Coefficient
        Name of each coefficient in the record -> its declaration, in row-major order.
    shape : tuple of int
        Shape of the argument, one or two numbers.
    """

    parts: Mapping[str, Coefficient]
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.shape) not in (1, 2) or math.prod(self.shape) != len(self.parts):
            raise ParameterError(f"an array of shape {self.shape} takes {math.prod(self.shape)} coefficients")

    def pack(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the argument, from a value for each name."""
        flat = [values[name] for name in self.parts]
        if len(self.shape) == 1:
            return tuple(flat)
        width = self.shape[1]
        return tuple(tuple(flat[row * width : (row + 1) * width]) for row in range(self.shape[0]))


def group(suffix: str, **parts: Coefficient) -> CoefficientArray:
    """Declare coefficients that belong together: ``k`` and ``vt`` with the suffix ``_n`` are ``k_n`` and ``vt_n``."""
    return CoefficientArray(parts={f"{name}{suffix}": part for name, part in parts.items()}, shape=(len(parts),))


def terms(
    letter: str, unit: str, scale: float, powers: int | Sequence[tuple[int, ...]] = (), *, shape: tuple[int, ...] = ()
) -> CoefficientArray:
    """Declare the coefficients of a polynomial in one or several voltages, named by their powers: ``a0`` or ``a01``.

    Parameters
    ----------
    letter : str
        First letter of every name.
    unit : str
        Unit of the polynomial; that of a term is divided by volts, to the sum of its powers.
    scale : float
        Typical size of every coefficient, in SI units.
    powers : int or sequence of tuple of int
        Number of terms in one voltage, or the powers of every term; all powers below `shape` by default.
    shape : tuple of int, optional
        Shape of the argument; one row of all terms by default.
    """
    every = [(power,) for power in range(powers)] if isinstance(powers, int) else powers or list(np.ndindex(shape))
    parts = {}
    for term in every:
        digits = "".join(map(str, term))
        of = f"{unit}{_per_volt(sum(term))}"
        parts[f"{letter}{digits}"] = Coefficient(unit=of, doc=f"term {', '.join(digits)}", start=0.0, scale=scale)
    return CoefficientArray(parts=parts, shape=shape or (len(parts),))


def _per_volt(power: int) -> str:
    return "" if power == 0 else "/V" if power == 1 else f"/V^{power}"


@dataclass(frozen=True, kw_only=True)
class Model:
    """A behavioural model: one elementwise function and the meaning of its arguments.

    Attributes
    ----------
    function : callable
        ``function(*inputs, *, **arguments) -> output``, elementwise on NumPy arrays and torch tensors; its positional
        arguments are the inputs of the model.
    output : str
        Output of the bench that the function gives.
    form : {"published", "fitted"}
        The equation of a publication, or the one with the smallest error known to the author of the circuit.
    equation : str
        The formula as a reader would write it.
    arguments : mapping of str to Coefficient or CoefficientArray
        Keyword arguments of the function, in its order.
    held_at : mapping of str to float or str
        Value of those swept parameters that are not inputs: numbers, or SPICE expressions (``{"bias": "supply/2"}``).
    linear : bool
        The function is linear in every coefficient that is not fixed.
    relative_from : float
        Part of the full range from which a residual counts relative to the size of the output, in a fit of simulated
        data; 0 if all residuals count the same.
    mean : callable, optional
        The same function for a last input that changes so fast that only its distribution matters: it has another axis,
        the last one, and so has the keyword argument ``shares``, the parts of the time at each of its values.
    instead_of : str
        Name of the model that this one replaces in circuits with the values of ``where``; empty for none.
    where : mapping of str to str
        Word parameter of the circuit -> its value, as the flavour of a transistor with another current.
    """

    name: str
    form: str
    bench: str
    function: Callable[..., Any]
    output: str
    equation: str
    arguments: Mapping[str, Coefficient | CoefficientArray]
    held_at: Mapping[str, float | str] = field(default_factory=dict)
    linear: bool = False
    relative_from: float = 0.0
    mean: Callable[..., Any] | None = None
    instead_of: str = ""
    where: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Swept parameters that the model is a function of."""
        parameters = inspect.signature(self.function).parameters.values()
        return tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)

    @cached_property
    def coefficients(self) -> Mapping[str, Coefficient]:
        """Every coefficient by its name in the record."""
        found: dict[str, Coefficient] = {}
        for name, argument in self.arguments.items():
            found |= argument.parts if isinstance(argument, CoefficientArray) else {name: argument}
        return found

    def held_values(self, params: Numbers) -> dict[str, float]:
        """Value [SI unit] of every swept parameter that is not an input of the model."""
        return {name: evaluate_number(value, params, f"model {self.name}") for name, value in self.held_at.items()}

    def __call__(self, *inputs: Any, **coefficients: Any) -> Any:
        """Evaluate elementwise on NumPy arrays, torch tensors or symbols, with one keyword per coefficient."""
        return self.function(*inputs, **self._packed(coefficients))

    def evaluate_mean(self, *inputs: Any, shares: Any, **coefficients: Any) -> Any:
        """Evaluate ``mean`` on NumPy arrays or torch tensors, with one keyword per coefficient.

        Parameters
        ----------
        *inputs : array
            Inputs of the model [SI units]; the last one has the shape of `shares`.
        shares : array, shape (..., n_values)
            Part of the time at each value of the last input, dimensionless.
        **coefficients : float or array
            The coefficients [SI units].

        Raises
        ------
        ParameterError
            If the model declares no ``mean``.
        """
        if self.mean is None:
            raise ParameterError(f"model {self.name} is not declared for a {self.inputs[-1]} that changes over time")
        return self.mean(*inputs, shares=shares, **self._packed(coefficients))

    def _packed(self, coefficients: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: argument.pack(coefficients) if isinstance(argument, CoefficientArray) else coefficients[name]
            for name, argument in self.arguments.items()
        }


@dataclass(frozen=True, kw_only=True)
class Change:
    """How one random number changes a coefficient of the typical circuit.

    Attributes
    ----------
    of : str
        Coefficient of the nominal model.
    relative : bool
        The coefficient is multiplied by one plus the number; else the number is added to it.
    logarithmic : bool
        The coefficient is multiplied by the exponential of the number.
    scale : float
        Size of a small change, in `unit`.
    """

    of: str
    unit: str
    doc: str
    scale: float
    relative: bool = False
    logarithmic: bool = False

    def apply(self, value: Any, number: Any) -> Any:
        """Return the changed coefficient."""
        if self.logarithmic:
            return value * math.e**number
        return value * (1 + number) if self.relative else value + number

    def formula(self, name: str) -> str:
        """Changed coefficient as a reader would write it, for a random number called `name`."""
        if self.logarithmic:
            return f"{self.of} exp({name})"
        return f"{self.of} (1 + {name})" if self.relative else f"{self.of} + {name}"


def everywhere(first: Any, *_: Any, **__: Any) -> Any:
    """Mask, of the shape of the first input, that excludes no point.

    Parameters
    ----------
    first : array
        First input [its SI unit]; other arguments of an ``estimation_mask`` are ignored.
    """
    return np.ones(np.shape(first), dtype=bool)


@dataclass(frozen=True, kw_only=True)
class RandomModel:
    """How one copy of a circuit differs from the typical one: random changes of a few coefficients of its model.

    Attributes
    ----------
    nominal : Model
        Model of the typical circuit.
    random : mapping of str to Change
        Normal random numbers of mean 0, and what each changes.
    estimation_mask : callable
        Inputs, and as the keyword ``nominal`` the coefficients of the typical circuit -> mask of the grid points used
        to estimate the random numbers; excludes points where the output is not differentiable.
    """

    name: str
    nominal: Model
    random: Mapping[str, Change]
    estimation_mask: Callable[..., Any] = everywhere

    @property
    def inputs(self) -> tuple[str, ...]:
        """Inputs of the nominal model."""
        return self.nominal.inputs

    @property
    def output(self) -> str:
        """Output of the nominal model."""
        return self.nominal.output

    @property
    def equation(self) -> str:
        """The formula as a reader would write it."""
        changes = (change.formula(name) for name, change in self.random.items())
        return f"{self.nominal.name} with {', '.join(changes)}"

    def __call__(self, *inputs: Any, **values: Any) -> Any:
        """Evaluate elementwise, with one keyword per random number and per coefficient of the nominal model."""
        coefficients = {name: values[name] for name in self.nominal.coefficients}
        for name, change in self.random.items():
            coefficients[change.of] = change.apply(coefficients[change.of], values[name])
        return self.nominal(*inputs, **coefficients)
