"""Noise of both charge-to-pulse converters, as the jitter of a pulse.

Four contributions: the bitline between the ends of auto-zero and of precharge (kT/C of ``c_int``), the auto-zeroed
threshold (kT/C of ``c_az``), the comparator when the ramp reaches its threshold, and the current of the ramp.
"""

from dataclasses import replace

import numpy as np

from gaincell_char.declare.array_math import Array, namespace
from gaincell_char.declare.bench import Bench, Floats, Measure, Noise, Numbers, Output, Waveforms, density
from gaincell_char.declare.circuit import Circuit, NoiseFloor
from gaincell_char.declare.datasheet import Figure, Study
from gaincell_char.declare.model import Coefficient, Model
from gaincell_char.declare.parameters import Params, number
from gaincell_char.declare.spectra import averaged, bandwidth, differenced, integral, spectrum
from gaincell_char.declare.sweep_values import Grid

from ._benches import FULL, T_PULSE, TIMING

_BITLINE, _ZERO, _TRIP, _SOURCE, _SINK = "v(bl_z)", "v(xcz.x)", "v(xct.y)", "v(up)", "v(dn)"
_STIMULUS = """
vdd vdd 0 {vdd}
vpre vpre 0 {v_pre} ac 1
xbias vbp vbn vdd 0 bias
* reset: precharge and auto-zero are closed
xciz bl_z 0 cap c={c_int}
cblz bl_z 0 {c_bl}
xprez bl_z vpre vdd 0 vdd 0 tg w={w_pre}
xcz bl_z z_z zb_z vdd 0 vdd 0 azcmp
* conversion: the comparator at its threshold, which the inductor sets and which is open for noise
xct vpre z_t zb_t 0 vdd vdd 0 azcmp
lt xct.x xct.y 1e15
* conversion: the currents of source and sink, 1 V for 1 uA
xsrc d vbp vdd vdd p_{gate_flavour} w={n_units*w_src} l={l_src}
xsw b_up 0 d vdd p_{gate_flavour} w={n_units*w_sw} l={l_gate}
vup b_up 0 {v_pre}
hup up 0 vup 1e6
xsnk e vbn 0 0 n_{gate_flavour} w={n_units*w_snk} l={l_snk}
xsn b_dn vdd e 0 n_{gate_flavour} w={n_units*w_sw/2} l={l_gate}
vdn b_dn 0 {v_pre}
hdn dn 0 vdn 1e6
"""
_PLAUSIBLE = {"s": 1e-6, "V": 1.0, "C": 1e-9}
_SHARE = 0.5
"""Share of the time that the comparator needs for its swing over which its noise is averaged.

The comparator begins to turn before the ramp reaches its threshold.  From runs with transient noise in gc28, at the
slopes of both converters: tests/test_noise_circuits.py.
"""


def noise(*, q_in: Grid) -> Bench:
    """Noise of the parts of a converter in the phases of a conversion, as the jitter of its pulse."""
    return Bench(
        name="noise",
        doc="jitter of the output pulse by charge on the bitline",
        stimulus=_STIMULUS,
        params=TIMING
        | Params(
            q_in=number(0.0, "C", "charge the cells sink from the bitline", low=-1e-9, high=1e-9),
            f_low=number(1.0, "1/s", "frequency from which noise is counted", low=1e-6, high=1e9),
        ),
        sweep={"q_in": q_in},
        analysis=Noise(
            nodes=dict.fromkeys((_BITLINE, _ZERO, _TRIP, _SOURCE, _SINK), "vpre"), start="f_low", stop=1e12, points=6
        ),
        save=(),
        outputs=(
            _out("t_noise", "s", "rms jitter of the pulse", _jitter, T_PULSE.full_scale),
            _out("v_bl", "V", "rms noise of the bitline during precharge", _bitline),
            _out("v_reset", "V", "what is left of it after auto-zero", _reset),
            _out("v_zero", "V", "rms noise of the auto-zeroed threshold", _zero),
            _out("v_trip", "V", "rms noise of the comparator, at its input", _trip),
            _out("q_ramp", "C", "rms noise of the charge of the ramp", _ramp),
        ),
        options={"gmin": 1e-15, "reltol": 1e-6},
    )


def _out(name: str, unit: str, doc: str, measure: Measure, full_scale: str | float = "") -> Output:
    return Output(name=name, unit=unit, doc=doc, measure=measure, plausible_max=_PLAUSIBLE[unit], full_scale=full_scale)


