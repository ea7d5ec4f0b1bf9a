"""One fitted model as an nn.Module: elementwise, in SI units, differentiable."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..declare.attention_head import ModelName
from ..errors import DataError, ParameterError
from ..fitting.fitted import FittedModel, RandomCircuits, parameter
from ..registry import DEFAULT_HEAD, DEFAULT_TECHNOLOGY, Records, find_record, load_head, load_model, load_random
from ..sweeping.arguments import check_number
from .checks import Guard, check_broadcast
from .dies import Dies
from .random_numbers import draw_parts

RANDOM = "random_"
"""Prefix of the buffers with random coefficients."""


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


class _Converter(Element):
    """A charge-to-pulse converter; the last of its inputs is the charge."""

    operation = ""

    def __init__(
        self, model: FittedModel, outside: str = "clamp", random: Callable[[], RandomCircuits] | None = None
    ) -> None:
        super().__init__(model, outside)
        self._load_random = random
        self.random: RandomCircuits | None = None

    @classmethod
    def from_records(
        cls,
        records: Records = DEFAULT_TECHNOLOGY,
        form: str | None = None,
        *,
        head: str = DEFAULT_HEAD,
        outside: str = "extrapolate",
    ) -> Self:
        """Load the converter of an attention head; `records`, `form`, `head`, `outside` as of `GainCell`."""
        operation = load_head(head).operation(cls.operation)
        name = choose_model(operation.forms, form or best_form(records, head))
        random = operation.random

        def load() -> RandomCircuits:
            return load_random(find_record(records, f"{operation.converter}.{random.study}"), random.model)

        return cls(find_model(records, operation.converter, name), outside, load)

    def sample_mismatch(
        self,
        shape: tuple[int, ...],
        generator: torch.Generator | None = None,
        *,
        process: bool = False,
        mismatch: bool = True,
        dies: Dies | None = None,
    ) -> None:
        """Draw random coefficients of converters; later calls need charges that broadcast with `shape`.

        Parameters
        ----------
        shape : tuple of int
            Dies and converters, of which each column of an array has one.
        generator : torch.Generator, optional
            Source of the random numbers.
        process : bool
            Draw process variation, common to the converters of a die.
        mismatch : bool
            Draw mismatch, independent in each converter.
        dies : Dies, optional
            Process of the dies, which they share with the cells; it is then not drawn.

        Raises
        ------
        ParameterError
            If `dies` are of another type or shape, or the shape has no dimension.
        DataError
            If the records contain no random converter, or the converter is not one of records.
        """
        if not shape:
            raise ParameterError("shape is (); it must be (..., converters)")
        if self._load_random is None:
            raise DataError("the converter was not loaded from records, so its spread is not known")
        found = self._load_random()
        *leading, converters = shape
        drawn = draw_parts(
            found.fit, (*leading, 1, converters), generator, process=process, mismatch=mismatch, dies=dies
        )
        self.random = found
        for index, coefficient in enumerate(found.fit.coefficients):
            self.register_buffer(f"{RANDOM}{coefficient.name}", drawn[..., 0, :, index])

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """Evaluate the model elementwise, without checks, with the random coefficients if any are drawn; SI units."""
        if self.random is None:
            return super().evaluate(*inputs)
        drawn = {n.removeprefix(RANDOM): b.to(inputs[-1]) for n, b in self.named_buffers(recurse=False)}
        result: Tensor = self.random(*inputs, **drawn)
        return result


class ReLUC2P(_Converter):
    """Pulse width [s] of a charge [C]: ``relu(q_in)``; the model saturates, so charges need no clamp."""

    operation = "scores"


class SignedC2P(_Converter):
    """Pulse width [s] with the sign of the charge [C]: ``signed(q_in)``."""

    operation = "values"


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
