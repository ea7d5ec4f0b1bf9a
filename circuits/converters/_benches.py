"""Benches of both charge-to-pulse converters: sizes, the three phases of a conversion, the width of its pulse.

A conversion resets (the bitline to the precharge level, the comparator to its own threshold), integrates the charge of
the cells for ``t_max``, and converts it in a window of ``t_max``: a constant current ramps the bitline back to the
precharge level, and the time of the ramp is the pulse.

One sign convention: ``q_in`` is positive when the cells sink charge from the bitline.
"""

import numpy as np

from gaincell_char.declare.attention_head import fill_line
from gaincell_char.declare.bench import Bench, Numbers, Output, Tran, Waveforms
from gaincell_char.declare.parameters import Params, flavour, number
from gaincell_char.declare.sweep_values import Grid, Joined, Listed, join, linspace, listed
from gaincell_char.errors import DataError

T_MAX = 15e-9
"""Longest pulse [s]; Leroux et al. 2025, Methods, eq. 3."""
T_RESET = 5e-9
"""Reset after which less than 1 ps of the conversion before is left."""
FULL = "n_units*i_bias*t_max"
"""Charge [C] whose pulse fills the window of the ideal converter."""
MOVED = "q_knee-7f"
"""Shift [C] of the threshold from that of the built-in sizes, to which the charges below belong."""


def converter_params(*, n_units: float) -> Params:
    """Parameters of both converters; the paper's full scale is ``n_units i_bias t_max``."""
    wide, long = {"low": 40e-9, "high": 100e-6}, {"low": 30e-9, "high": 10e-6}
    return Params(
        vdd=number(0.9, "V", "supply", low=0.3, high=6.0),
        c_int=number(3e-12, "F", "capacitor the bitline integrates on", low=1e-13, high=1e-10),
        c_az=number(30e-15, "F", "auto-zero capacitor of the comparator", low=1e-15, high=1e-12),
        i_bias=number(10e-6, "A", "current of one unit", low=1e-7, high=1e-3),
        n_units=number(n_units, "1", "units in parallel that ramp the bitline back", low=1, high=1000),
        w_src=number(1e-6, "m", "width of a unit source", **wide),
        l_src=number(200e-9, "m", "length of a unit source", **long),
        w_snk=number(600e-9, "m", "width of a unit sink", **wide),
        l_snk=number(400e-9, "m", "length of a unit sink", **long),
        w_sw=number(500e-9, "m", "width of the switch of a unit source; half of it for a sink", **wide),
        w_gate=number(100e-9, "m", "width that those of logic gates are multiples of", low=40e-9, high=10e-6),
        l_gate=number(30e-9, "m", "length of the transistors of logic gates", **long),
        gate_flavour=flavour("svt", "threshold flavour of gates, sources and sinks"),
        w_pre=number(8e-6, "m", "width of the precharge switch", low=40e-9, high=1e-3),
        l_switch=number(30e-9, "m", "length of the transmission gates", **long),
        q_knee=number(7e-15, "C", "where sweeps are dense: about the comparator's threshold", low=-1e-12, high=1e-12),
        w_az=number("2*w_gate", "m", "width of the auto-zero switch", low=40e-9, high=10e-6),
        az_flavour=flavour("svt", "threshold flavour of the auto-zero switch"),
        switch_flavour=flavour("lvt", "threshold flavour of the transmission gates"),
    )


TIMING = Params(
    v_pre=number("vdd/2", "V", "precharge level of the bitline", low=0.0, high=6.0),
    c_bl=number(25e-15, "F", "wire of the bitline", low=0.0, high=1e-11),
    t_reset=number(T_RESET, "s", "time to precharge and auto-zero", low=300e-12, high=1e-6),
    t_az=number(200e-12, "s", "time from the end of auto-zero to the end of precharge", low=0.0, high=200e-12),
    t_max=number(T_MAX, "s", "length of the charge and of the conversion window", low=1e-10, high=1e-5),
    t_gap=number(1e-9, "s", "time between phases", low=1e-10, high=1e-6),
    t_edge=number(50e-12, "s", "rise and fall time of the controls", low=1e-12, high=100e-12),
    t_cycle=number("t_reset+2*t_max+3*t_gap", "s", "one conversion after the other", low=0, high=1),
)
OPTIONS = {"gmin": 1e-15, "reltol": 1e-4, "abstol": 1e-10, "vntol": 1e-6, "chgtol": 1e-17, "trtol": 1}
CONTROLS = """
vdd vdd 0 {vdd}
vpre vpre 0 {v_pre}
vrst rst 0 pulse({vdd} 0 {t_reset} {t_edge} {t_edge} {t_cycle-t_reset-t_edge} {t_cycle})
erstb rstb 0 vdd rst 1
vaz az 0 pulse({vdd} 0 {t_reset-t_az} {t_edge} {t_edge} {t_cycle-t_reset+t_az-t_edge} {t_cycle})
eazb azb 0 vdd az 1
vconv conv 0 pulse(0 {vdd} {t_reset+t_max+2*t_gap} {t_edge} {t_edge} {t_max-t_edge} {t_cycle})
econvb convb 0 vdd conv 1
"""
"""Supplies and the three phases, from t = 0."""
_PHASES = f"""{CONTROLS}cbl bl 0 {{c_bl}}
xbias vbp vbn vdd 0 bias
iin bl 0 pulse(0 {{q_in/t_max}} {{t_start+t_reset+t_gap}} {{t_edge}} {{t_edge}} {{t_max-t_edge}} 1)
"""
_PREVIOUS = "iprev bl 0 pulse(0 {q_prev/t_max} {t_reset+t_gap} {t_edge} {t_edge} {t_max-t_edge} 1)\n"


