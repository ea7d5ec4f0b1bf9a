"""A record at another corner, temperature or supply, computed from the fits of its models over conditions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..declare.circuit import Circuit
from ..declare.law import CONSTANT, T_0
from ..declare.parameters import Number
from ..declare.pvt import PvtModel
from ..errors import DataError, ParameterError
from .fit import Estimate, Fit
from .record import Record


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Corner, temperature [degC], supply [V] and current of the bias [A]; those of the records if None."""

    corner: str = "tt"
    temp: float = T_0
    supply: float | None = None
    bias: float | None = None

    def __str__(self) -> str:
        """The condition as a reader would write it."""
        supply = "" if self.supply is None else f", supply {self.supply:g} V"
        bias = "" if self.bias is None else f", bias {1e6 * self.bias:g} uA"
        return f"corner {self.corner}, {self.temp:g} degC{supply}{bias}"


NOMINAL = Condition()
"""The condition of the studies at one condition."""


@dataclass(frozen=True, kw_only=True)
class RecordsAt:
    """A set of records at another corner, temperature, supply or bias; from `records_at`.

    ``base`` is a packaged set by name, or a folder of records by path.
    """

    base: str | Path
    condition: Condition

    def __str__(self) -> str:
        """The set and the condition."""
        return f"{self.base} at {self.condition}"


def record_at(record: Record, circuit: Circuit, find: Callable[[str], Record], condition: Condition) -> Record:
    """Compute a record at a condition.

    Models that have none over conditions keep their fits of that corner, temperature and supply, if there are any.

    Parameters
    ----------
    record : Record
        The record at the conditions of its own study.
    circuit : Circuit
        Its circuit.
    find : callable
        Returns the record called ``<circuit>.<study>`` of the same set.
    condition : Condition
        The condition.

    Returns
    -------
    Record
        The record, with coefficients computed from the temperature and the supply.

    Raises
    ------
    DataError
        If the set lacks the record of a model over conditions, that record lacks the corner, or nothing in the record
        is known at the condition.
    ParameterError
        If the condition is outside the range that the models over conditions were fitted over.
    """
    if record.spread is not None:
        raise DataError(f"{_name(record)}: the spread of copies is not known at {condition}{_known_at(record)}")
    fits: list[Fit] = []
    changed = _moved(record, circuit, condition)
    # Without a model over conditions it is not known which parameter the supply is.
    unknown = condition.supply is not None and not changed
    moved = unknown or any(record.parameters[name] != value for name, value in changed.items())
    same = replace(condition, supply=None, bias=None)
    for name in dict.fromkeys(fit.model for fit in record.fits):
        model = circuit.pvt_model(circuit.model(name))
        study = circuit.study_of(model) if model else None
        if model is None or study is None:
            own = [fit for fit in record.fits if fit.model == name and _condition_of(fit) == same]
            fits += [] if moved else own
        else:
            there = find(f"{circuit.name}.{study.key}").fit(model.name, corner=condition.corner)
            fits.append(fit_at(there, model, condition))
    if condition.bias is not None:
        fits = [one for fit in fits for one in _at_bias(fit, circuit, find, condition)]
    if record.fits and not fits:
        raise DataError(f"{_name(record)}: no model is known at {condition}{_known_at(record)}")
    return record.model_copy(update={"fits": fits, "parameters": record.parameters | changed})


def fit_at(fit: Fit, model: PvtModel, condition: Condition) -> Fit:
    """Compute the fit of a nominal model at a condition from the `fit` of a `model` over conditions.

    Its errors are those over all conditions; `condition` has the temperature and the supply.

    Raises
    ------
    ParameterError
        If the condition is outside the range of the fit.
    """
    values = fit.values()
    supply = values[model.reference] if condition.supply is None else condition.supply
    _check_inside(fit, model, (condition.temp, supply))
    declared = model.nominal.coefficients
    coefficients = {
        name: Estimate(value=float(value), stderr=None, unit=declared[name].unit, doc=declared[name].doc)
        for name, value in model.at(condition.temp, supply, **values).items()
    }
    changed = {
        "model": model.nominal.name,
        "equation": model.nominal.equation,
        "inputs": model.nominal.inputs,
        "conditions": {**fit.conditions, **dict(zip(model.conditions, (condition.temp, supply), strict=True))},
        "coefficients": coefficients,
        "covariance": [],
        "valid_range": {name: _range_at(fit, model, name, supply) for name in model.nominal.inputs},
    }
    return fit.model_copy(update={**changed, "end_blocks": None, "row_error": None, "largest": None})


