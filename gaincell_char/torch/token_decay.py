"""Decay of stored tokens, split into a factor of the query and one of the key: equations in docs/software-model.md."""

import math

import torch
from torch import Tensor

MOST_QUERIES = 128
"""Queries of one block: what it needs stays in a core's cache."""
_LARGEST_EXPONENT = 0.2
"""Largest exponent of the decay within a block: keeps the interpolation over the block's decays accurate."""
N_NODES = 4
"""Decays that the cell's model is evaluated at: a polynomial of the third degree, a cubic cell, is met exactly."""


def queries_per_block(rate: float) -> int:
    """Return how many queries one block takes, for a decay of ``exp(-rate)`` per token."""
    return MOST_QUERIES if rate == 0 else max(1, int(min(MOST_QUERIES, _LARGEST_EXPONENT / rate)))


def query_decay(rate: float, queries: int, device: torch.device | None = None) -> Tensor:
    """Decay from the block's first query up to each of its queries, shape (queries,), float64."""
    since_first_query = torch.arange(0, queries, device=device, dtype=torch.float64)
    return torch.exp(-rate * since_first_query)


def key_decay(rate: float, queries: int, earlier: int, device: torch.device | None = None) -> Tensor:
    """Decay from each key up to the block's first query, shape (earlier + queries,), float64.

    The keys are the `earlier` tokens before the block, oldest first, and those of the block; there it is above 1.
    """
    age_at_first_query = torch.arange(earlier, -queries, -1, device=device, dtype=torch.float64)
    return torch.exp(-rate * age_at_first_query)


def chebyshev_nodes() -> list[float]:
    """Return the extrema of the Chebyshev polynomial of degree `N_NODES` - 1 on [-1, 1], from 1 down to -1.

    Trefethen, Approximation Theory and Approximation Practice, 2013, chapter 2.
    """
    return [math.cos(math.pi * m / (N_NODES - 1)) for m in range(N_NODES)]


def decay_interpolation(rate: float, queries: int) -> tuple[list[float], Tensor]:
    """Interpolate a function of the decay over the decays of a block's queries.

    Returns
    -------
    decays : list of float
        Where to evaluate the function: the Chebyshev nodes between the decay of the last query and 1.
    weights : Tensor, shape (queries, nodes), float64
        Weight of each value in that of each query: the Lagrange polynomials at the query's decay.
    """
    if queries == 1:
        return [1.0], torch.ones((1, 1), dtype=torch.float64)
    least = math.exp(-rate * (queries - 1))
    nodes = chebyshev_nodes()
    decays = [(1 + least) / 2 + (1 - least) / 2 * node for node in nodes]
    # By expm1, for a slow decay leaves nothing of 1 - exp(-rate).
    lost = torch.expm1(-rate * torch.arange(queries, dtype=torch.float64))
    place = 2 * (1 - lost / lost[-1]) - 1
    node_powers = torch.linalg.vander(torch.tensor(nodes, dtype=torch.float64))
    query_powers = torch.linalg.vander(place, N=N_NODES)
    return decays, query_powers @ torch.linalg.inv(node_powers)
