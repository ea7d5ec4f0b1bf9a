"""What both charge-to-pulse converters share: sizes, the three phases of a conversion, how a pulse is measured.

A conversion resets (the bitline to the precharge level, the comparator to its own threshold), integrates the
charge of the cells for ``t_max``, and converts it in a window of ``t_max``: a constant current ramps the bitline
back to the precharge level, and the time that takes is the pulse.

One sign convention: ``q_in`` is positive when the cells sink charge from the bitline.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from gaincell_char.declare.array_math import Array, namespace
from gaincell_char.declare.bench import Bench, Floats, Grid, Numbers, Output, Tran, Waveforms
from gaincell_char.declare.datasets import Dataset
from gaincell_char.declare.datasheet import Merit
from gaincell_char.declare.model import Coefficient, Model
from gaincell_char.declare.parameters import Params, flavour, number
from gaincell_char.errors import DataError, ParameterError

T_MAX = 15e-9
"""Longest pulse [s]; Leroux et al. 2025, Methods, eq. 3."""
T_RESET = 5e-9
"""Reset after which less than 1 ps of the conversion before is left."""
SHORT_RESET = 3e-9
CORNERS = ("tt", "ff", "ss", "sf", "fs")
_Q_KNEE = 7e-15
"""Threshold [C] for which the charges below are written down; they move with the parameter ``q_knee``."""
_ABOVE = (13, 14, 16, 18, 20, 23, 26, 30, 35, 40, 50, 60)
KNEE = 1e-15 * np.array([0, 2, 4, 5, *np.arange(5.5, 9.1, 0.25), *np.arange(9.5, 12.1, 0.5), *_ABOVE])
"""Charges [C] at which the comparator's delay changes, dense around its threshold."""
COARSE_KNEE = 1e-15 * np.array([0, 2, 4, 5, 6, 7, 8, 10, 12, 16, 23, 35, 60])
"""The same for the side without the threshold."""
FEW = np.array([0.0, 0.006, 0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 0.7, 0.85, 0.95, 1.0, 1.17])
"""Charges for corners, of full scale."""


def converter_params(*, n_units: float) -> Params:
    """Parameters both converters have; the paper's full scale is ``n_units i_bias t_max``."""
    return Params(
        vdd=number(0.9, "V", "supply", low=0.3, high=6.0),
        c_int=number(3e-12, "F", "capacitor the bitline integrates on", low=1e-13, high=1e-10),
        c_az=number(30e-15, "F", "auto-zero capacitor of the comparator", low=1e-15, high=1e-12),
        i_bias=number(10e-6, "A", "current of one unit", low=1e-7, high=1e-3),
        n_units=number(n_units, "1", "units in parallel that ramp the bitline back", low=1, high=1000),
        w_src=number(1e-6, "m", "width of a unit source", low=40e-9, high=100e-6),
        l_src=number(200e-9, "m", "length of a unit source", low=30e-9, high=10e-6),
        w_snk=number(600e-9, "m", "width of a unit sink", low=40e-9, high=100e-6),
        l_snk=number(400e-9, "m", "length of a unit sink", low=30e-9, high=10e-6),
        w_sw=number(500e-9, "m", "width of the switch of a unit source; half of it for a sink", low=40e-9, high=100e-6),
        w_gate=number(100e-9, "m", "width that those of logic gates are multiples of", low=40e-9, high=10e-6),
        l_gate=number(30e-9, "m", "length of the transistors of logic gates", low=30e-9, high=10e-6),
        gate_flavour=flavour("svt", "threshold flavour of gates, sources and sinks"),
        w_pre=number(8e-6, "m", "width of the precharge switch", low=40e-9, high=1e-3),
        l_switch=number(30e-9, "m", "length of the transmission gates", low=30e-9, high=10e-6),
        q_knee=number(_Q_KNEE, "C", "where sweeps are dense: about the comparator's threshold", low=-1e-12, high=1e-12),
        switch_flavour=flavour("lvt", "threshold flavour of the transmission gates"),
    )


_TIMING = Params(
    v_pre=number(lambda p: p["vdd"] / 2, "V", "precharge level of the bitline", low=0.0, high=6.0),
    c_bl=number(25e-15, "F", "wire of the bitline", low=0.0, high=1e-11),
    t_reset=number(T_RESET, "s", "time to precharge and auto-zero", low=300e-12, high=1e-6),
    t_az=number(200e-12, "s", "time from the end of auto-zero to the end of precharge", low=0.0, high=200e-12),
    t_max=number(T_MAX, "s", "length of the charge and of the conversion window", low=1e-10, high=1e-5),
    t_gap=number(1e-9, "s", "time between phases", low=1e-10, high=1e-6),
    t_edge=number(50e-12, "s", "rise and fall time of the controls", low=1e-12, high=100e-12),
    t_cycle=number(
        lambda p: p["t_reset"] + 2 * p["t_max"] + 3 * p["t_gap"], "s", "one conversion after the other", low=0, high=1
    ),
)
_OPTIONS = {"gmin": 1e-15, "reltol": 1e-4, "abstol": 1e-10, "vntol": 1e-6, "chgtol": 1e-17, "trtol": 1}
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


