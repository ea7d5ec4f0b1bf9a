"""Normal random numbers with the covariance of a record."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..fitting.variation import RandomFit
from .dies import Dies, check_dies

_RANDOM = "random_"
"""Prefix of the buffers with random coefficients."""
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
    fit: RandomFit,
    shape: tuple[int, ...],
    generator: torch.Generator | None,
    *,
    process: bool,
    mismatch: bool,
    dies: Dies | None = None,
) -> Tensor:
    """Normal random numbers of the cells of dies.

    Parameters
    ----------
    fit : RandomFit
        Covariance of the part ``"process"``, common to the cells of a die, and of ``"mismatch"``, in the units of the
        numbers.
    shape : tuple of int
        Dies, rows and columns.
    generator : torch.Generator or None
        Source of the random numbers.
    process, mismatch : bool
        Parts to draw.
    dies : Dies, optional
        Process of the dies, which is then not drawn.

    Raises
    ------
    ParameterError
        If `dies` are of another type or shape.
    DataError
        If the fit does not state the effect of the process parameters of the dies.

    Returns
    -------
    Tensor, shape (*shape, n), float64
        In the units of the covariance.
    """
    *leading, _, _ = shape
    given = check_dies(dies, tuple(leading))
    total = torch.zeros((*shape, len(fit.coefficients)), dtype=torch.float64)
    if given is not None:
        total = total + given.change(fit)[..., None, None, :]
    for part, wanted, drawn in (
        ("process", process and given is None, (*leading, 1, 1)),
        ("mismatch", mismatch, shape),
    ):
        if wanted:
            total = total + draw_normal(fit.covariance[part], drawn, generator)
    return total


def keep_random(module: nn.Module, fit: RandomFit, drawn: Tensor) -> None:
    """Store drawn coefficients in the buffers of a module.

    Parameters
    ----------
    module : Module
        The module.
    fit : RandomFit
        The random model, which names the coefficients.
    drawn : Tensor, shape (..., n)
        The n coefficients, in the order and the units of `fit`.
    """
    for index, coefficient in enumerate(fit.coefficients):
        module.register_buffer(f"{_RANDOM}{coefficient.name}", drawn[..., index])


def kept_random(module: nn.Module) -> dict[str, Tensor]:
    """Return the coefficients that `keep_random` stored in a `module`.

    Returns
    -------
    dict of str to Tensor, shape (...)
        Name -> coefficient of every circuit [its unit].
    """
    buffers = module.named_buffers(recurse=False)
    return {name.removeprefix(_RANDOM): buffer for name, buffer in buffers if name.startswith(_RANDOM)}
