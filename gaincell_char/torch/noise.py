"""Noise of reads and of converters, from records: standard deviations, and random numbers of that size."""

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor

from ..declare.attention_head import Head, ModelName
from ..errors import DataError, ParameterError
from ..registry import DEFAULT_HEAD, DEFAULT_TECHNOLOGY, Records, load_head
from ..sweeping.arguments import check_number
from .elements import Element, find_model, longest_pulse

RECORD = "record"
"""Value of the option `read_noise` that takes the noise of the records."""
_SHARES = (1.0, 1 / 4, 1 / 64)
"""Pulse widths, as a share of the longest, at which the variance of a cell is evaluated."""


def check_read_noise(value: object) -> float | str:
    """Return the option `read_noise`: a standard deviation [C], or ``"record"``.

    Raises
    ------
    ParameterError
        If it is neither a number from 0 on nor ``"record"``.
    """
    if isinstance(value, str):
        if value != RECORD:
            raise ParameterError(f"read_noise = {value!r:.40} must be a finite number of coulombs, or {RECORD!r}")
        return value
    return check_number("read_noise", value, 0.0)


class ReadNoise:
    """Noise of the charge of a column: the variances of its cells are added.

    The variance of a cell is the sum of three terms in the pulse width t: t for white noise, and t^2 and t^2 log t for
    flicker noise.  So the sum over many cells is a matrix product, as the charge is.
    """

    def __init__(self, records: Records = DEFAULT_TECHNOLOGY, head: str = DEFAULT_HEAD) -> None:
        """Load the noise model of the cell of a `head` from `records`.

        Raises
        ------
        DataError
            If the head declares no noise model of its cell, or the records lack it.
        """
        declared = load_head(head)
        self._model = Element(find_model(records, declared.cell, _declared(declared.noise, declared, declared.cell)))
        self._t_max = longest_pulse(records, head)
        shares = torch.tensor(_SHARES, dtype=torch.float64)
        self._terms = torch.linalg.inv(_basis(shares).mT)

    def weights(self, v_store: Tensor) -> Tensor:
        """Variances [C^2] that belong to the terms, shape (3, ...), of cells at `v_store` [V], shape (...)."""
        exact = v_store.detach().double()  # the terms are differences
        at = [exact.new_tensor(share * self._t_max) for share in _SHARES]
        known = torch.stack([self._model.evaluate(exact, t) ** 2 for t in at], -1)
        weights: Tensor = (known @ self._terms.to(known)).movedim(-1, 0).to(v_store.dtype)
        return weights

    def deviation(self, t_pulse: Tensor, weights: Tensor) -> Tensor:
        """Standard deviation [C] of the charge of every column, shape (..., n, columns).

        Parameters
        ----------
        t_pulse : Tensor, shape (..., n, rows)
            Pulse widths [s].
        weights : Tensor, shape (3, ..., rows, columns)
            Variances of the terms [C^2], from `weights`.
        """
        terms = _basis(t_pulse.detach() / self._t_max)
        variance = sum(term @ weight for term, weight in zip(terms.unbind(-1), weights, strict=True))
        return torch.as_tensor(variance).clamp(min=0.0).sqrt()


class InputNoise:
    """Noise of a converter, as a charge at its input: its jitter times the current of its ramp.

    Attributes
    ----------
    charge_per_time : float
        Charge per width of a pulse, the current of the ramp [A].
    """

    def __init__(self, operation: str, records: Records = DEFAULT_TECHNOLOGY, head: str = DEFAULT_HEAD) -> None:
        """Load the noise model of the converter of an `operation` of a `head` from `records`.

        Raises
        ------
        DataError
            If the operation declares no noise model, or the records lack it.
        """
        declared = load_head(head)
        own = declared.operation(operation)
        self._jitter = Element(find_model(records, own.converter, _declared(own.noise, declared, own.converter)))
        [self._input] = self._jitter.model.fit.inputs
        straight = find_model(records, own.converter, list(own.forms.values())[-1])
        _, full = self._jitter.valid_range(self._input)
        low, high = (float(straight(torch.tensor(share * full, dtype=torch.float64))) for share in (0.4, 0.6))
        self.charge_per_time = 0.2 * full / (high - low)

    def deviation(self, charge: Tensor) -> Tensor:
        """Standard deviation [C] for every `charge` [C], of the same shape."""
        inside = self._jitter.model.fit.valid_range[self._input]
        return self.charge_per_time * self._jitter.evaluate(charge.detach().clamp(*inside))


class HeadNoise:
    """Noise of the two operations of an attention head, added to the charges at the converters."""

    def __init__(self, size: float, cell: ReadNoise | None, inputs: Mapping[str, InputNoise]) -> None:
        self._size, self._cell, self._inputs = size, cell, inputs

    @classmethod
    def of(cls, read_noise: float | str, records: Records, head: str) -> Self | None:
        """Return the noise that an option `read_noise` stands for, with `records` of a `head`; None for no noise.

        Raises
        ------
        DataError
            If the records lack a noise model.
        """
        if not isinstance(read_noise, str):
            return cls(float(read_noise), None, {}) if read_noise else None
        names = (operation.name for operation in load_head(head).operations)
        return cls(0.0, ReadNoise(records, head), {name: InputNoise(name, records, head) for name in names})

    def of_scores(self, charge: Tensor, t_pulse: Tensor, keys: Tensor) -> Tensor:
        """Return charges [C] with noise, shape (..., queries, tokens).

        Parameters
        ----------
        charge : Tensor, shape (..., queries, tokens)
            Charges without noise [C].
        t_pulse : Tensor, shape (..., queries, dim)
            Pulse widths [s].
        keys : Tensor, shape (..., tokens, dim)
            Stored voltages [V].
        """
        return self._add("scores", charge, t_pulse, keys.mT)

    def of_values(self, charge: Tensor, t_pulse: Tensor, values: Tensor) -> Tensor:
        """Return charges [C] with noise, shape (..., queries, dim).

        Parameters
        ----------
        charge : Tensor, shape (..., queries, dim)
            Charges without noise [C].
        t_pulse : Tensor, shape (..., queries, tokens)
            Pulse widths [s].
        values : Tensor, shape (..., tokens, dim)
            Stored voltages [V].
        """
        return self._add("values", charge, t_pulse, values)

    def _add(self, operation: str, charge: Tensor, t_pulse: Tensor, v_store: Tensor) -> Tensor:
        if self._cell is None:
            return charge + draw(torch.full_like(charge, self._size))
        cells = self._cell.deviation(t_pulse, self._cell.weights(v_store))
        return charge + draw(torch.hypot(cells, self._inputs[operation].deviation(charge)))


def draw(deviation: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Normal random numbers [C] with the standard deviations `deviation` [C], both of shape (...).

    They are drawn from a `generator`, PyTorch's by default.
    """
    standard = torch.randn(deviation.shape, generator=generator, dtype=deviation.dtype, device=deviation.device)
    return deviation * standard


def _basis(share: Tensor) -> Tensor:
    """Terms in the share of the longest pulse, shape (..., 3): white noise, and the two of flicker noise."""
    logarithm = torch.where(share > 0, share, 1.0).log()
    return torch.stack([share, share * share, share * share * logarithm], -1)


def _declared(name: ModelName | None, head: Head, circuit: str) -> ModelName:
    if name is None:
        raise DataError(f"head {head.name} declares no noise model of {circuit}")
    return name
