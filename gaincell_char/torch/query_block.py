"""Charges of a block of queries: every key they may see, at the decay it has reached by then."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .array import pulses, surrogate, weights_of
from .elements import GainCell
from .token_decay import decay_interpolation, key_decay, query_decay


@dataclass(frozen=True, kw_only=True)
class StoredTokens:
    """Stored voltages of every token, shape (..., tokens, dim), and what needs no decay to be known.

    Attributes
    ----------
    v_store : Tensor
        Stored voltages [V], inside the cell's valid range.
    weights : Tensor or None
        What the product with `pulses` takes, shape (..., tokens, dim or 2 dim); None where the voltage itself decays.
    line : Tensor or None
        Current [A] of the surrogate; None unless the gradient is the surrogate's.
    """

    v_store: Tensor
    weights: Tensor | None
    line: Tensor | None

    @classmethod
    def of(cls, cell: GainCell, v_store: Tensor, *, voltage_decays: bool) -> "StoredTokens":
        """Return the tokens that are stored as `v_store` [V]."""
        line = cell.line(v_store) if cell.gradient == "surrogate" else None
        v_store = cell.inside("v_store", v_store)
        weights = None if voltage_decays else weights_of(*cell.split(cell.model, v_store), -1)
        return cls(v_store=v_store, weights=weights, line=line)


@dataclass(frozen=True, kw_only=True)
class QueryBlock:
    """Queries `start` up to `stop`, and the tokens `first` up to `stop`, of which each sees those up to itself.

    The decay from a key to a query is the key's factor, up to the block's first query, times the query's, from there.
    Where the stored voltage decays, the query's factor acts through the cell's model, which is interpolated.
    """

    cell: GainCell
    rate: float
    start: int
    stop: int
    first: int
    device: torch.device

    def scores(self, t_pulse: Tensor, keys: StoredTokens) -> Tensor:
        """Charge [C] of every query and token, shape (..., queries, tokens), by pulses [s] of (..., queries, dim)."""
        terms = self._terms(keys)
        driven = pulses(t_pulse, self.cell.charge)
        left = torch.cat([_scale_rows(driven, of_queries) for of_queries, _ in terms], -1)
        right = torch.cat([weights for _, weights in terms], -1).mT
        if keys.line is None:
            return left @ right
        return surrogate(left @ right, _scale_rows(t_pulse, self._query_decay), self._decayed_line(keys.line).mT)

    def values(self, pulse: Tensor, stored: StoredTokens, tokens: slice) -> Tensor:
        """Charge [C] of every query and column that some of the tokens sink; `pulse` has all tokens of the block."""
        driven = pulse[..., tokens]
        present = (driven > 0).to(driven.dtype)
        total = pulse.new_zeros(())
        for of_queries, weights in self._terms(stored):
            if self.cell.charge:
                current, edges = weights[..., tokens, :].chunk(2, -1)
                term = driven @ current + present @ edges
            else:
                term = driven @ weights[..., tokens, :]
            total = total + _scale_rows(term, of_queries)
        if stored.line is None:
            return total
        line = self._decayed_line(stored.line)[..., tokens, :]
        return surrogate(total, _scale_rows(driven, self._query_decay), line)

    def _terms(self, stored: StoredTokens) -> list[tuple[Tensor | None, Tensor]]:
        """Terms of the decayed weights: a factor per query, (queries,), times weights per token, (..., tokens, dim)."""
        cell, seen = self.cell, slice(self.first, self.stop)
        if stored.weights is not None:
            return [(self._query_decay, _scale_rows(stored.weights[..., seen, :], self._key_decay))]
        at_first_query = _scale_rows(stored.v_store[..., seen, :] - cell.v_ref, self._key_decay)
        decays, of_queries = decay_interpolation(self.rate, self.stop - self.start)
        of_queries = of_queries.to(at_first_query)
        terms: list[tuple[Tensor | None, Tensor]] = []
        for node, decay in enumerate(decays):
            current, edges = cell.split(cell.model, cell.v_ref + decay * at_first_query)
            terms.append((of_queries[:, node], weights_of(current, edges, -1)))
        return terms

    def _decayed_line(self, line: Tensor) -> Tensor:
        """Current [A] of the surrogate at the block's first query."""
        return _scale_rows(line[..., self.first : self.stop, :], self._key_decay)

    @property
    def _query_decay(self) -> Tensor | None:
        return query_decay(self.rate, self.stop - self.start, self.device) if self.rate else None

    @property
    def _key_decay(self) -> Tensor | None:
        return key_decay(self.rate, self.stop - self.start, self.start - self.first, self.device) if self.rate else None


def _scale_rows(x: Tensor, factors: Tensor | None) -> Tensor:
    """Each row of `x`, shape (..., rows, columns), times its factor, if there are any."""
    return x if factors is None else x * factors.to(x.dtype)[:, None]
