"""One fitted model as an nn.Module: elementwise, in SI units, differentiable."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..declare.attention_head import ModelName
from ..errors import DataError, ParameterError
from ..fitting.fitted import FittedModel, parameter
from ..registry import DEFAULT_HEAD, DEFAULT_TECHNOLOGY, find_record, load_head, load_model
from ..sweeping.arguments import check_number
from .checks import Guard, check_broadcast

_WIDEST_SPREAD = 10.0


def find_model(records: str | Path, circuit: str, name: ModelName, **conditions: float | str) -> FittedModel:
    """Return the model of a circuit from a packaged set of records or a folder of them."""
    return load_model(find_record(records, f"{circuit}.{name.study}"), name.model, **conditions)


def best_form(records: str | Path, head: str = DEFAULT_HEAD) -> str:
    """Return the best form of a head's cell that a set of records holds.

    Raises
    ------
    DataError
        If it holds none.
    """
    declared = load_head(head)
    reasons = []
    for form, name in list(declared.forms.items())[::-1]:
        try:
            find_model(records, declared.cell, name)
        except DataError as error:
            reasons.append(str(error))
        else:
            return form
    raise DataError(reasons[-1])


def longest_pulse(records: str | Path, head: str = DEFAULT_HEAD) -> float:
    """Longest input pulse [s]: the converters' window."""
    operation = load_head(head).operations[0]
    study = next(iter(operation.forms.values())).study
    return parameter(find_record(records, f"{operation.converter}.{study}"), "t_max")


class Element(nn.Module):
    """A model at its fitted coefficients, which are those of the record: nothing is typed here, nothing is learned.

    Parameters
    ----------
    model : FittedModel
        From `load_model`.
    outside : {"clamp", "refuse", "extrapolate"}
        What to do with inputs outside the valid range of the model, as of `Guard`.
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
        """Evaluate elementwise; inputs broadcast.

        Raises
        ------
        ParameterError
            If an input is missing, no tensor of real numbers, out of range as `outside` says, or does not broadcast.
        """
        names = self.model.fit.inputs
        if len(inputs) != len(names):
            raise ParameterError(f"{len(inputs)} inputs; {self.model.fit.model} takes {', '.join(names)}")
        held = {name: self.inside(name, value) for name, value in zip(names, inputs, strict=True)}
        check_broadcast(**held)
        return self.evaluate(*held.values())

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The model itself, on inputs inside the valid range."""
        result: Tensor = self.model(*inputs)
        return result

    def inside(self, name: str, value: Tensor) -> Tensor:
        """Return an input as the model may see it, by `outside`."""
        return self._guards[name](value)

    def extra_repr(self) -> str:
        """Model, output and valid range."""
        fit = self.model.fit
        spans = ", ".join(f"{name} {low:g}..{high:g}" for name, (low, high) in fit.valid_range.items())
        return f"{fit.output} by {fit.model}, {spans}"