def supplies(p: Numbers) -> Floats:
    """The supply, and a ninth less and more."""
    return np.round(p["vdd"] * np.array([8 / 9, 1, 10 / 9]), 12)


def full_scale(p: Numbers) -> float:
    """Charge [C] whose pulse fills the window of the ideal converter."""
    return p["n_units"] * p["i_bias"] * p["t_max"]


def transfer(dut: str, outputs: tuple[Output, ...], *, save: tuple[str, ...], q_in: Grid) -> Bench:
    """Pulse of one charge; `dut` is the instance line of the converter."""
    return Bench(
        name="transfer",
        doc="output pulse by charge on the bitline",
        stimulus=_PHASES + dut,
        params=_TIMING | _charge(t_start=0.0),
        sweep={"q_in": q_in},
        analysis=lambda p: _conversions(p, 1),
        save=save,
        outputs=outputs,
        options=_OPTIONS,
    )


def memory(dut: str, outputs: tuple[Output, ...], *, save: tuple[str, ...], q_prev: Grid, q_in: Grid) -> Bench:
    """Pulse of one charge after the conversion of another: what the reset leaves behind."""
    return Bench(
        name="memory",
        doc="output pulse of the second of two conversions",
        stimulus=_PHASES + _PREVIOUS + dut,
        params=_TIMING
        | Params(q_prev=number(0.0, "C", "charge of the conversion before", low=-1e-9, high=1e-9))
        | _charge(t_start=1.0),
        sweep={"q_prev": q_prev, "q_in": q_in},
        analysis=lambda p: _conversions(p, 2),
        save=save,
        outputs=outputs,
        options=_OPTIONS,
    )


def _charge(*, t_start: float) -> Params:
    return Params(
        q_in=number(0.0, "C", "charge the cells sink from the bitline", low=-1e-9, high=1e-9),
        t_start=number(
            lambda p: t_start * p["t_cycle"], "s", "start of the conversion that is measured", low=0.0, high=1.0
        ),
    )


def _conversions(p: Numbers, count: int) -> Tran:
    if p["t_cycle"] < p["t_reset"] + 2 * p["t_max"] + 2 * p["t_gap"]:
        raise ParameterError(f"t_cycle = {p['t_cycle']:g} s is too short for reset, charge and conversion window")
    return Tran(stop=count * p["t_cycle"], max_step=200e-12)


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


def signed_width(w: Waveforms, p: Numbers) -> float:
    """Width of the pulse with the sign bit's sign [s]."""
    return sign(w, p) * pulse_width(w, p)


def sign(w: Waveforms, p: Numbers) -> float:
    """Sign bit in the middle of the last conversion window, as +1 or -1."""
    middle = p["t_start"] + p["t_reset"] + 2 * p["t_gap"] + 1.5 * p["t_max"]
    return 1.0 if np.interp(middle, w["time"], w["v(sgn)"]) > p["vdd"] / 2 else -1.0


T_PULSE = Output(
    name="t_pulse",
    unit="s",
    plausible_max=1e-5,
    doc="width of the output pulse at vdd/2",
    measure=pulse_width,
    full_scale="t_max",
)


DELAYED = "gain x + t_0 (1 - share exp(-x/q_1) - (1 - share) (step exp(-x/q_3) + (1 - step) exp(-x/q_2)))"
"""The formula of `delayed`."""


def delayed(x: Array, gain: float, t_0: float, share: float, q_1: float, q_2: float, step: float, q_3: float) -> Array:
    """Pulse [s] of a charge `x` beyond the comparator's threshold.

    A line of slope ``gain``, late by the comparator's delay.  The delay fades in over three scales of charge,
    because the comparator decides the slower the closer the bitline is to its threshold; the last scale is
    too short to resolve and stands for the shortest pulse there is.
    """
    exp = namespace(x).exp
    near = step * exp(-x / q_3) + (1 - step) * exp(-x / q_2)
    return gain * x + t_0 * (1 - share * exp(-x / q_1) - (1 - share) * near)


def _gain(suffix: str = "", of: str = "") -> dict[str, Coefficient]:
    return {f"gain{suffix}": Coefficient(unit="s/C", doc=f"width per charge{of}", start=_ideal_gain, low=0.0)}


def _ideal_gain(p: Numbers) -> float:
    return 1 / (p["n_units"] * p["i_bias"])


