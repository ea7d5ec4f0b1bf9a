"""One fitted model as an nn.Module: elementwise, in SI units, differentiable."""

import math
from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..declare.attention_head import ModelName
from ..errors import DataError, ParameterError
from ..fitting.fitted import FittedModel, parameter
from ..registry import DEFAULT_HEAD, DEFAULT_TECHNOLOGY, Records, find_record, load_head, load_model
from ..sweeping.arguments import check_number
from .checks import Guard, check_broadcast


def find_model(records: Records, circuit: str, name: ModelName, **conditions: float | str) -> FittedModel:
    """Load model `name` of `circuit` from `records`, a packaged set or a folder; `conditions` as in ``temp=85.0``."""
    return load_model(find_record(records, f"{circuit}.{name.study}"), name.model, **conditions)


def best_form(records: Records, head: str = DEFAULT_HEAD) -> str:
    """Name of the best form of a head's cell that a set of records contains.

    Raises
    ------
    DataError
        If the records contain no form.
    """
    return list_forms(records, head)[-1]


def list_forms(records: Records, head: str = DEFAULT_HEAD) -> tuple[str, ...]:
    """Names of the forms of a head's cell that a set of records contains, best last.

    Raises
    ------
    DataError
        If the records contain no form.
    """
    declared = load_head(head)
    found, reasons = [], []
    for form, name in declared.forms.items():
        try:
            find_model(records, declared.cell, name)
        except DataError as error:
            reasons.append(str(error))
        else:
            found.append(form)
    if not found:
        raise DataError(reasons[0])
    return tuple(found)


def longest_pulse(records: Records, head: str = DEFAULT_HEAD) -> float:
    """Longest input pulse [s]: the time window of the converters."""
    operation = load_head(head).operations[0]
    study = next(iter(operation.forms.values())).study
    return parameter(find_record(records, f"{operation.converter}.{study}"), "t_max")


class Element(nn.Module):
    """A fitted model with the coefficients of its record; the coefficients are constants and are not trained.

    Parameters
    ----------
    model : FittedModel
        From `load_model`.
    outside : {"clamp", "refuse", "extrapolate"}
        Treatment of inputs outside the valid range of the fit, as of `Guard`.
    """

    def __init__(self, model: FittedModel, outside: str = "clamp") -> None:
        super().__init__()
        self.model = model
        self.outside = outside
        why = f"{model.fit.model} was fitted"
        self._guards = {name: Guard(name, *model.fit.valid_range[name], outside, why) for name in model.fit.inputs}

    def valid_range(self, name: str) -> tuple[float, float]:
        """Valid range of an input, in SI units."""
        return self.model.fit.valid_range[name]

    def forward(self, *inputs: Tensor) -> Tensor:
        """Check the inputs and evaluate the model elementwise; inputs broadcast and, like the output, are in SI units.

        Raises
        ------
        ParameterError
            If inputs are missing, not real tensors, out of range for ``outside="refuse"``, or do not broadcast.
        """
        names = self.model.fit.inputs
        if len(inputs) != len(names):
            raise ParameterError(f"{len(inputs)} inputs given; {self.model.fit.model} needs {', '.join(names)}")
        held = {name: self.inside(name, value) for name, value in zip(names, inputs, strict=True)}
        check_broadcast(**held)
        return self.evaluate(*held.values())

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """Evaluate the model elementwise, without checks; inputs and output are in SI units."""
        result: Tensor = self.model(*inputs)
        return result

    def inside(self, name: str, value: Tensor) -> Tensor:
        """Check an input of any shape, in SI units, and clamp it to the valid range according to `outside`."""
        return self._guards[name](value)

    def extra_repr(self) -> str:
        """Output, model and valid range."""
        fit = self.model.fit
        spans = ", ".join(f"{name} {low:g}..{high:g}" for name, (low, high) in fit.valid_range.items())
        return f"{fit.output} by {fit.model}, {spans}"