class GainCell(Element):
    """Charge [C] of one input pulse: ``cell(v_store, t_pulse)``, positive when sunk from the bitline.

    A pulse of no width moves no charge.  float16 is refused: pulses and charges in SI units are too small for it.

    Parameters
    ----------
    model : FittedModel
        A current [A] over ``v_store``, or a charge [C] over ``v_store, t_pulse`` that is linear in ``t_pulse``.
    gradient : {"true", "surrogate"}
        Backward through the model itself, or through the line ``gain (v_store - v_ref) t_pulse`` that fits it best:
        the straight-through estimator of Leroux et al. 2025.
    surrogate_gain : float, optional
        Gain of that line [A/V]; that of the least-squares line over the valid range by default.
    t_max : float
        Longest pulse [s] that a model of the current takes; a model of the charge was fitted up to its own.

    Raises
    ------
    ParameterError
        If an option is unknown or a number out of range.
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
        why = f"{model.fit.model} was fitted" if self.charge else "a pulse lasts"
        self._guards["t_pulse"] = Guard("t_pulse", 0.0, longest, outside, why)

    @classmethod
    def from_records(
        cls,
        records: str | Path = DEFAULT_TECHNOLOGY,
        form: str | None = None,
        *,
        head: str = DEFAULT_HEAD,
        outside: str = "clamp",
        gradient: str = "true",
    ) -> Self:
        """Return the cell of a head from a set of records; the best form there is by default."""
        declared = load_head(head)
        name = choose_model(declared.forms, form or best_form(records, head))
        model = find_model(records, declared.cell, name)
        return cls(model, outside, gradient, _published_gain(records, declared.cell, name), _window(records, head))

    def currents(self, v_store: Tensor, **random: Tensor) -> tuple[Tensor, Tensor | None]:
        """Current while a pulse lasts [A] and charge of its edges [C], None if the model knows none."""
        return self.split(self.model, self.inside("v_store", v_store), **random)

    def split(self, model: Any, v_store: Tensor, **random: Tensor) -> tuple[Tensor, Tensor | None]:
        """The same of any model with this one's inputs."""
        if not self.charge:
            return model(v_store, **random), None
        zero, longest = v_store.new_zeros(()), v_store.new_tensor(self.valid_range("t_pulse")[1])
        edges = model(v_store, zero, **random)
        return (model(v_store, longest, **random) - edges) / longest, edges

    def line(self, v_store: Tensor) -> Tensor:
        """Current [A] of the surrogate."""
        return self.surrogate_gain * (v_store - self.v_ref)

    def forward(self, v_store: Tensor, t_pulse: Tensor) -> Tensor:  # type: ignore[override]
        """Charge [C] of a pulse of width `t_pulse` [s] at stored voltage `v_store` [V]; the two broadcast.

        Raises
        ------
        ParameterError
            If one is no tensor of real numbers, out of range as `outside` says, or they do not broadcast.
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
        """Slope of the least-squares line through the current over its range, value at ``v_ref`` free."""
        v = torch.linspace(*self.valid_range("v_store"), 201, dtype=torch.float64)
        w = v - v.mean()
        return float((w * self.split(self.model, v)[0]).sum() / (w * w).sum())


class Decay(Element):
    """Stored voltage [V] after a time: ``decay(v_init, time)``."""

    @classmethod
    def from_records(
        cls,
        records: str | Path = DEFAULT_TECHNOLOGY,
        form: str | None = None,
        *,
        head: str = DEFAULT_HEAD,
        outside: str = "clamp",
        **conditions: float | str,
    ) -> Self:
        """Return the decay of a head's cell; ``temp=85.0`` picks a temperature."""
        declared = load_head(head)
        name = choose_model(declared.decay_forms, form or best_form(records, head))
        return cls(find_model(records, declared.decay, name, **conditions), outside)

    @staticmethod
    def sample_rates(
        shape: tuple[int, ...], sigma: float, generator: torch.Generator | None = None, like: Tensor | None = None
    ) -> Tensor:
        """Draw how much faster than the typical cell each cell decays: log-normal, median 1.

        Retention of gain cells is log-normal from cell to cell, because the threshold of the write gate sits in the
        exponent of its leakage.  ``sigma`` is that of the logarithm; `retention_sigma` reads it off a record.

        Raises
        ------
        ParameterError
            If `sigma` is no number from 0 to 10.
        """
        check_number("sigma", sigma, 0.0, _WIDEST_SPREAD)
        normal = torch.randn(shape, generator=generator, dtype=torch.float64)
        rates = torch.exp(sigma * normal)
        return rates if like is None else rates.to(like)


def retention_sigma(records: str | Path = DEFAULT_TECHNOLOGY, head: str = DEFAULT_HEAD, **where: float) -> float:
    """Sigma of the logarithm of the retention time, from its mean and sigma in the record of a Monte Carlo campaign.

    ``v_init=0.0`` picks a level; the largest over the levels by default.

    Raises
    ------
    DataError
        If the records hold no such statistics.
    """
    record = find_record(records, f"{load_head(head).decay}.decay_both")
    found = [
        output
        for output in (record.spread.outputs if record.spread else [])
        if output.name == "retention" and where.items() <= output.where.items()
    ]
    known = [(output.mean, output.sigma) for output in found if output.mean and output.sigma is not None]
    if not known or len(known) < len(found):
        at = ", ".join(f"{name} = {value}" for name, value in where.items())
        raise DataError(f"record {record.circuit}.{record.study} states no mean and sigma of the retention at {at}")
    return max(math.sqrt(math.log1p((sigma / mean) ** 2)) for mean, sigma in known)


class _Converter(Element):
    """A charge-to-pulse converter; the last of its inputs is the charge."""

    operation = ""

    @classmethod
    def from_records(
        cls,
        records: str | Path = DEFAULT_TECHNOLOGY,
        form: str | None = None,
        *,
        head: str = DEFAULT_HEAD,
        outside: str = "extrapolate",
    ) -> Self:
        """Return the converter of a head from a set of records; the best form there is by default."""
        operation = load_head(head).operation(cls.operation)
        name = choose_model(operation.forms, form or best_form(records, head))
        return cls(find_model(records, operation.converter, name), outside)


class ReLUC2P(_Converter):
    """Pulse width [s] by charge [C]: ``relu(q_in)``; it saturates by itself, so charges need no clamp."""

    operation = "scores"


class SignedC2P(_Converter):
    """Pulse width [s] with the sign of the charge [C]: ``signed(q_in)``."""

    operation = "values"


def choose_model(forms: Mapping[str, ModelName], form: str) -> ModelName:
    """Return the model of a form.

    Raises
    ------
    ParameterError
        If there is no such form.
    """
    if not isinstance(form, str) or form not in forms:
        raise ParameterError(f"no form {form!r}; have {', '.join(forms)}")
    return forms[form]


def _window(records: str | Path, head: str) -> float:
    """Longest input pulse [s]; infinite where the records hold a cell and no converter."""
    try:
        return longest_pulse(records, head)
    except DataError:
        return math.inf


def _published_gain(records: str | Path, circuit: str, name: ModelName) -> float | None:
    """Gain [A/V] of the linear variant that a publication gives beside its model, if it does."""
    record = find_record(records, f"{circuit}.{name.study}")
    linear = [fit for fit in record.fits if fit.conditions.get("variant") == "linear"]
    return linear[0].coefficients["c1"].value if linear else None