def transfer(line: str, outputs: tuple[Output, ...], *, save: tuple[str, ...], q_in: Grid) -> Bench:
    """Pulse of one charge; `line` is the instance of the converter, as in `Operation`."""
    return Bench(
        name="transfer",
        doc="output pulse by charge on the bitline",
        stimulus=_PHASES + fill_line(line, c="", b="") + "\n",
        params=TIMING | charge(t_start=0.0),
        sweep={"q_in": q_in},
        analysis=Tran(stop="t_cycle", max_step=200e-12),
        save=save,
        outputs=outputs,
        options=OPTIONS,
        requires=_CYCLE,
    )


def memory(line: str, outputs: tuple[Output, ...], *, save: tuple[str, ...], q_prev: Grid, q_in: Grid) -> Bench:
    """Pulse of one charge after the conversion of another: what the reset leaves behind."""
    previous = Params(q_prev=number(0.0, "C", "charge of the conversion before", low=-1e-9, high=1e-9))
    return Bench(
        name="memory",
        doc="output pulse of the second of two conversions",
        stimulus=_PHASES + _PREVIOUS + fill_line(line, c="", b="") + "\n",
        params=TIMING | previous | charge(t_start="t_cycle"),
        sweep={"q_prev": q_prev, "q_in": q_in},
        analysis=Tran(stop="2*t_cycle", max_step=200e-12),
        save=save,
        outputs=outputs,
        options=OPTIONS,
        requires=_CYCLE,
    )


_CYCLE = {"t_cycle-t_reset-2*t_max-2*t_gap": "t_cycle is too short for reset, charge and conversion window"}


def charge(*, t_start: float | str, q_in: float | str = 0.0) -> Params:
    """Parameters of the conversion that is measured: its start [s] and its charge [C], numbers or expressions."""
    return Params(
        q_in=number(q_in, "C", "charge the cells sink from the bitline", low=-1e-9, high=1e-9),
        t_start=number(t_start, "s", "start of the conversion that is measured", low=0.0, high=1.0),
    )


def pulse_width(w: Waveforms, p: Numbers) -> float:
    """Time [s] that the output spends above ``vdd/2`` in the last conversion; 0 if there is no pulse."""
    last = w["time"] >= p["t_start"]
    time, above = w["time"][last], w["v(out)"][last] - p["vdd"] / 2
    if above[0] > 0 or above[-1] > 0:
        raise DataError("the output is high before the conversion or after it")
    (turns,) = np.nonzero(np.diff(above > 0))
    before, after = above[turns], above[turns + 1]
    crossings = time[turns] + (time[turns + 1] - time[turns]) * before / (before - after)
    return float(crossings[1::2].sum() - crossings[::2].sum())


def sign(w: Waveforms, p: Numbers) -> float:
    """Sign bit in the middle of the last conversion window, as +1 or -1."""
    middle = p["t_start"] + p["t_reset"] + 2 * p["t_gap"] + 1.5 * p["t_max"]
    return 1.0 if np.interp(middle, w["time"], w["v(sgn)"]) > p["vdd"] / 2 else -1.0


def signed_width(w: Waveforms, p: Numbers) -> float:
    """Width of the pulse with the sign bit's sign [s]."""
    return sign(w, p) * pulse_width(w, p)


T_PULSE = Output(
    name="t_pulse",
    unit="s",
    plausible_max=1e-5,
    doc="width of the output pulse at vdd/2",
    measure=pulse_width,
    full_scale="t_max",
)
# Charges [fC] at which the comparator's delay changes, dense around its threshold; coarse on the side without one.
_DENSE = (*np.arange(5.5, 9.1, 0.25), *np.arange(9.5, 12.1, 0.5), 13, 14, 16, 18, 20, 23, 26, 30, 35, 40, 50, 60)
_KNEE = (0, 2, 4, 5, *map(float, _DENSE))
_COARSE = (0, 2, 4, 5, 6, 7, 8, 10, 12, 16, 23, 35, 60)
_END = (*(n / 100 for n in range(90, 101)), 1.03, 1.1, 1.17)
"""Charges at which the conversion window ends, of full scale."""
_WITHIN = f"0.8*{FULL}"
FEW = (0.0, 0.006, 0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 0.7, 0.85, 0.95, 1.0, 1.17)
"""Charges for corners, of full scale."""
SUPPLIES = listed(8 / 9, 1, 10 / 9, scale="vdd")


def of_full_scale(*shares: float) -> Listed:
    """Charges [C] as shares of full scale."""
    return listed(*shares, scale=FULL)


def positive_charges(rest: int) -> Joined:
    """Charges [C] from 0 to 1.17 of full scale, dense at the comparator's threshold and at the end of the window.

    The threshold is the comparator's, so charges near it are absolute; `rest` charges lie between the two.
    """
    return join(
        listed(*_KNEE, scale=1e-15, offset=MOVED, within=_WITHIN),
        linspace(f"min(60f,{_WITHIN})+{MOVED}", f"0.9*{FULL}", rest, inner=True),
        of_full_scale(*_END),
    )


def negative_charges(rest: int) -> Joined:
    """Charges [C] from -1.17 of full scale to the first one below the threshold, as `positive_charges`."""
    return join(
        listed(*_END[::-1], scale=f"-{FULL}"),
        linspace(f"-0.9*{FULL}", f"{MOVED}-min(60f,{_WITHIN})", rest, inner=True),
        listed(*_COARSE[:0:-1], scale=-1e-15, offset=MOVED, within=_WITHIN),
    )
