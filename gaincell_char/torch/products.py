"""The charge of columns as a matrix product of pulses and weights."""

import torch
from torch import Tensor


def pulses(t_pulse: Tensor, edges: bool) -> Tensor:
    """Left factor of the matrix product with `weights_of`.

    Parameters
    ----------
    t_pulse : Tensor, shape (..., rows)
        Pulse widths [s].
    edges : bool
        Whether the model has a charge of the pulse edges.

    Returns
    -------
    Tensor, shape (..., rows or 2 rows)
        Pulse widths [s]; with `edges` followed by 1 where there is a pulse and 0 where there is none.
    """
    return torch.cat([t_pulse, (t_pulse > 0).to(t_pulse.dtype)], -1) if edges else t_pulse


def weights_of(current: Tensor, edges: Tensor | None, dim: int) -> Tensor:
    """Right factor of the matrix product with `pulses`.

    Parameters
    ----------
    current : Tensor, shape (..., rows, columns)
        Current during a pulse [A].
    edges : Tensor, shape (..., rows, columns), or None
        Charge of the pulse edges [C].
    dim : int
        Dimension of the rows, along which the two are concatenated.

    Returns
    -------
    Tensor, shape (..., rows or 2 rows, columns)
        Currents [A]; charges [C] in the second half.
    """
    return current if edges is None else torch.cat([current, edges], dim)


def surrogate(product: Tensor, line_left: Tensor, line_right: Tensor) -> Tensor:
    """Value of `product`, with the gradient of ``line_left @ line_right``.

    Parameters
    ----------
    product : Tensor, shape (..., n, columns)
        Charge [C].
    line_left : Tensor, shape (..., n, rows)
        Pulse widths [s].
    line_right : Tensor, shape (..., rows, columns)
        Current of the linear model [A].

    Returns
    -------
    Tensor, shape (..., n, columns)
        Charge [C].
    """
    if not torch.is_grad_enabled():
        return product
    line = line_left @ line_right
    return product.detach() + (line - line.detach())
