"""Charges of a block of queries, with the decay of every key up to each query."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .elements import GainCell
from .products import pulses, surrogate, weights_of
from .token_decay import decay_interpolation, key_decay, query_decay


@dataclass(frozen=True, kw_only=True)
class StoredTokens:
    """Stored voltages of all tokens, with precomputed weights if the voltage does not decay.

    Attributes
    ----------
    v_store : Tensor, shape (..., tokens, dim)
        Stored voltages [V], clamped to the valid range.
    weights : Tensor or None, shape (..., tokens, dim or 2 dim)
        Right factor of the product with `pulses`: currents [A] and charges of edges [C]; None if the voltage decays.
    line : Tensor or None, shape (..., tokens, dim)
        Current [A] of the surrogate line; None with the true gradient.
    """

    v_store: Tensor
    weights: Tensor | None
    line: Tensor | None

    @classmethod
    def of(cls, cell: GainCell, v_store: Tensor, *, voltage_decays: bool) -> "StoredTokens":
        """Prepare the stored tokens.

        Parameters
        ----------
        cell : GainCell
            Model of the cell.
        v_store : Tensor, shape (..., tokens, dim)
            Stored voltages [V].
        voltage_decays : bool
            Whether the stored voltage decays with the age of a token.
        """
        line = cell.line(v_store) if cell.gradient == "surrogate" else None
        v_store = cell.inside("v_store", v_store)
        weights = None if voltage_decays else weights_of(*cell.split(cell.model, v_store), -1)
        return cls(v_store=v_store, weights=weights, line=line)


@dataclass(frozen=True, kw_only=True)
class QueryBlock:
    """Queries `start` to `stop` - 1, and tokens `first` to `stop` - 1; a query sees all tokens up to itself.

    The decay from a key to a query is a product of two factors: from the key to the first query of the block, and
    from there to the query.  If the stored voltage decays, the second factor is applied by interpolation of the cell's
    model.  `rate` is the decay per token.
    """

    cell: GainCell
    rate: float
    start: int
    stop: int
    first: int
    device: torch.device

    def scores(self, t_pulse: Tensor, keys: StoredTokens) -> Tensor:
        """Charge [C] of every query and token, shape (..., queries, tokens), for pulses [s] of (..., queries, dim)."""
        terms = self._terms(keys)
        driven = pulses(t_pulse, self.cell.charge)
        left = torch.cat([_scale_rows(driven, of_queries) for of_queries, _ in terms], -1)
        right = torch.cat([weights for _, weights in terms], -1).mT
        if keys.line is None:
            return left @ right
        return surrogate(left @ right, _scale_rows(t_pulse, self._query_decay), self._decayed_line(keys.line).mT)

    def values(self, pulse: Tensor, stored: StoredTokens, tokens: slice) -> Tensor:
        """Charge that some of the tokens sink from each column [C], shape (..., queries, dim).

        Parameters
        ----------
        pulse : Tensor, shape (..., queries, tokens)
            Pulse widths [s] for all tokens of the block.
        stored : StoredTokens
            The stored tokens.
        tokens : slice
            Tokens of one array, counted from the first of the block.
        """
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
        """Terms of the decayed weights: factors of shape (queries,), and weights of shape (..., tokens, dim)."""
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
        """Current [A] of the surrogate line at the first query of the block."""
        return _scale_rows(line[..., self.first : self.stop, :], self._key_decay)

    @property
    def _query_decay(self) -> Tensor | None:
        return query_decay(self.rate, self.stop - self.start, self.device) if self.rate else None

    @property
    def _key_decay(self) -> Tensor | None:
        return key_decay(self.rate, self.stop - self.start, self.start - self.first, self.device) if self.rate else None


def _scale_rows(x: Tensor, factors: Tensor | None) -> Tensor:
    """Multiply each row of `x`, shape (..., rows, columns), by its factor; None leaves `x` unchanged."""
    return x if factors is None else x * factors.to(x.dtype)[:, None]
