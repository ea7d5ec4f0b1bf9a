"""Converters that share one bias: each ramp that runs makes the ramps of the others faster.

While other converters of the same side (source or sink) ramp, the current of a ramp is larger by a fixed share of the
current per converter.  In units of charge, a ramp therefore ends at ``x_i``, where
``x_i + share * sum_j min(x_i, x_j) = q_i`` over the other converters ``j``: each takes part as long as both run.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..declare.attention_head import Operation
from ..errors import DataError
from ..fitting.fitted import FittedModel
from ..registry import Records
from .elements import find_model

_ITERATIONS = 4
"""Steps of the fixed-point iteration; each makes the error about fifty times smaller."""


@dataclass(frozen=True, kw_only=True)
class SharedBias:
    """The effect of one bias that all converters of an array share.

    Attributes
    ----------
    model : FittedModel
        Charge [C] that is missing in the pulse of each of several converters with the same charge, by charge [C] and
        number of converters.
    full : tuple of float
        Charge [C] whose ramp ends with the conversion window, positive and negative side; 0 for a side without a pulse.
    """

    model: FittedModel
    full: tuple[float, float]

    @classmethod
    def from_records(cls, records: Records, operation: Operation, converter: FittedModel) -> "SharedBias":
        """Load the model of an `operation` from `records`; `converter` is the model of its converter.

        Raises
        ------
        DataError
            If the operation declares no such model, or the records lack it.
        """
        if operation.shared is None:
            raise DataError(f"{operation.name}: no model of a shared bias is declared; use shared_bias=False")
        model = find_model(records, operation.converter, operation.shared)
        return cls(model=model, full=(_full(converter, 1), _full(converter, -1)))

    def charge(self, q_in: Tensor) -> Tensor:
        """Charge [C] that alone would give the same pulse; the last dimension of `q_in` [C] shares the bias."""
        wide = q_in.to(torch.float64)
        for side, full in zip((1, -1), self.full, strict=True):
            if full:
                wide = wide - side * self._missing(side * wide, side, full)
        return wide.to(q_in)

    def _missing(self, charge: Tensor, side: int, full: float) -> Tensor:
        """Missing charge [C] of converters of one side; `charge` [C] is positive on that side."""
        share = self._share(charge.shape[-1], side, full)
        ramp = charge
        for _ in range(_ITERATIONS):
            running = ramp.clamp(0.0, full)
            missing = share * (sum_of_smaller(running) - running)
            ramp = charge - missing
        return torch.where(charge > 0, missing, torch.zeros_like(missing))

    def _share(self, converters: int, side: int, full: float) -> float:
        """Relative change of the current of a ramp by one other converter that runs, among some `converters`."""
        if converters < 2:
            return 0.0
        half = torch.tensor(side * full / 2, dtype=torch.float64)
        missing = float(self.model(half, torch.tensor(float(converters), dtype=torch.float64)))
        return missing / (float(half) - missing) / (converters - 1)


def sum_of_smaller(x: Tensor) -> Tensor:
    """Sum over all j of ``min(x_i, x_j)`` along the last dimension, in the unit of `x`, of any shape."""
    ordered, place = x.sort(-1)
    last = torch.arange(x.shape[-1] - 1, -1, -1, device=x.device, dtype=x.dtype)
    found = ordered.cumsum(-1) + ordered * last
    return torch.zeros_like(found).scatter(-1, place, found)


def _full(converter: FittedModel, side: int) -> float:
    """Charge [C], as a positive number, at which the line of the pulses of one side reaches the longest pulse."""
    low, high = converter.fit.valid_range[converter.fit.inputs[-1]]
    end = high if side > 0 else -low
    if end <= 0:
        return 0.0
    a, b, last = (float(converter(torch.tensor(side * part * end, dtype=torch.float64))) for part in (0.4, 0.6, 1.0))
    return 0.0 if a == b else end * (0.4 + 0.2 * (last - a) / (b - a))