def delayed_coefficients(suffix: str = "", of: str = "") -> dict[str, Coefficient]:
    """Coefficients of `delayed`; `suffix` goes on their names, `of` on their meanings."""
    return {
        **_gain(suffix, of),
        f"t_0{suffix}": Coefficient(
            unit="s", doc=f"width of the line at the threshold{of}", start=0.6e-9, low=0.0, high=1e-7
        ),
        f"share{suffix}": Coefficient(
            unit="1", doc=f"part of t_0 that fades in over q_1{of}", start=0.4, low=0.0, high=1.0
        ),
        f"q_1{suffix}": Coefficient(unit="C", doc=f"wide scale of the knee{of}", start=8e-15, low=2e-15, high=1e-12),
        f"q_2{suffix}": Coefficient(unit="C", doc=f"narrow scale of the knee{of}", start=1e-15, low=1e-16, high=2e-15),
        f"step{suffix}": Coefficient(
            unit="1", doc=f"part of the rest that is a step{of}", start=0.3, low=0.0, high=1.0
        ),
    }


def threshold(name: str) -> dict[str, Coefficient]:
    """Coefficients for both ends of the line: where the comparator decides, called `name`, and the window."""
    return {
        "q_3": Coefficient(unit="C", doc="width of the step", start=5e-17, fixed=True),
        name: Coefficient(unit="C", doc="threshold of the comparator", start=5e-15, low=-1e-13, high=1e-13),
        "t_sat": Coefficient(unit="s", doc="longest pulse", start=lambda p: p["t_max"], low=0.0),
    }


def clamped(name: str, function: Callable[..., Any], output: str, equation: str) -> Model:
    """The published form: one slope between hard limits."""
    return Model(
        name=name,
        form="published",
        bench="transfer",
        function=function,
        inputs=("q_in",),
        output=output,
        equation=equation,
        coefficients={
            **_gain(),
            "t_max": Coefficient(unit="s", doc="longest pulse", start=lambda p: p["t_max"], fixed=True),
        },
    )


def moved(p: Numbers) -> float:
    """How far [C] the threshold lies from the one of the built-in sizes."""
    return p["q_knee"] - _Q_KNEE


def charges(p: Numbers, *, rest: int = 24, knee: Floats = KNEE, side: int = 1) -> Floats:
    """Charges from 0 to 1.17 of full scale, dense where the comparator decides and where the window ends.

    The first knee is the comparator's, so its charges are absolute; `rest` points lie between the two.  On the
    other side of a threshold, ``side`` is -1 and charges count downwards.
    """
    knee = knee[knee < 0.8 * full_scale(p)] + side * moved(p)
    end = full_scale(p) * np.array([*np.arange(0.90, 0.995, 0.01), 1.0, 1.03, 1.1, 1.17])
    straight = np.linspace(knee[-1], end[0], rest + 2)[1:-1]
    return np.round([*knee, *straight, *end], 18)


def line(dataset: Dataset, p: Numbers, side: int = 1) -> tuple[float, float, float]:
    """Straight part on one side: its slope [s/C], its value at no charge [s], worst distance from it [s]."""
    t = dataset.t_pulse.isel(corner=0, temp=0)
    q = side * t.q_in / full_scale(p)
    straight = ((q > 0.1) & (q < 0.85)).to_numpy()
    x, y = q.to_numpy()[straight], t.to_numpy()[straight]
    slope, offset = np.polyfit(x, y, 1)
    return float(slope / full_scale(p)), float(offset), float(np.abs(y - slope * x - offset).max())


def line_merits(side: int = 1, of: str = "") -> tuple[Merit, ...]:
    """Gain, offset and linearity between 0.1 and 0.85 of full scale; `of` goes on their names."""
    parts = (
        ("gain", "s/C", "slope of the straight part"),
        ("offset", "s", "where the straight part meets no charge"),
        ("nonlinearity", "s", "worst distance from the straight part"),
    )
    return tuple(
        Merit(name=f"{name}{of}", unit=unit, doc=doc, study="transfer", compute=_part_of_line(i, side))
        for i, (name, unit, doc) in enumerate(parts)
    )


def _part_of_line(i: int, side: int) -> Callable[[Dataset, Numbers], float]:
    return lambda dataset, p: line(dataset, p, side)[i]


def memory_merits() -> tuple[Merit, ...]:
    """What a conversion leaves behind after the default reset and after a short one."""
    return tuple(
        Merit(
            name=f"memory after {t_reset * 1e9:g} ns",
            unit="s",
            doc="largest change of a pulse by the conversion before it",
            study="memory",
            compute=_left_behind(t_reset),
        )
        for t_reset in (T_RESET, SHORT_RESET)
    )


def _left_behind(t_reset: float) -> Callable[[Dataset, Numbers], float]:
    def largest(dataset: Dataset, _: Numbers) -> float:
        t = dataset.t_pulse.sel(t_reset=t_reset, method="nearest")
        return float(np.abs(t - t.sel(q_prev=0.0, method="nearest")).max())

    return largest
