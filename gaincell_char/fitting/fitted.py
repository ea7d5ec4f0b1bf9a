"""Fits of a record as functions, and checks of a record against the declaration of its circuit."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import scipy

from ..declare.bench import Floats
from ..declare.circuit import Circuit
from ..declare.model import Model, RandomModel
from ..declare.parameters import Choice, Number
from ..errors import DataError, ParameterError
from .fit import Fit
from .log_normal import changes_covariance
from .record import Record
from .variation import RandomFit, basis

T = TypeVar("T")
# In other units a coefficient may be a million times larger, and its square must still be finite.
_LARGEST = 1e100
_KINDS: Mapping[type, str] = {Choice: "a word", Number: "a number"}


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """A behavioural model at its fitted coefficients: call it with its inputs, in SI units.

    ``fit`` contains its valid range and its errors.  Inputs outside the valid range are neither clamped nor refused.
    """

    fit: Fit
    function: Model

    def __call__(self, *inputs: Any) -> Any:
        """Evaluate elementwise on NumPy arrays or torch tensors, in SI units."""
        return self.function(*inputs, **self.fit.values())

    def mean(self, *inputs: Any, shares: Any, **changed: Any) -> Any:
        """Evaluate for a last input that changes fast, as `Model.evaluate_mean`.

        Parameters
        ----------
        *inputs : ndarray or Tensor
            Inputs of the model [SI units]; the last one has the shape of `shares`.
        shares : ndarray or Tensor, shape (..., n_values)
            Part of the time at each value of the last input, dimensionless.
        **changed : float or array
            Coefficients other than those of the fit, in their units.

        Raises
        ------
        ParameterError
            If the model is not declared for a last input that changes.
        """
        return self.function.evaluate_mean(*inputs, shares=shares, **{**self.fit.values(), **changed})


@dataclass(frozen=True, kw_only=True)
class RandomCircuits:
    """A model with random coefficients: draw the coefficients of dies and circuits, then call it with them.

    ``fit`` contains the covariance of the coefficients and the share of the variance that they explain; ``nominal``
    is the fit of the typical circuit.
    """

    fit: RandomFit
    nominal: Fit
    model: RandomModel

    def sigma(self, *inputs: Floats) -> Floats:
        """Sigma of the output over dies and circuits together.

        Parameters
        ----------
        *inputs : ndarray, shape (n,)
            Inputs of the model, in its order [SI units].

        Returns
        -------
        ndarray, shape (n,)
            Standard deviation in SI units of the output: the square root of B C B^T on its diagonal, with the
            derivatives B of `basis` and the covariance C of the changes, `changes_covariance`.
        """
        columns = basis(self.model, self.nominal.values(), inputs)
        numbers = np.sum([np.array(matrix) for matrix in self.fit.covariance.values()], axis=0)
        total = changes_covariance(self.model, numbers)
        return np.asarray(np.sqrt(np.einsum("ij,jk,ik->i", columns, total, columns)), dtype=float)

    def draw(
        self, dies: int, circuits: int, seed: int, parts: Sequence[str] = ("process", "mismatch")
    ) -> dict[str, Floats]:
        """Draw the random coefficients of circuits on several dies.

        Parameters
        ----------
        dies : int
            Number of dies.
        circuits : int
            Number of circuits on each die.
        seed : int
            Seed of the random numbers.
        parts : sequence of str
            What varies: ``"process"``, ``"mismatch"`` or both.

        Returns
        -------
        dict of str to ndarray, shape (dies, circuits)
            Coefficient -> values [unit of the coefficient]; the circuits of a die share its process part.
        """
        rng = np.random.default_rng(seed)
        names = [c.name for c in self.fit.coefficients]
        total = np.zeros((dies, circuits, len(names)))
        for part, size in (("process", (dies, 1)), ("mismatch", (dies, circuits))):
            if part in parts and part in self.fit.covariance:
                normal = scipy.stats.multivariate_normal(cov=self.fit.covariance[part], allow_singular=True)
                total = total + np.reshape(normal.rvs(size, random_state=rng), (*size, len(names)))
        return {name: total[..., i] for i, name in enumerate(names)}

    def __call__(self, *inputs: Any, **coefficients: Any) -> Any:
        """Evaluate elementwise on NumPy arrays or torch tensors in SI units; the shapes must broadcast."""
        return self.model(*inputs, **coefficients, **self.nominal.values())


def check_record(record: Record, circuit: Circuit) -> Record:
    """Return a record that agrees with the declaration of its circuit.

    Raises
    ------
    DataError
        If the circuit does not declare the bench or a model of the record, or declares a model with other coefficients,
        inputs or output, or a parameter is a word but must be a number.
    """
    where = f"record {record.circuit}.{record.study}"
    bench = _declared(where, lambda: circuit.bench(record.bench))
    units = {output.name: output.unit for output in bench.outputs}
    for fit in record.fits:
        check_model(fit, circuit, where)
        if units.get(fit.output, fit.unit) != fit.unit:
            raise DataError(f"{where}: {fit.output} is in {fit.unit}; bench {bench.name} gives {units[fit.output]}")
    params = circuit.params | bench.params
    for name, value in record.parameters.items():
        if name in params and isinstance(value, str) != isinstance(params[name], Choice):
            raise DataError(f"{where}: parameter {name} is {value!r}; it must be {_KINDS[type(params[name])]}")
    return record


def check_model(fit: Fit, circuit: Circuit, where: str) -> None:
    """Check that a circuit declares the model of a fit, and that the fit is usable.

    Parameters
    ----------
    fit : Fit
        The fit to check.
    circuit : Circuit
        The circuit of its record.
    where : str
        Name of the record, for the error message.

    Raises
    ------
    DataError
        If the circuit does not declare the model with these coefficients, units, inputs and output, a coefficient is
        too large, or the model is not finite in its valid range.
    """
    model = _declared(where, lambda: circuit.model(fit.model))
    for what, here, there in (
        ("coefficients", sorted(fit.coefficients), sorted(model.coefficients)),
        ("inputs", fit.inputs, model.inputs),
        ("output", [fit.output], [model.output]),
    ):
        if list(here) != list(there):
            raise DataError(f"{where}: {what} of {model.name} are {_list(here)}; the model has {_list(there)}")
    if large := [name for name, value in fit.values().items() if abs(value) > _LARGEST]:
        value = fit.values()[large[0]]
        raise DataError(f"{where}: {large[0]} of {model.name} is {value:g}; the largest number is {_LARGEST:g}")
    for name, coefficient in model.coefficients.items():
        if fit.coefficients[name].unit != coefficient.unit:
            said = fit.coefficients[name].unit
            raise DataError(f"{where}: {name} of {model.name} is in {said}; the model takes {coefficient.unit}")
    _check_finite(fit, model, where)


def _check_finite(fit: Fit, model: Model, where: str) -> None:
    """Raise `DataError` unless the model is finite at the ends and in the middle of its valid range."""
    try:
        with np.errstate(all="ignore"):
            inputs = [np.linspace(*fit.valid_range[name], 3) for name in fit.inputs]
            found = np.asarray(model(*inputs, **fit.values()), dtype=float)
    except ArithmeticError as error:
        raise DataError(f"{where}: {model.name} gives no numbers in its valid range: {error}") from None
    if not np.isfinite(found).all():
        raise DataError(f"{where}: {model.name} gives no finite numbers in its valid range")


def parameter(record: Record, name: str) -> float:
    """Return a number among the parameters of a record [SI unit].

    Raises
    ------
    DataError
        If the record does not contain the parameter, or contains a word.
    """
    value = record.parameters.get(name)
    if value is None or isinstance(value, str):
        raise DataError(f"record {record.circuit}.{record.study} does not state {name} as a number, which is needed")
    return float(value)


def _of_nominal(model: RandomModel, circuit: Circuit, nominal: str, where: str) -> RandomModel:
    """The random model, or the same changes of a former model if the record is of that one."""
    if nominal == model.nominal.name:
        return model
    for former in circuit.former:
        if former.name == nominal and all(change.of in former.coefficients for change in model.random.values()):
            return replace(model, nominal=former)
    raise DataError(f"{where}: random model {model.name} changes model {nominal}; it must change {model.nominal.name}")


def random_model(record: Record, circuit: Circuit, fit: RandomFit) -> RandomModel:
    """Return the declaration of a record's random model.

    Parameters
    ----------
    record : Record
        Record of a Monte Carlo campaign.
    circuit : Circuit
        The circuit of the record.
    fit : RandomFit
        One of the random fits of the record.

    Raises
    ------
    DataError
        If the circuit declares no random model of that name, or one with other coefficients or inputs.
    """
    where = f"record {record.circuit}.{record.study}"
    declared = circuit.spread(record.bench)
    for model in declared.models if declared else ():
        if model.name == fit.model:
            found = [c.name for c in fit.coefficients]
            if found == list(model.random) and fit.inputs == model.inputs:
                return _of_nominal(model, circuit, fit.nominal, where)
            raise DataError(
                f"{where}: random model {model.name} has the coefficients {_list(found)} and the inputs "
                f"{_list(fit.inputs)}; the circuit declares {_list(model.random)} and {_list(model.inputs)}"
            )
    raise DataError(f"{where}: the circuit declares no random model {fit.model} for bench {record.bench}")


def _declared(where: str, find: Callable[[], T]) -> T:
    try:
        return find()
    except ParameterError as error:
        raise DataError(f"{where}: {error}") from None


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
