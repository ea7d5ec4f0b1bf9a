"""Process of dies: numbers that all circuits on a die share, cells, leaks and converters alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from ..errors import DataError, ParameterError
from ..fitting.variation import RandomFit
from ..registry import DEFAULT_HEAD, DEFAULT_TECHNOLOGY, Records, find_record, load_head, load_random
from ..technology.schema import Technology


@dataclass(frozen=True, kw_only=True)
class Dies:
    """Standard normal number of every process parameter of some dies.

    Attributes
    ----------
    numbers : mapping of str to Tensor, shape (...)
        Process parameter -> number of each die, dimensionless and independent, in the order of the technology.
    """

    numbers: Mapping[str, Tensor]

    @classmethod
    def sample(
        cls,
        shape: tuple[int, ...] = (),
        generator: torch.Generator | None = None,
        *,
        records: Records = DEFAULT_TECHNOLOGY,
        head: str = DEFAULT_HEAD,
    ) -> Self:
        """Draw dies.

        Parameters
        ----------
        shape : tuple of int
            Shape of the dies: the leading dimensions of an array's stored voltages; () for one die.
        generator : torch.Generator, optional
            Source of the random numbers.
        records, head
            As of `GainCell.from_records`.

        Raises
        ------
        DataError
            If the records contain no random cells, or do not state the effect of each process parameter.
        """
        declared = load_head(head)
        fit = load_random(find_record(records, f"{declared.cell}.{declared.random.study}"), declared.random.model).fit
        names = _names(fit)
        drawn = torch.randn((*shape, len(names)), generator=generator, dtype=torch.float64)
        return cls(numbers={name: drawn[..., index] for index, name in enumerate(names)})

    @classmethod
    def at_corner(cls, technology: Technology, corner: str) -> Self:
        """The die of a process corner of a `technology`.

        Raises
        ------
        ParameterError
            If the technology has no such corner.
        """
        values = torch.tensor(list(technology.corner(corner).values()), dtype=torch.float64)
        sigmas = torch.tensor(list(technology.process.values()), dtype=torch.float64)
        numbers = torch.linalg.solve(torch.from_numpy(technology.mixing), values / sigmas)
        return cls(numbers=dict(zip(technology.process, numbers, strict=True)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the dies."""
        return tuple(next(iter(self.numbers.values())).shape)

    def change(self, fit: RandomFit) -> Tensor:
        """Change of the coefficients of a random model on every die [their units], shape (..., n), float64.

        The change is a second-order polynomial of the numbers of the die.

        Raises
        ------
        DataError
            If the fit does not state the effect of the same process parameters.
        """
        if set(_names(fit)) != set(self.numbers):
            raise DataError(f"{fit.model} depends on {', '.join(fit.process)}; the dies have {', '.join(self.numbers)}")
        terms = [(self.numbers[name], changes) for name, changes in fit.process.items()]
        for one, others in fit.process_second.items():
            terms += [(self.numbers[one] * self.numbers[other], changes) for other, changes in others.items()]
        return torch.stack([x[..., None] * torch.tensor(y, dtype=torch.float64) for x, y in terms]).sum(0)


def check_dies(dies: object, shape: tuple[int, ...]) -> Dies | None:
    """Return the option `dies`, for circuits whose dies have a `shape`.

    Raises
    ------
    ParameterError
        If it is neither a `Dies` nor None, or its shape is another one.
    """
    if dies is None:
        return None
    if not isinstance(dies, Dies):
        raise ParameterError(f"dies is of type {type(dies).__name__}; it must be a Dies or None")
    if dies.shape != shape:
        raise ParameterError(f"dies has shape {dies.shape}; the circuits are on dies of shape {shape}")
    return dies


def _names(fit: RandomFit) -> list[str]:
    """Process parameters of a random model, or `DataError` if its record does not state them."""
    if not fit.process:
        raise DataError(f"{fit.model}: the record does not state the effect of each process parameter; run gaincell mc")
    return list(fit.process)
