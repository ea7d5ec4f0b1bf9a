"""Stored voltage of a cell that keeps it while other tokens are written."""

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor

from ..errors import ParameterError
from ..fitting.fitted import FittedModel
from ..registry import DEFAULT_HEAD, DEFAULT_TECHNOLOGY, Records, find_record, load_head, load_random
from .checks import Guard, check_broadcast
from .dies import Dies
from .elements import Element, best_form, choose_model, find_model
from .random_numbers import draw_parts
from .write_schedule import WriteSchedule

IN_USE = WriteSchedule()
"""The schedule of Leroux et al. 2025."""


class Decay(Element):
    """Stored voltage [V] after a time since its write: ``decay(v_init, time)``.

    The cell leaks to its write bitline, so the voltage of the bitline over time counts: it is at the levels of the DAC
    while other tokens are written to the same tile, and idle else.  The bitline changes much faster than the stored
    voltage, so the leakage is its mean over time.  The published form has no bitline.

    Parameters
    ----------
    model : FittedModel
        A stored voltage over ``v_init, time``, or over ``v_init, time, v_wbl``.
    outside : {"clamp", "refuse", "extrapolate"}
        Treatment of inputs outside the valid range of the fit, as of `Guard`; a time may always be as short as 0.
    schedule : WriteSchedule or None
        When the write bitline is in use; None for a bitline that is always idle.

    Raises
    ------
    ParameterError
        If `outside` is unknown, or `schedule` is of another type.
    """

    def __init__(self, model: FittedModel, outside: str = "clamp", schedule: WriteSchedule | None = IN_USE) -> None:
        super().__init__(model, outside)
        if schedule is not None and not isinstance(schedule, WriteSchedule):
            raise ParameterError(f"schedule is of type {type(schedule).__name__}; it must be a WriteSchedule or None")
        self.schedule = schedule
        why = f"{model.fit.model} was fitted"
        self._guards["time"] = Guard("time", 0.0, self.valid_range("time")[1], outside, why)

    @classmethod
    def from_records(
        cls,
        records: Records = DEFAULT_TECHNOLOGY,
        form: str | None = None,
        *,
        head: str = DEFAULT_HEAD,
        outside: str = "clamp",
        schedule: WriteSchedule | None = IN_USE,
        **conditions: float | str,
    ) -> Self:
        """Load the decay model of an attention head's cell.

        `records`, `form`, `head` and `outside` are as of `GainCell.from_records`, `schedule` is as of `Decay`;
        `conditions` are those of the fit, for example ``temp=85.0``.
        """
        declared = load_head(head)
        name = choose_model(declared.decay_forms, form or best_form(records, head))
        return cls(find_model(records, declared.decay, name, **conditions), outside, schedule)

    def forward(  # type: ignore[override]
        self, v_init: Tensor, time: Tensor, leaks: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Stored voltage [V] a `time` [s] after it was `v_init` [V]; inputs broadcast.

        `leaks` are factors of leaks, from `sample_leaks`, dimensionless, that broadcast with the inputs.

        Raises
        ------
        ParameterError
            If inputs are not tensors of real numbers, out of range for ``outside="refuse"``, or do not broadcast, or
            the model has no leak of that name.
        """
        v_init, time = self.inside("v_init", v_init), self.inside("time", time)
        check_broadcast(v_init=v_init, time=time, **(leaks or {}))
        coefficients = self._changed(leaks or {})
        if "v_wbl" not in self.model.fit.inputs:
            return self.evaluate(v_init, time)
        low, high = self.valid_range("v_wbl")
        idle, always = time.new_tensor([(low + high) / 2]), time.new_ones(1)
        busy = torch.zeros_like(time)
        if self.schedule is not None:
            busy = self.schedule.busy_time(time)
            v_wbl, shares = self.schedule.bitline(low, high, time)
            v_init = self.model.mean(v_init, busy, v_wbl, shares=shares, **coefficients)
        kept: Tensor = self.model.mean(v_init, time - busy, idle, shares=always, **coefficients)
        return kept

    def _changed(self, leaks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Coefficients of the fit times the factors of the leaks."""
        have = self.model.fit.values()
        if unknown := leaks.keys() - have.keys():
            raise ParameterError(f"{self.model.fit.model} has no leak {', '.join(sorted(unknown))}")
        return {name: have[name] * factor for name, factor in leaks.items()}

    @staticmethod
    def sample_leaks(
        shape: tuple[int, ...],
        generator: torch.Generator | None = None,
        *,
        records: Records = DEFAULT_TECHNOLOGY,
        head: str = DEFAULT_HEAD,
        process: bool = False,
        mismatch: bool = True,
        dies: Dies | None = None,
        like: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Draw the factors of the leaks of cells: log-normal, with the spread of each leak in the Monte Carlo record.

        The threshold voltage of each write transistor is in the exponent of its leakage current.

        Parameters
        ----------
        shape : tuple of int
            Dies, rows and columns of the cells.
        generator : torch.Generator, optional
            Source of the random numbers.
        records, head
            As of `GainCell.from_records`.
        process : bool
            Draw process variation, common to the cells of a die.
        mismatch : bool
            Draw mismatch, independent in each cell.
        dies : Dies, optional
            Process of the dies, which they share with cells and converters; it is then not drawn.
        like : Tensor, any shape, in any SI unit, optional
            A tensor of the type and device of the result; float64 by default.

        Returns
        -------
        dict of str to Tensor, shape `shape`
            Coefficient of the decay -> factor, dimensionless.

        Raises
        ------
        ParameterError
            If the shape has fewer than two dimensions, or `dies` are of another type or shape.
        DataError
            If the records contain no random leaks.
        """
        if len(shape) < 2:
            raise ParameterError(f"shape is {tuple(shape)}; it must be (..., rows, columns)")
        declared = load_head(head)
        name = declared.leak_random
        fit = load_random(find_record(records, f"{declared.decay}.{name.study}"), name.model).fit
        numbers = draw_parts(fit, tuple(shape), generator, process=process, mismatch=mismatch, dies=dies)
        names = [coefficient.name for coefficient in fit.coefficients]
        factors = {name: torch.exp(numbers[..., index]) for index, name in enumerate(names)}
        found = {rate: factors[name] for name, rate in declared.leak_rates.items() if name in factors}
        return found if like is None else {name: factor.to(like) for name, factor in found.items()}
