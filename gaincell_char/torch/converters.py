"""Charge-to-pulse converters as modules, with random coefficients on request."""

from collections.abc import Callable
from functools import partial
from typing import Self

import torch
from torch import Tensor

from ..declare.attention_head import Operation
from ..errors import DataError, ParameterError
from ..fitting.fitted import FittedModel, RandomCircuits
from ..registry import DEFAULT_HEAD, DEFAULT_TECHNOLOGY, Records, find_record, load_head, load_random
from .checks import check_broadcast, check_tensor
from .dies import Dies
from .elements import Element, best_form, choose_model, find_model
from .random_numbers import draw_parts, keep_random, kept_random
from .shared_bias import SharedBias


class _Converter(Element):
    """A charge-to-pulse converter; the last of its inputs is the charge."""

    operation = ""

    def __init__(
        self,
        model: FittedModel,
        outside: str = "clamp",
        random: Callable[[], RandomCircuits] | None = None,
        shared: SharedBias | None = None,
        path: Callable[[], FittedModel] | None = None,
    ) -> None:
        super().__init__(model, outside)
        self._load_random = random
        self._load_path = path
        self._path: FittedModel | None = None
        self._shared = shared
        self.random: RandomCircuits | None = None

    @classmethod
    def from_records(
        cls,
        records: Records = DEFAULT_TECHNOLOGY,
        form: str | None = None,
        *,
        head: str = DEFAULT_HEAD,
        outside: str = "extrapolate",
        shared_bias: bool = False,
    ) -> Self:
        """Load the converter of an attention head; `records`, `form`, `head`, `outside` as of `GainCell`.

        With `shared_bias` the converters along the last dimension of the charges share one bias, which couples their
        pulses; otherwise each has its own.

        Raises
        ------
        DataError
            If the records lack a model.
        """
        operation = load_head(head).operation(cls.operation)
        name = choose_model(operation.forms, form or best_form(records, head))
        spread = partial(_load_spread, records, operation)
        model = find_model(records, operation.converter, name)
        shared = SharedBias.from_records(records, operation, model) if shared_bias else None
        return cls(model, outside, spread, shared, partial(_load_path, records, operation))

    def forward(self, q_in: Tensor, q_swing: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """Pulse width [s] of charges.

        Parameters
        ----------
        q_in : Tensor
            Charges [C].
        q_swing : Tensor, shape broadcast with `q_in`, optional
            How the charge gets there: the height [C] of the triangle that is added to a steady course, from
            `GainCellArray.swing`.  By default the course is steady, and nothing more leaks through the switches of the
            bitline.

        Raises
        ------
        ParameterError
            If an input is not a tensor of real numbers, is out of range for ``outside="refuse"``, or the two do not
            broadcast.
        DataError
            If `q_swing` is given, and the records contain no model of the course.
        """
        if q_swing is None:
            return super().forward(q_in)
        if self._path is None:
            if self._load_path is None:
                raise DataError("the converter was not loaded from records, so the effect of q_swing is not known")
            self._path = self._load_path()
        check_tensor("q_in", q_in)
        check_broadcast(q_in=q_in, q_swing=check_tensor("q_swing", q_swing))
        lost: Tensor = self._path(q_in, q_swing)
        return super().forward(q_in - lost)

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
        keep_random(self, found.fit, drawn[..., 0, :, :])

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """Evaluate the model without checks, with the random coefficients if any are drawn; SI units.

        It is elementwise unless the converters share a bias.
        """
        if self._shared is not None:
            inputs = (*inputs[:-1], self._shared.charge(inputs[-1]))
        if self.random is None:
            return super().evaluate(*inputs)
        drawn = {name: coefficient.to(inputs[-1]) for name, coefficient in kept_random(self).items()}
        result: Tensor = self.random(*inputs, **drawn)
        return result


def _load_spread(records: Records, operation: Operation) -> RandomCircuits:
    """The converter with random coefficients; a function of the module, so that a converter can be pickled."""
    record = find_record(records, f"{operation.converter}.{operation.random.study}")
    return load_random(record, operation.random.model)


def _load_path(records: Records, operation: Operation) -> FittedModel:
    """The charge that is lost on the way, or raise `DataError`."""
    if operation.path is None:
        raise DataError(f"{operation.name}: no model of the course of the charge is declared; omit q_swing")
    return find_model(records, operation.converter, operation.path)


class ReLUC2P(_Converter):
    """Pulse width [s] of a charge [C]: ``relu(q_in)``; the model saturates, so charges need no clamp."""

    operation = "scores"


class SignedC2P(_Converter):
    """Pulse width [s] with the sign of the charge [C]: ``signed(q_in)``."""

    operation = "values"
