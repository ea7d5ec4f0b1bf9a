"""Attention as the arrays compute it: phi(Q K^T) V with cells for multipliers and pulses for activations."""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn

from ..errors import DataError, ParameterError
from ..registry import DEFAULT_HEAD, DEFAULT_TECHNOLOGY, find_record, load_head, record_sets
from ..sweep.arguments import check_count, check_number
from .array import pulses, surrogate, weights_of
from .checks import Guard, check_flag, check_tensor, check_together, exact
from .elements import GainCell, ReLUC2P, SignedC2P, longest_pulse

_BLOCK = 128
"""Queries at a time: what a block needs stays in a core's cache."""
_LARGEST_DECAY = 0.2
"""Exponent of the decay within a block."""
_NODES = 4
_MICRO = 1e-6
_MOST_LEVELS = 2**24


class Attention(nn.Module):
    """The same as `attention` as a module: the records are read once, and it compiles.

    Parameters
    ----------
    records : str or Path
        ``"paper"``, the name of a technology, or a folder of records.
    form : str, optional
        ``"cubic"``, ``"dc"`` or ``"pulsed"``; the best in the records by default.
    decay_per_token : float
        Part of ``v_store - v_ref`` that a stored token loses per token: its weight is ``exp(-decay_per_token age)``.
    decay_on : {"weight", "output"}
        Decay the stored voltage, so that term i of the cell's power series decays with the weight to the power i and
        the constant not at all; or the whole product, for K after it, for V on its input.  Both occur in the published
        code.
    quantize : bool
        Round inputs, stored voltages and outputs to the levels of the hardware; the gradient passes straight through.
    window : int, optional
        Tokens that are kept; all of them by default.
    array_length : int, optional
        Tokens per array: each array's output is converted by itself, and the results are added, as in hardware.
    gradient : {"true", "surrogate"}
        As of `GainCell`.
    outside : {"clamp", "refuse", "extrapolate"}
        What to do with inputs out of range, as of `Guard`.

    Raises
    ------
    ParameterError
        If an option is unknown, of another kind or out of range; when called, as `attention` does.
    DataError
        If the records do not hold what the head is built from.
    """

    def __init__(
        self,
        records: str | Path = DEFAULT_TECHNOLOGY,
        form: str | None = None,
        *,
        head: str = DEFAULT_HEAD,
        decay_per_token: float = 0.0,
        decay_on: str = "weight",
        quantize: bool = False,
        window: int | None = None,
        array_length: int | None = None,
        gradient: str = "true",
        outside: str = "clamp",
    ) -> None:
        super().__init__()
        _check_options(decay_per_token, decay_on, quantize, window, array_length)
        declared = load_head(head)
        values = declared.operation("values")
        known = find_record(records, f"{values.converter}.{next(iter(values.forms.values())).study}").parameters
        self.cell = GainCell.from_records(records, form, head=head, gradient=gradient, outside=outside)
        self.scores = ReLUC2P.from_records(records, form, head=head)
        self.values = SignedC2P.from_records(records, form, head=head)
        self.t_max = longest_pulse(records, head)
        self.levels_input, self.levels_store = declared.levels_input, declared.levels_store
        self.levels_output = _levels(known.get("levels_output", declared.levels_output))
        self.rate, self.on_output, self.quantize = decay_per_token, decay_on == "output", quantize
        self.window, self.array_length = window, array_length
        self._fraction = Guard("q", 0.0, 1.0, outside, "a fraction of the longest pulse runs")

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Output as a fraction of its full scale, shape (..., tokens, dim)."""
        return torch.cat([block[0] for block in self._blocks(q, k, v, whole=False)], -2)

    def intermediates(self, q: Tensor, k: Tensor, v: Tensor) -> dict[str, Tensor]:
        """Return ``S``, ``phi_S`` and ``output``, as `attention` does."""
        blocks = self._blocks(q, k, v, whole=True)
        return {name: torch.cat([b[i] for b in blocks], -2) for i, name in enumerate(("output", "S", "phi_S"))}

    def _blocks(self, q: Tensor, k: Tensor, v: Tensor, *, whole: bool) -> list[tuple[Tensor, ...]]:
        _check_tensors(q, k, v)
        given = q.dtype
        # Charges in SI units are too small for float16.
        q, k, v = (x.float() if given == torch.float16 else x for x in (q, k, v))
        with exact(q):
            return [(block[0].to(given), *block[1:]) for block in self._computed(q, k, v, whole=whole)]

    def _computed(self, q: Tensor, k: Tensor, v: Tensor, *, whole: bool) -> list[tuple[Tensor, ...]]:
        q = self._fraction(q)
        if self.quantize:
            low, high = self.cell.box("v_store")
            q = rounded(q, 1 / (self.levels_input - 1))
            k, v = (low + rounded(x - low, (high - low) / (self.levels_store - 1)) for x in (k, v))
        fixed = self.rate == 0 or self.on_output
        keys, values = _stored(self.cell, k, fixed=fixed), _stored(self.cell, v, fixed=fixed)
        tokens = q.shape[-2]
        size = max(1, int(min(_BLOCK, _LARGEST_DECAY / self.rate)) if self.rate > 0 else _BLOCK)
        spans = [(start, min(start + size, tokens)) for start in range(0, tokens, size)]
        return [self._block(q, keys, values, start, stop, whole=whole) for start, stop in spans]

    def _block(
        self, q: Tensor, keys: "_Stored", values: "_Stored", start: int, stop: int, *, whole: bool
    ) -> tuple[Tensor, ...]:
        """Output of some queries; scores and pulses over all tokens, too, if `whole`."""
        tokens = q.shape[-2]
        window, length = min(self.window or tokens, tokens), min(self.array_length or tokens, tokens)
        first = max(0, start - window + 1) // length * length
        age = torch.arange(start, stop, device=q.device)[:, None] - torch.arange(first, stop, device=q.device)
        block = _Block(parts=self, start=start, stop=stop, first=first, hidden=(age < 0) | (age >= window))
        charge = block.scores(self.t_max * q[..., start:stop, :], keys)
        pulse = self.scores.evaluate(charge).masked_fill(block.hidden, 0.0)
        arrays = [slice(s, s + length) for s in range(0, stop - first, length)]
        outputs = [self._converted(block.values(pulse, values, array)) for array in arrays]
        output = outputs[0] if len(outputs) == 1 else torch.stack(outputs).sum(0)
        if not whole:
            return (output,)
        pad = (first, tokens - stop)
        shown = charge.masked_fill(block.hidden, 0.0) / (_MICRO * self.t_max), pulse / self.t_max
        return output, *(torch.nn.functional.pad(x, pad) for x in shown)

    def _converted(self, charge: Tensor) -> Tensor:
        output = self.values.evaluate(charge) / self.t_max
        return rounded(output, 2 / (self.levels_output - 1)) if self.quantize else output


@cache
def _module(records: str, form: str | None, options: tuple[tuple[str, Any], ...]) -> Attention:
    return Attention(records, form, **dict(options))


@overload
def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    records: str | Path = ...,
    form: str | None = ...,
    head: str = ...,
    decay_per_token: float = ...,
    decay_on: str = ...,
    quantize: bool = ...,
    window: int | None = ...,
    array_length: int | None = ...,
    gradient: str = ...,
    outside: str = ...,
    return_intermediates: Literal[False] = ...,
) -> Tensor: ...
@overload
def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    records: str | Path = ...,
    form: str | None = ...,
    head: str = ...,
    decay_per_token: float = ...,
    decay_on: str = ...,
    quantize: bool = ...,
    window: int | None = ...,
    array_length: int | None = ...,
    gradient: str = ...,
    outside: str = ...,
    return_intermediates: Literal[True],
) -> dict[str, Tensor]: ...
def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    records: str | Path = DEFAULT_TECHNOLOGY,
    form: str | None = None,
    head: str = DEFAULT_HEAD,
    decay_per_token: float = 0.0,
    decay_on: str = "weight",
    quantize: bool = False,
    window: int | None = None,
    array_length: int | None = None,
    gradient: str = "true",
    outside: str = "clamp",
    return_intermediates: bool = False,
) -> Tensor | dict[str, Tensor]:
    """Causal attention through the fitted hardware; Leroux et al. 2025, Methods, eq. 2 to 4.

    With ``records="paper"`` it is the published model: ``S = sum_d q f(k)`` with the cubic f, ``phi = clamp(S/80, 0,
    1)``, ``output = clamp(A/40, -1, 1)``, S and A in uA x t_max.

    Parameters
    ----------
    q : Tensor, shape (..., tokens, dim)
        Input pulse widths as a fraction of the longest, in [0, 1].  float16 is computed in float32, and so is anything
        under autocast that is float32.
    k, v : Tensor, shape (..., tokens, dim)
        Stored voltages [V].
    records, form, head, decay_per_token, decay_on, quantize, window, array_length, gradient, outside
        As of `Attention`.
    return_intermediates : bool
        Return scores and pulses, too.

    Returns
    -------
    Tensor, shape (..., tokens, dim), or dict
        The output as a fraction of its full scale; or ``S`` [uA x t_max] and ``phi_S`` (fraction of the longest pulse),
        both of shape (..., tokens, tokens) and 0 where the mask hides a token, and ``output``, in the inputs' type;
        for float16 inputs ``S`` and ``phi_S`` are float32.

    Raises
    ------
    ParameterError
        If an input is no tensor of real numbers, shapes or types do not match, an option is unknown, of another kind or
        out of range, or an input holds NaN or lies outside its range.
    """
    # Before the module is looked up: to a dictionary True is 1.
    _check_options(decay_per_token, decay_on, quantize, window, array_length)
    check_flag("return_intermediates", return_intermediates)
    options: dict[str, Any] = {
        "head": head,
        "decay_per_token": decay_per_token,
        "decay_on": decay_on,
        "quantize": quantize,
        "window": window,
        "array_length": array_length,
        "gradient": gradient,
        "outside": outside,
    }
    # A folder's records may be written again at any time.
    packaged = str(records) in record_sets() and all(isinstance(x, Hashable) for x in (form, *options.values()))
    module = _module(str(records), form, tuple(options.items())) if packaged else Attention(records, form, **options)
    return module.intermediates(q, k, v) if return_intermediates else module(q, k, v)


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """Stored voltages [V], inside the cell's box, and what they come to where nothing decays."""

    v_store: Tensor
    weights: Tensor | None
    line: Tensor | None


