"""Normal random numbers with the covariance of a record."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

Covariance = Sequence[Sequence[float]]


def draw_normal(covariance: Covariance, shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
    """Normal random numbers of mean 0.

    Parameters
    ----------
    covariance : sequence of sequence of float, shape (n, n)
        Their covariance, which may be singular, in the units of the numbers.
    shape : tuple of int
        Shape without the last dimension, which is that of the n numbers.
    generator : torch.Generator or None
        Source of the random numbers.

    Returns
    -------
    Tensor, shape (*shape, n), float64
        In the units of the covariance.
    """
    values, vectors = torch.linalg.eigh(torch.tensor(covariance, dtype=torch.float64))
    root = vectors * values.clamp(min=0.0).sqrt()
    standard: Tensor = torch.randn((*shape, len(covariance)), generator=generator, dtype=torch.float64)
    drawn: Tensor = standard @ root.mT
    return drawn


def draw_parts(
    covariance: Mapping[str, Covariance],
    shape: tuple[int, ...],
    generator: torch.Generator | None,
    *,
    process: bool,
    mismatch: bool,
) -> Tensor:
    """Normal random numbers of the cells of dies.

    Parameters
    ----------
    covariance : mapping of str to sequence of sequence of float, shape (n, n)
        Covariance of the part ``"process"``, common to the cells of a die, and of ``"mismatch"``, in the units of the
        numbers.
    shape : tuple of int
        Dies, rows and columns.
    generator : torch.Generator or None
        Source of the random numbers.
    process, mismatch : bool
        Parts to draw.

    Returns
    -------
    Tensor, shape (*shape, n), float64
        In the units of the covariance.
    """
    *dies, _, _ = shape
    total = torch.zeros((*shape, len(next(iter(covariance.values())))), dtype=torch.float64)
    for part, wanted, drawn in (("process", process, (*dies, 1, 1)), ("mismatch", mismatch, shape)):
        if wanted:
            total = total + draw_normal(covariance[part], drawn, generator)
    return total
