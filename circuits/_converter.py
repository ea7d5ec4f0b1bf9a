"""What both charge-to-pulse converters share: sizes, the three phases of a conversion, how a pulse is measured.

A conversion resets (the bitline to the precharge level, the comparator to its own threshold), integrates the
charge of the cells for ``t_max``, and converts it in a window of ``t_max``: a constant current ramps the bitline
back to the precharge level, and the time that takes is the pulse.

One sign convention: ``q_in`` is positive when the cells sink charge from the bitline.
"""

from gaincell_char.circuit import Bench, Grid, Numbers, Output, Tran, Waveforms
from gaincell_char.errors import ParameterError
from gaincell_char.params import Params, number

T_MAX = 15e-9
"""Longest pulse [s]; Leroux et al. 2025, Methods, eq. 3."""


def converter_params(*, n_units: float) -> Params:
    """Parameters both converters have; the paper's full scale is ``n_units i_bias t_max``."""
    return Params(
        vdd=number(0.9, "V", "supply", low=0.3, high=2.0),
        c_int=number(3e-12, "F", "capacitor the bitline integrates on", low=1e-13, high=1e-10),
        c_az=number(30e-15, "F", "auto-zero capacitor of the comparator", low=1e-15, high=1e-12),
        i_bias=number(10e-6, "A", "current of one unit", low=1e-7, high=1e-3),
        n_units=number(n_units, "1", "units in parallel that ramp the bitline back", low=1, high=1000),
        w_src=number(1e-6, "m", "width of a unit source", low=40e-9, high=100e-6),
        l_src=number(200e-9, "m", "length of a unit source", low=30e-9, high=10e-6),
        w_snk=number(600e-9, "m", "width of a unit sink", low=40e-9, high=100e-6),
        l_snk=number(400e-9, "m", "length of a unit sink", low=30e-9, high=10e-6),
    )


_TIMING = Params(
    v_pre=number(lambda p: p["vdd"] / 2, "V", "precharge level of the bitline", low=0.0, high=2.0),
    c_bl=number(25e-15, "F", "wire of the bitline", low=0.0, high=1e-11),
    t_reset=number(5e-9, "s", "time to precharge and auto-zero", low=300e-12, high=1e-6),
    t_az=number(200e-12, "s", "time from the end of auto-zero to the end of precharge", low=0.0, high=200e-12),
    t_max=number(T_MAX, "s", "length of the charge and of the conversion window", low=1e-10, high=1e-5),
    t_gap=number(1e-9, "s", "time between phases", low=1e-10, high=1e-6),
    t_edge=number(50e-12, "s", "rise and fall time of the controls", low=1e-12, high=100e-12),
    t_cycle=number(
        lambda p: p["t_reset"] + 2 * p["t_max"] + 3 * p["t_gap"], "s", "one conversion after the other", low=0, high=1
    ),
)
_OPTIONS = {"gmin": 1e-15, "reltol": 1e-4, "abstol": 1e-10, "vntol": 1e-6, "chgtol": 1e-17, "trtol": 1}
_PHASES = """
vdd vdd 0 {vdd}
vpre vpre 0 {v_pre}
vrst rst 0 pulse({vdd} 0 {t_reset} {t_edge} {t_edge} {t_cycle-t_reset-t_edge} {t_cycle})
erstb rstb 0 vdd rst 1
vaz az 0 pulse({vdd} 0 {t_reset-t_az} {t_edge} {t_edge} {t_cycle-t_reset+t_az-t_edge} {t_cycle})
eazb azb 0 vdd az 1
vconv conv 0 pulse(0 {vdd} {t_reset+t_max+2*t_gap} {t_edge} {t_edge} {t_max-t_edge} {t_cycle})
econvb convb 0 vdd conv 1
cbl bl 0 {c_bl}
xbias vbp vbn vdd 0 bias
iin bl 0 pulse(0 {q_in/t_max} {t_start+t_reset+t_gap} {t_edge} {t_edge} {t_max-t_edge} 1)
"""
_PREVIOUS = "iprev bl 0 pulse(0 {q_prev/t_max} {t_reset+t_gap} {t_edge} {t_edge} {t_max-t_edge} 1)\n"


def full_scale(p: Numbers) -> float:
    """Charge [C] whose pulse fills the window."""
    return p["n_units"] * p["i_bias"] * p["t_max"]


def transfer(dut: str, outputs: tuple[Output, ...], q_in: Grid) -> Bench:
    """Pulse of one charge; `dut` is the instance line of the converter."""
    return Bench(
        name="transfer",
        doc="output pulse by charge on the bitline",
        stimulus=_PHASES + dut,
        params=_TIMING | _charge(t_start=0.0),
        sweep={"q_in": q_in},
        analysis=lambda p: _conversions(p, 1),
        save=("v(out)", *(["v(sgn)"] if "sgn" in dut.split() else [])),
        outputs=outputs,
        options=_OPTIONS,
    )


def memory(dut: str, outputs: tuple[Output, ...], q_prev: Grid, q_in: Grid) -> Bench:
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
        save=("v(out)", *(["v(sgn)"] if "sgn" in dut.split() else [])),
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
    low, high = above[:-1], above[1:]
    turns = (low > 0) != (high > 0)
    crossings = time[:-1][turns] + (time[1:] - time[:-1])[turns] * (low / (low - high + (low == high)))[turns]
    return float(crossings[1::2].sum() - crossings[::2].sum())