def _slope(p: Numbers) -> float:
    """Slope of the ramp [V/s]."""
    return p["n_units"] * p["i_bias"] / (p["c_int"] + p["c_bl"])


def _width(p: Numbers) -> float:
    """Width [s] of the pulse of an ideal converter."""
    return max(abs(p["q_in"]) / (p["n_units"] * p["i_bias"]), 1e-12)


def _bitline(w: Waveforms, _: Numbers) -> float:
    return float(integral(w["frequency"], spectrum(w, _BITLINE)) ** 0.5)


def _reset(w: Waveforms, p: Numbers) -> float:
    change = 2 * spectrum(w, _BITLINE) * differenced(w["frequency"], p["t_az"])
    return float(integral(w["frequency"], change) ** 0.5)


def _since_zero(f: Floats, p: Numbers) -> Floats:
    """Weights of noise that auto-zero has subtracted."""
    return differenced(f, p["t_az"] + 2 * p["t_gap"] + p["t_max"] + _width(p))


def _zero(w: Waveforms, p: Numbers) -> float:
    f = w["frequency"]
    return float(integral(f, spectrum(w, _ZERO) * _since_zero(f, p)) ** 0.5)


def _trip(w: Waveforms, p: Numbers) -> float:
    f, referred = w["frequency"], spectrum(w, _TRIP, at_source=True)
    return float(integral(f, referred * _since_zero(f, p) * averaged(f, _decision(w, p))) ** 0.5)


def _decision(w: Waveforms, p: Numbers) -> float:
    """Time [s] over which the noise of the comparator is averaged: a share of that of its swing of vdd/2.

    Its first stage integrates the ramp, with the product of gain and bandwidth.
    """
    gain = w[density(_TRIP)] / w[density(_TRIP, at_source=True)]
    product = float(gain.max()) * bandwidth(w["frequency"], gain)
    return float(_SHARE * np.sqrt(p["vdd"] / (2 * np.pi * product * _slope(p))))


def _ramp(w: Waveforms, p: Numbers) -> float:
    f, current = w["frequency"], spectrum(w, _SOURCE if p["q_in"] >= 0 else _SINK) * 1e-12
    return float(_width(p) * integral(f, current * averaged(f, _width(p))) ** 0.5)


def _jitter(w: Waveforms, p: Numbers) -> float:
    voltage = np.hypot(np.hypot(_reset(w, p), _zero(w, p)), _trip(w, p))
    return float(np.hypot(voltage / _slope(p), _ramp(w, p) / (p["n_units"] * p["i_bias"])))


def jitter(q_in: Array, *, t_0: float, t_1: float, t_2: float, q_full: float) -> Array:
    """Jitter [s] of a pulse: of its end, and of the ramp's white and slow current noise."""
    xp, x = namespace(q_in), (q_in / q_full) ** 2
    return xp.sqrt(t_0 * t_0 + t_1 * t_1 * xp.sqrt(x) + t_2 * t_2 * x)


def _time(doc: str, start: float) -> Coefficient:
    return Coefficient(unit="s", doc=doc, start=start, low=0.0)


MODEL = Model(
    name="jitter",
    form="fitted",
    bench="noise",
    function=jitter,
    output="t_noise",
    equation="t_noise = sqrt(t_0^2 + t_1^2 x + t_2^2 x^2), x = |q_in|/q_full",
    arguments={
        "t_0": _time("jitter of the end of a pulse", 2e-11),
        "t_1": _time("jitter by white noise of the ramp, at full scale", 3e-12),
        "t_2": _time("jitter by slow noise of the ramp, at full scale", 3e-12),
        "q_full": Coefficient(unit="C", doc="full scale", start=FULL, fixed=True),
    },
)
STUDY = Study(bench="noise")
FIGURE = Figure(study="noise", output="t_noise", x="q_in", title="Jitter of the pulse by charge", models=("jitter",))
_FLOOR = NoiseFloor(study="noise", model="jitter", inputs={"q_in": "q_in"})


def with_noise(circuit: Circuit, *, q_in: Grid) -> Circuit:
    """A converter with the bench of its noise over some charges, its model, and the floor of its transfer."""
    return replace(
        circuit,
        benches=(*circuit.benches, noise(q_in=q_in)),
        models=(*circuit.models, MODEL),
        studies=(*circuit.all_studies, STUDY),
        figures=(*circuit.all_figures, FIGURE),
        noise_floors={"transfer": _FLOOR},
    )
