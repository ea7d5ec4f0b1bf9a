"""Decay of stored tokens in blocks of queries, against a model that knows no block: every query and key by itself."""

import math

import pytest
import torch

from gaincell_char.torch import Attention, attention
from gaincell_char.torch.token_decay import (
    MOST_QUERIES,
    N_NODES,
    chebyshev_nodes,
    decay_interpolation,
    key_decay,
    queries_per_block,
    query_decay,
)

T_MAX = 15e-9


def naive_attention(q, k, v, rate, error, *, decay_on="weight", window=None, **records):
    """Causal attention with an evaluation of the cell per query, key and column, each stored voltage at its own age.

    Each result is given with its change if every charge has an `error`, relative to the largest one.
    """
    module = Attention(decay_on=decay_on, **records)
    cell, tokens = module.cell, len(q)
    age = torch.arange(tokens)[:, None] - torch.arange(tokens)
    seen = ((age >= 0) & (age < (window or tokens)))[..., None]
    decay = torch.exp(-rate * age.clamp(min=0).double())[..., None]

    def charge(pulse, stored):
        """Charge [C] of each query, key and column: shape (tokens, tokens, dim)."""
        stored = stored.expand(tokens, *stored.shape)
        if decay_on == "weight":
            return cell(cell.v_ref + decay * (stored - cell.v_ref), pulse)
        return decay * cell(stored, pulse)

    def move(converter, charges):
        """Largest change of a pulse, relative to t_max, if its charge moves by the error allowed for charges.

        At the threshold of a converter a pulse is up to a thousand times as sensitive as elsewhere.
        """
        here, by = converter.evaluate(charges), error * charges.abs().max()
        return torch.stack([(converter.evaluate(charges + d) - here).abs() for d in (-by, by)]).amax(0) / T_MAX

    scores = (charge(T_MAX * q[:, None, :], k) * seen).sum(-1)
    pulse = module.scores.evaluate(scores) * seen[..., 0]
    charges = (charge(pulse[..., None], v) * seen).sum(1)
    return {
        "S": (scores / (1e-6 * T_MAX), 0.0),
        "phi_S": (pulse / T_MAX, move(module.scores, scores)),
        "output": (module.values.evaluate(charges) / T_MAX, move(module.values, charges)),
    }


def tokens_of(tokens, dim):
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.rand((3, tokens, dim), generator=generator, dtype=torch.float64)
    return q, 0.9 * k, 0.9 * v


@pytest.mark.parametrize("window", [None, 9])
@pytest.mark.parametrize("decay_on", ["weight", "output"])
@pytest.mark.parametrize("rate", [0.0, 0.004, 0.03, 0.3])
@pytest.mark.parametrize(("records", "form", "error"), [("paper", "cubic", 1e-12), ("gc28", "pulsed", 1e-5)])
def test_blocks_give_what_each_query_and_key_give_alone(records, form, error, rate, decay_on, window):
    q, k, v = tokens_of(60, 5)
    options = {"records": records, "form": form, "decay_on": decay_on}
    found = attention(q, k, v, decay_per_token=rate, window=window, return_intermediates=True, **options)
    for name, (expected, moved) in naive_attention(q, k, v, rate, error, window=window, **options).items():
        scale = expected.abs().max()
        assert scale > 0
        assert ((found[name] - expected).abs() <= error * scale + moved).all(), name


@pytest.mark.parametrize(("rate", "queries", "earlier"), [(0.03, 6, 10), (1e-9, 128, 3), (2.0, 1, 0)])
def test_the_two_factors_multiply_to_the_decay_at_each_age(rate, queries, earlier):
    query = torch.arange(earlier, earlier + queries)[:, None]
    age = (query - torch.arange(earlier + queries)).double()
    product = query_decay(rate, queries)[:, None] * key_decay(rate, queries, earlier)
    torch.testing.assert_close(product, torch.exp(-rate * age), rtol=1e-14, atol=0)


@pytest.mark.parametrize("rate", [1e-12, 1.6e-4, 1e-2, 0.2])
def test_a_cubic_is_interpolated_exactly_and_an_exponential_closely(rate):
    queries = queries_per_block(rate)
    decays, weights = decay_interpolation(rate, queries)
    nodes, wanted = torch.tensor(decays, dtype=torch.float64), query_decay(rate, queries)
    torch.testing.assert_close(weights.sum(1), torch.ones(queries, dtype=torch.float64))
    for power in range(N_NODES):
        torch.testing.assert_close(weights @ nodes**power, wanted**power, rtol=0, atol=1e-14)
    # The bound in docs/software-model.md, of exp(4 a): its fourth derivative is at most 4^4 e^4.
    bound = 4**4 * math.exp(4) * (1 - float(wanted[-1])) ** 4 / 1536
    off = (weights @ torch.exp(4 * nodes) - torch.exp(4 * wanted)).abs().max()
    assert off <= bound + 1e-13


def test_blocks_are_short_where_tokens_decay_fast():
    assert queries_per_block(0.0) == queries_per_block(1e-6) == MOST_QUERIES
    assert [queries_per_block(rate) for rate in (0.01, 0.1, 5.0)] == [20, 2, 1]
    assert chebyshev_nodes() == pytest.approx([1.0, 0.5, -0.5, -1.0])