class GainCell(Element):
    """Charge [C] of one input pulse: ``cell(v_store, t_pulse)``, positive when sunk from the bitline.

    A pulse of zero width moves no charge.  float16 is rejected: pulses and charges in SI units are too small for it.

    Parameters
    ----------
    model : FittedModel
        A current [A] over ``v_store``, or a charge [C] over ``v_store, t_pulse`` that is linear in ``t_pulse``.
    outside
        As of `Element`.
    gradient : {"true", "surrogate"}
        Gradient of the model, or of the straight line ``gain (v_store - v_ref) t_pulse``, the straight-through
        estimator of Leroux et al. 2025.
    surrogate_gain : float, optional
        Gain of this line [A/V]; by default the slope of the least-squares line over the valid range.
    t_max : float
        Longest pulse [s] for a model of the current; for a model of the charge, the limit of its fit is used.

    Raises
    ------
    ParameterError
        If an option is unknown or a number is out of range.
    DataError
        If the model has other inputs.
    """

    def __init__(
        self,
        model: FittedModel,
        outside: str = "clamp",
        gradient: str = "true",
        surrogate_gain: float | None = None,
        t_max: float = math.inf,
    ) -> None:
        super().__init__(model, outside)
        if gradient not in ("true", "surrogate"):
            raise ParameterError(f"gradient = {gradient!r}; choose true, surrogate")
        self.gradient = gradient
        self.charge = model.fit.inputs == ("v_store", "t_pulse")
        if not self.charge and model.fit.inputs != ("v_store",):
            raise DataError(f"{model.fit.model} has inputs {', '.join(model.fit.inputs)}, not v_store and t_pulse")
        low, high = self.valid_range("v_store")
        self.v_ref = model.fit.coefficients["v_ref"].value if "v_ref" in model.fit.coefficients else (low + high) / 2
        self.surrogate_gain = self._line() if surrogate_gain is None else check_number("surrogate_gain", surrogate_gain)
        longest = self.valid_range("t_pulse")[1] if self.charge else t_max
        why = f"{model.fit.model} was fitted" if self.charge else "a pulse width must be"
        self._guards["t_pulse"] = Guard("t_pulse", 0.0, longest, outside, why)

    @classmethod
    def from_records(
        cls,
        records: Records = DEFAULT_TECHNOLOGY,
        form: str | None = None,
        *,
        head: str = DEFAULT_HEAD,
        outside: str = "clamp",
        gradient: str = "true",
    ) -> Self:
        """Load the cell of an attention head.

        `records` is a packaged set of records or a folder, `form` the form of the model, by default the best form in
        the records, and `head` the name of the head; `outside` and `gradient` are as of `GainCell`.
        """
        declared = load_head(head)
        name = choose_model(declared.forms, form or best_form(records, head))
        model = find_model(records, declared.cell, name)
        return cls(model, outside, gradient, _published_gain(records, declared.cell, name), _window(records, head))

    def currents(self, v_store: Tensor, **random: Tensor) -> tuple[Tensor, Tensor | None]:
        """Current during a pulse [A] and charge of its edges [C], None if the model has none; elementwise.

        `v_store` is the stored voltage [V]; `random` are deviations of coefficients, in SI units, for a random model.
        """
        return self.split(self.model, self.inside("v_store", v_store), **random)

    def split(self, model: Any, v_store: Tensor, **random: Tensor) -> tuple[Tensor, Tensor | None]:
        """Current [A] and charge of the edges [C] of any `model` with the same inputs, elementwise, as `currents`.

        `v_store` is the stored voltage [V], not checked against the valid range; `random` as of `currents`.
        """
        if not self.charge:
            return model(v_store, **random), None
        zero, longest = v_store.new_zeros(()), v_store.new_tensor(self.valid_range("t_pulse")[1])
        edges = model(v_store, zero, **random)
        return (model(v_store, longest, **random) - edges) / longest, edges

    def line(self, v_store: Tensor) -> Tensor:
        """Current [A] of the surrogate line at stored voltages `v_store` [V], elementwise."""
        return self.surrogate_gain * (v_store - self.v_ref)

    def forward(self, v_store: Tensor, t_pulse: Tensor) -> Tensor:  # type: ignore[override]
        """Charge [C] of a pulse of width `t_pulse` [s] at stored voltage `v_store` [V]; inputs broadcast.

        Raises
        ------
        ParameterError
            If inputs are not tensors of real numbers, out of range for ``outside="refuse"``, or do not broadcast.
        """
        v_store, t_pulse = self.inside("v_store", v_store), self.inside("t_pulse", t_pulse)
        check_broadcast(v_store=v_store, t_pulse=t_pulse)
        if self.charge:
            true = torch.where(t_pulse > 0, self.evaluate(v_store, t_pulse), 0.0)
        else:
            true = t_pulse * self.evaluate(v_store)
        if self.gradient == "true":
            return true
        line = t_pulse * self.line(v_store)
        return line + (true - line).detach()

    def _line(self) -> float:
        """Slope [A/V] of the least-squares line through the current over the valid range, with free intercept."""
        v = torch.linspace(*self.valid_range("v_store"), 201, dtype=torch.float64)
        w = v - v.mean()
        return float((w * self.split(self.model, v)[0]).sum() / (w * w).sum())


def choose_model(forms: Mapping[str, ModelName], form: str) -> ModelName:
    """Return the model of a form.

    Raises
    ------
    ParameterError
        If the form is unknown.
    """
    if not isinstance(form, str) or form not in forms:
        raise ParameterError(f"no form {form!r}; have {', '.join(forms)}")
    return forms[form]


def _window(records: Records, head: str) -> float:
    """Longest input pulse [s]; infinite if the records contain no converter."""
    try:
        return longest_pulse(records, head)
    except DataError:
        return math.inf


def _published_gain(records: Records, circuit: str, name: ModelName) -> float | None:
    """Gain [A/V] of the linear variant of a published model, if the publication states one."""
    record = find_record(records, f"{circuit}.{name.study}")
    linear = [fit for fit in record.fits if fit.conditions.get("variant") == "linear"]
    return linear[0].coefficients["c1"].value if linear else None
