"""Attention computed by gain-cell arrays: phi(Q K^T) V, with cells as multipliers and pulses as activations."""

from collections.abc import Hashable
from functools import cache
from typing import Literal, Unpack, overload

import torch
from torch import Tensor, nn

from ..errors import DataError, ParameterError
from ..fitting.at_conditions import NOMINAL, Condition, RecordsAt
from ..registry import DEFAULT_TECHNOLOGY, Records, find_record, load_head, record_sets
from .attention_options import AttentionOptions, Options
from .checks import Guard, check_flag, check_tensor, check_together, exact
from .converters import ReLUC2P, SignedC2P
from .dac import Write, check_codes, find_supply, is_code
from .elements import GainCell, longest_pulse
from .noise import HeadNoise
from .query_block import QueryBlock, StoredTokens
from .token_decay import queries_per_block

_MICRO = 1e-6
_MOST_LEVELS = 2**24


class Attention(nn.Module):
    """The function `attention` as a module: the records are read once, and it can be compiled.

    Parameters
    ----------
    records : str or Path
        ``"paper"``, the name of a technology, or a folder of records.
    form : str, optional
        ``"cubic"``, ``"dc"`` or ``"pulsed"``; the best form in the records by default.
    head : str
        Name of the attention head, which defines cell and converters.
    decay_per_token : float
        Relative decay of ``v_store - v_ref`` per token: the factor is ``exp(-decay_per_token age)``; 0 by default.
    decay_on : {"weight", "output"}
        "weight" decays the stored voltage: term i of the cell's power series decays with the i-th power of the factor,
        and the constant term does not decay.  "output" multiplies the whole product by the factor: after the product
        for K, on the input for V.  The published code contains both.
    quantize : bool
        Round inputs, stored voltages and outputs to the levels of the hardware, with a straight-through gradient.
        False by default.
    from_dac : bool
        `k` and `v` are voltages of the DAC that writes the cells, not stored voltages: the stored voltages follow from
        the write in the records, as of `Write`.  False by default; codes are always those of the DAC.
    window : int, optional
        Number of tokens that a query sees; all by default.
    array_length : int, optional
        Tokens per array: the output of each array is converted separately, and the results are added, as in hardware.
    gradient : {"true", "surrogate"}
        As of `GainCell`.
    outside : {"clamp", "refuse", "extrapolate"}
        Treatment of inputs outside the valid range, as of `Guard`.
    read_noise : float or "record"
        Standard deviation [C] of every charge at a converter, or the noise of the records: that of the cells and that
        of the converter, both as a charge.  Drawn at every call from PyTorch's default generator; 0 by default.
    corner, temp, vdd : str, float, float
        Process corner, temperature [degC] and supply [V]; those of the records by default.  Other conditions need the
        records of the studies over conditions, as of `records_at`.

    Raises
    ------
    ParameterError
        If an option is unknown, has the wrong type or is out of range; when called, as `attention`.
    DataError
        If the records lack a model of the head.
    """

    def __init__(
        self, records: Records = DEFAULT_TECHNOLOGY, form: str | None = None, **options: Unpack[AttentionOptions]
    ) -> None:
        super().__init__()
        chosen = Options(**options)
        head, outside = chosen.head, chosen.outside
        if chosen.condition != NOMINAL:
            records = _at_condition(records, chosen.condition)
        declared = load_head(head)
        values = declared.operation("values")
        known = find_record(records, f"{values.converter}.{next(iter(values.forms.values())).study}").parameters
        self.cell = GainCell.from_records(records, form, head=head, gradient=chosen.gradient, outside=outside)
        self.from_dac = chosen.from_dac
        self._write: Write | str = _find_write(records, form, head, outside)
        self.scores = ReLUC2P.from_records(records, form, head=head)
        self.values = SignedC2P.from_records(records, form, head=head)
        self.t_max = longest_pulse(records, head)
        self.levels_input = declared.levels_input
        self.levels_output = _levels(known.get("levels_output", declared.levels_output))
        self.rate, self.quantize = chosen.decay_per_token, chosen.quantize
        self.voltage_decays = self.rate > 0 and chosen.decay_on == "weight"
        self.window, self.array_length = chosen.window, chosen.array_length
        self.noise = HeadNoise.of(chosen.read_noise, records, head)
        self._levels: dict[str, Guard] = {}
        if self.quantize or self.from_dac:
            top, why = find_supply(records, form, head), "the DAC has levels"
            self._step = top / (declared.levels_store - 1)
            self._levels = {name: Guard(name, 0.0, top, outside, why) for name in ("k", "v")}
        self._fraction = Guard("q", 0.0, 1.0, outside, "a fraction of the longest pulse must be")

    @property
    def write(self) -> Write:
        """Write of the cells, for codes and voltages of the DAC.

        Raises
        ------
        DataError
            If the records lack its model.
        """
        if isinstance(self._write, str):
            raise DataError(self._write)
        return self._write

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Return the output of the head for `q`, `k` and `v`, as `attention`.

        All tensors have shape (..., tokens, dim).  `q` and the output are dimensionless fractions of the longest
        pulse, `k` and `v` stored voltages [V]; or they are codes of integer type.
        """
        return torch.cat([block[0] for block in self._compute_blocks(q, k, v, whole=False)], -2)

    def intermediates(self, q: Tensor, k: Tensor, v: Tensor) -> dict[str, Tensor]:
        """Return ``S``, ``phi_S`` and ``output`` for `q`, `k` and `v`; shapes and units as of `attention`.

        Inputs have shape (..., tokens, dim); `q` is dimensionless, `k` and `v` are stored voltages [V], or codes.
        """
        blocks = self._compute_blocks(q, k, v, whole=True)
        return {name: torch.cat([b[i] for b in blocks], -2) for i, name in enumerate(("output", "S", "phi_S"))}

    def _compute_blocks(self, q: Tensor, k: Tensor, v: Tensor, *, whole: bool) -> list[tuple[Tensor, ...]]:
        """Outputs of each block of queries, in the type of the inputs; with `whole` also scores and pulses."""
        q, k, v = self._decode(q, k, v)
        _check_tensors(q, k, v)
        given = q.dtype
        # Charges in SI units are too small for float16.
        q, k, v = (x.float() if given == torch.float16 else x for x in (q, k, v))
        with exact(q):
            q, k, v = self._prepare(q, k, v)
            keys, values = (StoredTokens.of(self.cell, x, voltage_decays=self.voltage_decays) for x in (k, v))
            blocks = [self._compute_block(q, keys, values, block, whole=whole) for block in self._spans(q.shape[-2])]
            return [(block[0].to(given), *block[1:]) for block in blocks]

    def _decode(self, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Fractions of the longest pulse and stored voltages, for inputs that may be codes or voltages of the DAC."""
        floating = [x.dtype for x in (q, k, v) if isinstance(x, Tensor) and x.is_floating_point()]
        kind = floating[0] if floating else torch.get_default_dtype()
        if is_code(q):
            q = check_codes("q", q, self.levels_input).to(kind) / (self.levels_input - 1)
        return q, self._stored("k", k, kind), self._stored("v", v, kind)

    def _stored(self, name: str, given: Tensor, kind: torch.dtype) -> Tensor:
        """Stored voltages of tokens that are given as codes, as voltages of the DAC, or as stored voltages."""
        if is_code(given):
            return self.write(self.write.voltage(given, name)).to(kind)  # type: ignore[no-any-return]
        if not self.quantize and not self.from_dac:
            return given
        check_tensor(name, given, (torch.float16,))
        level = given.float() if given.dtype == torch.float16 else given
        level = self._levels[name](level)
        if self.quantize:
            level = rounded(level, self._step)
        return (self.write(level) if self.from_dac else level).to(given.dtype)

    def _prepare(self, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs within the valid range; pulses rounded to the levels of the hardware with `quantize`."""
        q = self._fraction(q)
        return (rounded(q, 1 / (self.levels_input - 1)) if self.quantize else q), k, v

    def _spans(self, tokens: int) -> list[tuple[int, int]]:
        """First query of each block, and one past its last query."""
        size = queries_per_block(self.rate)
        return [(start, min(start + size, tokens)) for start in range(0, tokens, size)]

    def _compute_block(
        self, q: Tensor, keys: StoredTokens, values: StoredTokens, span: tuple[int, int], *, whole: bool
    ) -> tuple[Tensor, ...]:
        """Output of a block of queries; with `whole` also scores and pulses over all tokens."""
        (start, stop), tokens = span, q.shape[-2]
        window, length = min(self.window or tokens, tokens), min(self.array_length or tokens, tokens)
        first = max(0, start - window + 1) // length * length
        age = torch.arange(start, stop, device=q.device)[:, None] - torch.arange(first, stop, device=q.device)
        hidden = (age < 0) | (age >= window)
        block = QueryBlock(cell=self.cell, rate=self.rate, start=start, stop=stop, first=first, device=q.device)
        t_pulse = self.t_max * q[..., start:stop, :]
        charge = block.scores(t_pulse, keys)
        if self.noise is not None:
            charge = self.noise.of_scores(charge, t_pulse, keys.v_store[..., first:stop, :])
        pulse = self.scores.evaluate(charge).masked_fill(hidden, 0.0)
        arrays = [slice(s, s + length) for s in range(0, stop - first, length)]
        outputs = [self._convert(self._values(block, pulse, values, array)) for array in arrays]
        output = outputs[0] if len(outputs) == 1 else torch.stack(outputs).sum(0)
        if not whole:
            return (output,)
        pad = (first, tokens - stop)
        shown = charge.masked_fill(hidden, 0.0) / (_MICRO * self.t_max), pulse / self.t_max
        return output, *(torch.nn.functional.pad(x, pad) for x in shown)

    def _values(self, block: QueryBlock, pulse: Tensor, values: StoredTokens, array: slice) -> Tensor:
        """Charge of the columns of one array, with its noise."""
        charge = block.values(pulse, values, array)
        if self.noise is None:
            return charge
        stored = values.v_store[..., block.first : block.stop, :][..., array, :]
        return self.noise.of_values(charge, pulse[..., array], stored)

    def _convert(self, charge: Tensor) -> Tensor:
        """Output of one array as a fraction of its full scale."""
        output = self.values.evaluate(charge) / self.t_max
        return rounded(output, 2 / (self.levels_output - 1)) if self.quantize else output


@overload
def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    records: Records = ...,
    form: str | None = ...,
    return_intermediates: Literal[False] = ...,
    **options: Unpack[AttentionOptions],
) -> Tensor: ...
@overload
def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    records: Records = ...,
    form: str | None = ...,
    return_intermediates: Literal[True],
    **options: Unpack[AttentionOptions],
) -> dict[str, Tensor]: ...
def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    records: Records = DEFAULT_TECHNOLOGY,
    form: str | None = None,
    return_intermediates: bool = False,
    **options: Unpack[AttentionOptions],
) -> Tensor | dict[str, Tensor]:
    """Causal attention with the fitted models of the circuits; Leroux et al. 2025, Methods, eq. 2 to 4.

    With ``records="paper"`` this is the published model: ``S = sum_d q f(k)`` with the cubic f, ``phi = clamp(S/80, 0,
    1)``, ``output = clamp(A/40, -1, 1)``, S and A in uA x t_max.

    Parameters
    ----------
    q : Tensor, shape (..., tokens, dim)
        Input pulse widths as fractions of the longest pulse, dimensionless, in [0, 1].  float16 inputs, and float32
        inputs under autocast, are computed in float32.
    k, v : Tensor, shape (..., tokens, dim)
        Stored voltages [V], or those of the DAC with ``from_dac=True``.  Each of the three inputs may also be a tensor
        of integers: codes, from 0 to 15 for `q`, and from 0 to 7 for `k` and `v`, which the DAC writes.
    records, form, options
        As of `Attention`.
    return_intermediates : bool
        Also return scores and pulses.

    Returns
    -------
    Tensor, shape (..., tokens, dim), or dict
        The output as a fraction of its full scale, dimensionless; or ``S`` [uA x t_max] and ``phi_S`` (fraction of the
        longest pulse), both of shape (..., tokens, tokens) and 0 for masked tokens, and ``output``, in the type of the
        inputs; for float16 inputs ``S`` and ``phi_S`` are float32.

    Raises
    ------
    ParameterError
        If an input is not a tensor of real numbers, shapes or types do not match, an option is unknown, has the wrong
        type or is out of range, or an input contains NaN or is out of range with ``outside="refuse"``.
    """
    chosen = Options(**options)
    check_flag("return_intermediates", return_intermediates)
    module = _find_module(records, form, chosen)
    return module.intermediates(q, k, v) if return_intermediates else module(q, k, v)


def _find_module(records: Records, form: str | None, options: Options) -> Attention:
    """Module of a set of records: cached for packaged records, new for a folder, whose records may change."""
    hashable = all(isinstance(value, Hashable) for value in (form, *vars(options).values()))
    if hashable and str(records) in record_sets():
        return _packaged_module(str(records), form, options)
    return _build_module(records, form, options)


def _find_write(records: Records, form: str | None, head: str, outside: str) -> Write | str:
    """The write of the cells, or the reason why the records do not have it."""
    try:
        return Write.from_records(records, form, head=head, outside=outside)
    except DataError as error:
        return str(error)


def _at_condition(records: Records, condition: Condition) -> RecordsAt:
    if isinstance(records, RecordsAt):
        raise ParameterError(f"records are already at {records.condition}; omit corner, temp and vdd")
    return RecordsAt(base=records, condition=condition)


def _build_module(records: Records, form: str | None, options: Options) -> Attention:
    return Attention(records, form, **vars(options))


_packaged_module = cache(_build_module)


def rounded(x: Tensor, step: float) -> Tensor:
    """Round `x` elementwise to multiples of `step`, in the same unit, with a straight-through gradient."""
    return x + (step * torch.round(x / step) - x).detach()


def _check_tensors(q: Tensor, k: Tensor, v: Tensor) -> None:
    for name, tensor in (("q", q), ("k", k), ("v", v)):
        check_tensor(name, tensor, (torch.float16,))
    check_together(q=q, k=k, v=v)
    if not (q.ndim >= 2 and q.shape == k.shape == v.shape and q.shape[-2] > 0):
        raise ParameterError(
            f"q, k and v have shapes {tuple(q.shape)}, {tuple(k.shape)} and {tuple(v.shape)}; they must have the same "
            "shape (..., tokens, dim), with at least one token"
        )


def _levels(value: float | str) -> int:
    """Number of output levels stated in a record."""
    if isinstance(value, str) or not 2 <= value <= _MOST_LEVELS:
        raise DataError(f"levels_output = {value} in the records must be a number from 2 to {_MOST_LEVELS}")
    return int(value)
