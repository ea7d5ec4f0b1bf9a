"""Decay of stored tokens, as a factor of the query times a factor of the key: equations in docs/software-model.md."""

import math

import torch
from torch import Tensor

MOST_QUERIES = 128
"""Queries of one block: its data fit into the cache of a core."""
_LARGEST_EXPONENT = 0.2
"""Largest exponent of the decay within a block, for accurate interpolation over the decays of the block."""
N_NODES = 4
"""Number of decays at which the cell's model is evaluated: exact for polynomials up to the third degree."""


def queries_per_block(rate: float) -> int:
    """Number of queries per block, for a decay of ``exp(-rate)`` per token."""
    return MOST_QUERIES if rate == 0 else max(1, int(min(MOST_QUERIES, _LARGEST_EXPONENT / rate)))


def query_decay(rate: float, queries: int, device: torch.device | None = None) -> Tensor:
    """Decay from the first query of a block to each of its `queries`, dimensionless, shape (queries,), float64.

    `rate` is the decay per token; `device` is the device of the result.
    """
    since_first_query = torch.arange(0, queries, device=device, dtype=torch.float64)
    return torch.exp(-rate * since_first_query)


def key_decay(rate: float, queries: int, earlier: int, device: torch.device | None = None) -> Tensor:
    """Decay from each key to the first query of a block, dimensionless, shape (earlier + queries,), float64.

    The keys are the `earlier` tokens before the block, oldest first, and the `queries` tokens of the block, for which
    the factor is above 1.  `rate` is the decay per token; `device` is the device of the result.
    """
    age_at_first_query = torch.arange(earlier, -queries, -1, device=device, dtype=torch.float64)
    return torch.exp(-rate * age_at_first_query)


def chebyshev_nodes() -> list[float]:
    """Extrema of the Chebyshev polynomial of degree `N_NODES` - 1 on [-1, 1], from 1 down to -1.

    Trefethen, Approximation Theory and Approximation Practice, 2013, chapter 2.
    """
    return [math.cos(math.pi * m / (N_NODES - 1)) for m in range(N_NODES)]


def decay_interpolation(rate: float, queries: int) -> tuple[list[float], Tensor]:
    """Interpolate a function of the decay over the decays of a block's queries.

    Returns
    -------
    decays : list of float
        Decays at which to evaluate the function: Chebyshev nodes between the decay of the last query and 1.
    weights : Tensor, shape (queries, nodes), float64
        Weight of each function value in the result of each query, dimensionless: the Lagrange polynomials at the decay
        of the query.
    """
    if queries == 1:
        return [1.0], torch.ones((1, 1), dtype=torch.float64)
    least = math.exp(-rate * (queries - 1))
    nodes = chebyshev_nodes()
    decays = [(1 + least) / 2 + (1 - least) / 2 * node for node in nodes]
    # expm1, since 1 - exp(-rate) loses its digits for a slow decay.
    lost = torch.expm1(-rate * torch.arange(queries, dtype=torch.float64))
    place = 2 * (1 - lost / lost[-1]) - 1
    node_powers = torch.linalg.vander(torch.tensor(nodes, dtype=torch.float64))
    query_powers = torch.linalg.vander(place, N=N_NODES)
    return decays, query_powers @ torch.linalg.inv(node_powers)