def _stored(cell: GainCell, v_store: Tensor, *, fixed: bool) -> _Stored:
    line = cell.line(v_store) if cell.gradient == "surrogate" else None
    v_store = cell.inside("v_store", v_store)
    return _Stored(
        v_store=v_store, weights=weights_of(*cell.split(cell.model, v_store), -1) if fixed else None, line=line
    )


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Some queries, and the tokens they may see.

    A decay is a factor of the token, up to the first query, times a factor of the query.  Where the stored voltage
    decays, the second acts through the cell's model: interpolated over `_NODES` decays, which is exact for a cubic.
    """

    parts: Attention
    start: int
    stop: int
    first: int
    hidden: Tensor

    def scores(self, t_pulse: Tensor, keys: _Stored) -> Tensor:
        """Charge [C] of every query and token."""
        faces = self._faces(keys)
        left = torch.cat([_times(pulses(t_pulse, self._edges), query) for query, _ in faces], -1)
        right = torch.cat([token for _, token in faces], -1).mT
        if keys.line is None:
            return left @ right
        return surrogate(left @ right, _times(t_pulse, self._of_queries()), self._line(keys.line).mT)

    def values(self, pulse: Tensor, stored: _Stored, tokens: slice) -> Tensor:
        """Charge [C] of every query and column that some of the tokens sink; `pulse` has all tokens."""
        driven = pulse[..., tokens]
        present = (driven > 0).to(driven.dtype)
        total = pulse.new_zeros(())
        for query, token in self._faces(stored):
            current, *edges = token[..., tokens, :].chunk(2, -1) if self._edges else (token[..., tokens, :],)
            term = driven @ current
            for edge in edges:
                term = term + present @ edge
            total = total + _times(term, query)
        if stored.line is None:
            return total
        line = self._line(stored.line)[..., tokens, :]
        return surrogate(total, _times(driven, self._of_queries()), line)

    @property
    def _edges(self) -> bool:
        return self.parts.cell.charge

    def _faces(self, stored: _Stored) -> list[tuple[Tensor | None, Tensor]]:
        """Pairs of a factor per query and weights per token, to be summed."""
        cell, seen = self.parts.cell, slice(self.first, self.stop)
        if stored.weights is not None:
            weights = stored.weights[..., seen, :]
            return [(self._of_queries(), _times(weights, self._of_tokens(weights)))]
        w = stored.v_store[..., seen, :] - cell.v_ref
        w = _times(w, self._of_tokens(w))
        nodes, factors = self._interpolation(w)
        return [
            (factors[:, m], weights_of(*cell.split(cell.model, cell.v_ref + node * w), -1))
            for m, node in enumerate(nodes)
        ]

    def _line(self, line: Tensor) -> Tensor:
        seen = line[..., self.first : self.stop, :]
        return _times(seen, self._of_tokens(seen))

    def _of_queries(self) -> Tensor | None:
        """Decay since the block's first query, shape (queries,)."""
        return self._decay(0, self.stop - self.start)

    def _of_tokens(self, like: Tensor) -> Tensor | None:
        """Decay up to the block's first query, shape (tokens,); above 1 for tokens that come after it."""
        found = self._decay(self.start - self.stop + 1, self.start - self.first + 1)
        return None if found is None else found.flip(0).to(like)

    def _decay(self, youngest: int, end: int) -> Tensor | None:
        if self.parts.rate == 0:
            return None
        ages = torch.arange(youngest, end, device=self.hidden.device, dtype=torch.float64)
        return torch.exp(-self.parts.rate * ages)

    def _interpolation(self, like: Tensor) -> tuple[list[float], Tensor]:
        """Decays to interpolate between, and the weight of each for every query, shape (queries, nodes)."""
        least = math.exp(-self.parts.rate * (self.stop - self.start - 1))
        if self.stop - self.start == 1:
            return [1.0], torch.ones((1, 1)).to(like)
        angle = [math.cos(math.pi * m / (_NODES - 1)) for m in range(_NODES)]
        nodes = [(1 + least) / 2 + (1 - least) / 2 * c for c in angle]
        powers = torch.linalg.vander(torch.tensor(angle, dtype=torch.float64))
        lost = torch.expm1(-self.parts.rate * torch.arange(self.stop - self.start, dtype=torch.float64))
        x = 1 - lost / lost[-1]
        return nodes, (torch.linalg.vander(2 * x - 1, N=_NODES) @ torch.linalg.inv(powers)).to(like)