def _at_bias(fit: Fit, circuit: Circuit, find: Callable[[str], Record], condition: Condition) -> Iterator[Fit]:
    """The `fit` at the bias of a `condition`; none if it depends on a bias in an unknown way."""
    biased = [model for model in circuit.models if isinstance(model, PvtModel) and model.kind == "bias"]
    model = circuit.pvt_model(circuit.model(fit.model), "bias")
    study = circuit.study_of(model) if model else None
    if not biased:
        yield fit
    if model is None or study is None or condition.bias is None:
        return
    there = find(f"{circuit.name}.{study.key}").fit(model.name)
    _check_inside(there, model, (condition.temp, condition.bias))
    values = there.values()
    before, after = (model.at(condition.temp, bias, **values) for bias in (values[model.reference], condition.bias))
    coefficients = {}
    for name, estimate in fit.coefficients.items():
        law, value = model.laws.get(name, CONSTANT), estimate.value
        moved = value * after[name] / before[name] if law.relative else value + after[name] - before[name]
        coefficients[name] = estimate.model_copy(update={"value": float(moved)})
    conditions = {**fit.conditions, model.supply: condition.bias}
    yield fit.model_copy(update={"coefficients": coefficients, "conditions": conditions, "covariance": []})


def _check_inside(fit: Fit, model: PvtModel, where: tuple[float, float]) -> None:
    """Raise `ParameterError` if a temperature [degC], or a supply [V] or bias [A], is outside the range of a fit."""
    for name, value in zip(model.conditions, where, strict=True):
        low, high = fit.valid_range[name]
        if not low <= value <= high:
            raise ParameterError(
                f"{name} = {value:g} is outside {low:g} to {high:g}, over which {fit.model} was fitted"
            )


def _range_at(fit: Fit, model: PvtModel, name: str, supply: float) -> tuple[float, float]:
    """Valid range of an input [its SI unit] at a supply [V]: a voltage is limited to the rails, too."""
    (low, high), (lowest, highest) = fit.valid_range[name], model.limits(name, supply)
    return max(low, float(lowest)), min(high, float(highest))


def _name(record: Record) -> str:
    return f"record {record.circuit}.{record.study}"


def _known_at(record: Record) -> str:
    """Corners and temperatures of the fits of a record, as the end of a sentence."""
    found = [str(_condition_of(fit)) for fit in record.fits]
    return f"; it is known at {'; '.join(dict.fromkeys(found))}" if found else ""


def _condition_of(fit: Fit) -> Condition:
    """Corner and temperature of a fit of one condition; its supply is that of its record."""
    corner, temp = fit.conditions.get("corner", NOMINAL.corner), fit.conditions.get("temp", NOMINAL.temp)
    return Condition(corner=str(corner), temp=float(temp))


def _moved(record: Record, circuit: Circuit, condition: Condition) -> dict[str, float | str]:
    """Parameters of the record that change with the supply: those that have their defaults, which depend on it."""
    given = {"supply": condition.supply, "bias": condition.bias}
    over = (model for model in circuit.models if isinstance(model, PvtModel) and model.supply in record.parameters)
    changed = {model.supply: value for model in over if (value := given[model.kind]) is not None}
    if not changed:
        return {}
    params = circuit.params | circuit.bench(record.bench).params
    tied = [name for name, p in params.items() if isinstance(p, Number) and isinstance(p.default, str)]
    own = {name: value for name, value in record.parameters.items() if name in params and name not in tied}
    here, there = params.resolve(own), params.resolve({**own, **changed})
    kept = [name for name in tied if record.parameters.get(name) == here[name]]
    return {**changed, **{name: there[name] for name in kept}}
