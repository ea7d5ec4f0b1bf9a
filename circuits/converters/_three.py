"""Benches that compare three converters in one circuit: a plain one, a changed one, and one with less charge.

The third converter gives the slope by which a difference of pulses becomes one of charges.
"""

from gaincell_char.declare.attention_head import fill_line
from gaincell_char.declare.bench import Bench, Numbers, Output, Tran, Waveforms
from gaincell_char.declare.parameters import Params
from gaincell_char.declare.sweep_values import Grid
from gaincell_char.errors import DataError

from ._benches import CONTROLS, FULL, OPTIONS, TIMING, charge, pulse_width

_LESS = 0.1
"""Part of the charge by which that of the third converter is smaller."""
_SOURCE = "iin<c> bl<c> 0 pulse(0 {<q>/t_max} {t_reset+t_gap} {t_edge} {t_edge} {t_max-t_edge} 1)"
_FULL_SCALE = 10e-15
"""Missing charge [C] to which numerical errors are relative: two in a thousand of a pulse of half the longest width."""
BIAS = "xbias<c> vbp<c> vbn<c> vdd 0 bias"


def three(
    name: str, doc: str, line: str, output: str, params: Params, sweep: dict[str, Grid], *, bias: str, extra: str = ""
) -> Bench:
    """Bench `name` with an `output` for the missing charge; `line` is the instance of a converter, as in `Operation`.

    `bias` is the bias of the second converter, and `extra` what is connected to it in addition.
    """
    charges = ("q_in", "q_in", f"{1 - _LESS!r}*q_in")
    biases = (fill_line(BIAS, c="0"), bias, fill_line(BIAS, c="2"))
    parts = [CONTROLS, *([extra] if extra else [])]
    for c, (q, own) in enumerate(zip(charges, biases, strict=True)):
        at = str(c)
        parts += [own, f"cbl{c} bl{c} 0 {{c_bl}}", fill_line(_SOURCE, c=at, q=q), fill_line(line, c=at, b=at)]
    return Bench(
        name=name,
        doc=doc,
        stimulus="\n".join(parts),
        params=TIMING | charge(t_start=0.0, q_in=f"0.5*{FULL}") | params,
        sweep=sweep,
        analysis=Tran(stop="t_cycle", max_step=200e-12),
        save=tuple(f"v(out{c})" for c in range(3)),
        outputs=(
            Output(
                name=output,
                unit="C",
                plausible_max=1e-9,
                doc="charge whose part of the pulse is missing",
                measure=_missing,
                full_scale=_FULL_SCALE,
            ),
        ),
        options=OPTIONS,
    )


def _missing(w: Waveforms, p: Numbers) -> float:
    plain, changed, less = (pulse_width({"time": w["time"], "v(out)": w[f"v(out{c})"]}, p) for c in range(3))
    if plain == less:
        raise DataError("a charge that is 10 % smaller gives the same pulse; choose one with a pulse below the longest")
    return _LESS * p["q_in"] * (plain - changed) / (plain - less)