def _times(x: Tensor, rows: Tensor | None) -> Tensor:
    """Each row of `x`, shape (..., rows, columns), times its factor."""
    return x if rows is None else x * rows.to(x.dtype)[:, None]


def rounded(x: Tensor, step: float) -> Tensor:
    """`x` rounded to multiples of `step`; the gradient passes straight through."""
    return x + (step * torch.round(x / step) - x).detach()


def _check_tensors(q: Tensor, k: Tensor, v: Tensor) -> None:
    for name, tensor in (("q", q), ("k", k), ("v", v)):
        check_tensor(name, tensor, (torch.float16,))
    check_together(q=q, k=k, v=v)
    if not (q.ndim >= 2 and q.shape == k.shape == v.shape and q.shape[-2] > 0):
        raise ParameterError(
            f"q, k and v have shapes {tuple(q.shape)}, {tuple(k.shape)} and {tuple(v.shape)}; they take one shape, "
            "(..., tokens, dim), of at least one token"
        )


def _levels(value: float | str) -> int:
    """Number of levels of an output that a record states."""
    if isinstance(value, str) or not 2 <= value <= _MOST_LEVELS:
        raise DataError(f"levels_output = {value} in the records must be a number from 2 to {_MOST_LEVELS}")
    return int(value)


def _check_options(
    decay_per_token: float, decay_on: str, quantize: bool, window: int | None, array_length: int | None
) -> None:
    check_number("decay_per_token", decay_per_token, 0.0)
    check_flag("quantize", quantize)
    if decay_on not in ("weight", "output"):
        raise ParameterError(f"decay_on = {decay_on!r}; choose weight, output")
    for name, value in (("window", window), ("array_length", array_length)):
        if value is not None:
            check_count(name, value, 1)
