"""Leakage of the storage capacitor of an idle gain cell.

While the cell idles, subthreshold current of the write gate pulls ``v_store`` from the rails towards the write bitline;
gate and junction leakage pull the rest towards the idle level of the word lines.  A single exponential, as software
models assume it, is none of these.
"""

import numpy as np
import scipy

from gaincell_char.declare.array_math import Array, namespace
from gaincell_char.declare.bench import Bench, Curve, Derived, Floats, Numbers, Op, Output, Tran, Waveforms
from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.datasets import DataArray, Dataset
from gaincell_char.declare.datasheet import Figure, Merit, MonteCarloBench, Study
from gaincell_char.declare.measures import at_end
from gaincell_char.declare.model import Coefficient, Model, group
from gaincell_char.declare.parameters import Params, number
from gaincell_char.declare.sweep_values import Flavours, geomspace, linspace

from . import _benches, gain_cell
from ._models import VDD

_IDLE = """
vdd vdd 0 {vdd}
vwlr wlr 0 {v_idle}
vwlrb wlrb 0 {vdd-v_idle}
vbl bl 0 {vdd/2}
vwbl wbl 0 {v_wbl}
vweb web 0 {vdd}
xcell bl wlr wlrb wbl 0 web st vdd 0 gain_cell
"""
# ngspice's default gmin of 1e-12 S would leak as much as the cell does.
_OPTIONS = {"gmin": 1e-18, "reltol": 1e-6, "abstol": 1e-18, "vntol": 1e-7, "chgtol": 1e-20, "trtol": 1}


def _at_times(w: Waveforms, p: Numbers) -> Floats:
    return np.asarray(scipy.interpolate.CubicSpline(w["time"], w["v(st)"])(p["time"]), dtype=float)


DECAY = Bench(
    name="decay",
    doc="stored voltage of an idle cell over time",
    stimulus=_IDLE,
    params=Params(v_init=number("vdd", "V", "stored voltage at t = 0", low=-0.5, high=6.0)),
    sweep={"v_init": linspace(0, "vdd", 10)},
    curve=Curve(
        name="time", unit="s", doc="time since the write", values=geomspace(1e-6, 30e-3, 61), low=1e-9, high=1e6
    ),
    analysis=Tran(stop="time_stop", max_step="time_stop/400", start_step="time_start/2"),
    initial={"v(st)": "v_init"},
    save=("v(st)",),
    outputs=(Output(name="v_store", unit="V", plausible_max=10.0, doc="stored voltage", measure=_at_times),),
    options=_OPTIONS,
)
LEAK = Bench(
    name="leak",
    doc="DC leakage of the storage node",
    stimulus=_IDLE + "vst st 0 {v_store}\n",
    params=Params(v_store=number("vdd", "V", "stored voltage", low=-0.5, high=6.0)),
    sweep={"v_store": linspace(0, "vdd", 46)},
    analysis=Op(),
    save=("i(vst)",),
    outputs=(
        Output(
            name="i_leak",
            unit="A",
            plausible_max=1e-6,
            doc="current that leaves the storage node",
            measure=at_end("i(vst)", -1),
        ),
    ),
    options=_OPTIONS,
)
_SUBSTEPS = 12


def exponential(v_init: Array, time: Array, *, tau: float, v_ref: float) -> Array:
    """Stored voltage [V], the published form: relaxation towards ``v_ref`` with one time constant.

    Leroux et al. 2025: tau = 5 ms, and v_ref = vdd/2 in the published code.
    """
    return v_ref + (v_init - v_ref) * namespace(time).exp(-time / tau)


def three_leaks(
    v_init: Array,
    time: Array,
    *,
    leak: tuple[float, float, float],
    low: tuple[float, float],
    high: tuple[float, float],
    vdd: float,
) -> Array:
    """Stored voltage [V] under a cubic conductance and two subthreshold currents.

    dv/dt = -(v - v_eq) (1 + beta (v - v_eq)^2) / tau + r_lo exp(-v/s_lo) - r_hi exp((v - vdd)/s_hi).
    Each of the three is integrated exactly, one after the other, over twelve steps that grow with time
    (Strang splitting), so the result is elementwise, stable for any coefficients and differentiable.
    """
    xp = namespace(v_init, time)
    (r_lo, s_lo), (r_hi, s_hi) = low, high
    v = v_init + 0 * time
    for k in range(_SUBSTEPS):
        dt = time * (((k + 1) / _SUBSTEPS) ** 3 - (k / _SUBSTEPS) ** 3)
        v = _conductance(xp, v, dt / 2, *leak)
        v = v + s_lo * xp.log1p(r_lo * dt / s_lo * xp.exp(-v / s_lo))
        v = v - s_hi * xp.log1p(r_hi * dt / s_hi * xp.exp((v - vdd) / s_hi))
        v = _conductance(xp, v, dt / 2, *leak)
    return v


def _conductance(xp: Array, v: Array, dt: Array, tau: float, v_eq: float, beta: float) -> Array:
    """Solution of dw/dt = -w (1 + beta w^2)/tau for w = v - v_eq (Bernoulli's equation)."""
    w = v - v_eq
    left = xp.exp(-dt / tau)
    return v_eq + w * left / xp.sqrt(1 + beta * w * w * (1 - left * left))


def leak_conductance(v_store: Array, *, g: float, v_ref: float) -> Array:
    """Leakage [A] that the published exponential stands for: proportional to ``v_store - v_ref``."""
    return g * (v_store - v_ref)


def leak_terms(
    v_store: Array,
    *,
    leak: tuple[float, float, float],
    low: tuple[float, float],
    high: tuple[float, float],
    vdd: float,
) -> Array:
    """Leakage [A]: cubic conductance and the subthreshold currents of the two write transistors."""
    xp = namespace(v_store)
    (g, v_eq, beta), (i_lo, s_lo), (i_hi, s_hi) = leak, low, high
    w = v_store - v_eq
    return g * w * (1 + beta * w * w) - i_lo * xp.exp(-v_store / s_lo) + i_hi * xp.exp((v_store - vdd) / s_hi)


_V_REF = Coefficient(unit="V", doc="level it relaxes to", start="vdd/2", fixed=True)
_V_EQ = Coefficient(unit="V", doc="level the conductance pulls to", start="vdd/2", low=-1, high=3)
_BETA = Coefficient(unit="1/V^2", doc="cubic part of the conductance", start=1.0, low=-3.0, high=200.0)
_TAU = Coefficient(unit="s", doc="time constant of the conductance", start=20e-3, low=1e-9, high=1e6)
_G = Coefficient(unit="S", doc="conductance", start=2e-13, low=0.0)


def _slope(where: str) -> Coefficient:
    return Coefficient(unit="V", doc=f"slope of the leak at {where} v_store", start=0.04, low=0.01, high=0.5)


def _rate(where: str, start: float) -> Coefficient:
    return Coefficient(unit="V/s", doc=f"leak at v_store = {where}, as a rate", start=start, low=0.0)


def _current(where: str, start: float) -> Coefficient:
    return Coefficient(unit="A", doc=f"leak at v_store = {where}", start=start, low=0.0)


MODELS = (
    Model(
        name="exponential",
        form="published",
        bench="decay",
        function=exponential,
        output="v_store",
        equation="v_store = v_ref + (v_init - v_ref) exp(-time/tau)",
        arguments={
            "tau": Coefficient(unit="s", doc="time constant", start=5e-3, low=1e-9, high=1e6),
            "v_ref": _V_REF,
        },
    ),
    Model(
        name="three_leaks",
        form="fitted",
        bench="decay",
        function=three_leaks,
        output="v_store",
        equation="dv/dt = -w (1 + beta w^2)/tau + r_lo exp(-v/s_lo) - r_hi exp((v - vdd)/s_hi), w = v - v_eq",
        arguments={
            "leak": group("", tau=_TAU, v_eq=_V_EQ, beta=_BETA),
            "low": group("_lo", r=_rate("0", 1e3), s=_slope("low")),
            "high": group("_hi", r=_rate("vdd", 500.0), s=_slope("high")),
            "vdd": VDD,
        },
    ),
    Model(
        name="leak_conductance",
        form="published",
        bench="leak",
        function=leak_conductance,
        output="i_leak",
        equation="i_leak = g (v_store - v_ref)",
        arguments={"g": Coefficient(unit="S", doc="conductance", start=0.0, scale=1e-12), "v_ref": _V_REF},
        linear=True,
    ),
    Model(
        name="leak_terms",
        form="fitted",
        bench="leak",
        function=leak_terms,
        output="i_leak",
        equation=(
            "i_leak = g w (1 + beta w^2) - i_lo exp(-v/s_lo) + i_hi exp((v - vdd)/s_hi), v = v_store, w = v - v_eq"
        ),
        arguments={
            "leak": group("", g=_G, v_eq=_V_EQ, beta=_BETA),
            "low": group("_lo", i=_current("0", 1e-11), s=_slope("low")),
            "high": group("_hi", i=_current("vdd", 4e-12), s=_slope("high")),
            "vdd": VDD,
        },
    ),
)


def _retention(dataset: Dataset, p: Numbers) -> float:
    """Time until the first level is half an LSB of the write DAC from where it was written."""
    decay = dataset.v_store.isel(corner=0, temp=0)
    moved = np.abs(decay - decay.v_init).max("v_init").to_numpy()
    return _crossing(moved, dataset.time.to_numpy(), p["vdd"] / (_benches.LEVELS.count - 1) / 2)


def _crossing(moved: Floats, time: Floats, level: float) -> float:
    """Time [s] at which a level has moved so far [V]; infinite if it has not by the end, NaN if it is not known."""
    if not np.isfinite(moved).all():
        return float("nan")
    return float(np.interp(level, moved, time)) if moved.max() >= level else float("inf")


def _largest_leak(dataset: Dataset, _: Numbers) -> float:
    return float(np.abs(dataset.i_leak.isel(corner=0, temp=0)).max())


def _balance(dataset: Dataset, _: Numbers) -> float:
    leak = dataset.i_leak.isel(corner=0, temp=0)
    return float(np.interp(0.0, leak, dataset.v_store))


def _retention_of_each(dataset: Dataset) -> DataArray:
    """Time [s] until each start level has moved by half an LSB; infinite if it has not by the end of the curve."""
    half_lsb = float(dataset.v_init.max()) / (_benches.LEVELS.count - 1) / 2
    moved: DataArray = np.abs(dataset.v_store - dataset.v_init)
    return moved.reduce(_crossings, dim="time", time=dataset.time.to_numpy(), level=half_lsb)


def _crossings(moved: Floats, axis: int, time: Floats, level: float) -> Floats:
    """Time at which each of many levels has moved so far; they change along an axis."""
    return np.apply_along_axis(_crossing, axis, moved, time, level)


RETENTION = Derived(
    name="retention",
    unit="s",
    doc="time until v_store has moved by half an LSB of 3 bits",
    along="time",
    compute=_retention_of_each,
    censored=True,
)
_LEVELS_OF_WBL = ["0", "vdd/2", "vdd"]
STUDIES = (
    Study(bench="decay", temps=(27.0, 85.0)),
    Study(bench="leak", temps=(27.0, 85.0)),
    Study(
        bench="decay",
        name="decay_idle",
        sweep={"write_flavour": Flavours(only=("svt", "hvt", "uhvt")), "v_wbl": _LEVELS_OF_WBL, "v_init": ["0", "vdd"]},
        models=(),
    ),
    Study(bench="leak", name="leak_flavours", sweep={"write_flavour": Flavours(), "v_wbl": _LEVELS_OF_WBL}, models=()),
)
FIGURES = (
    Figure(
        study="decay",
        output="v_store",
        x="time",
        group_by="v_init",
        log_x=True,
        title="Decay of the stored voltage",
        overview_position="f",
        models=("exponential", "three_leaks"),
    ),
    Figure(
        study="leak",
        output="i_leak",
        x="v_store",
        title="Leakage of the storage node",
        models=("leak_conductance", "leak_terms"),
    ),
    Figure(
        study="decay_idle",
        output="v_store",
        x="time",
        group_by="v_wbl",
        log_x=True,
        title="A cell written high, by idle level of the write bitline",
        at={"v_init": "vdd"},
    ),
    Figure(
        study="leak_flavours",
        output="i_leak",
        x="v_store",
        group_by="write_flavour",
        title="Leakage by flavour of the write transistors",
        at={"v_wbl": "vdd/2"},
    ),
)
CIRCUIT = Circuit(
    name="capacitor_decay",
    title="Storage capacitor of an idle cell",
    params=gain_cell.PARAMS,
    benches=(DECAY, LEAK),
    models=MODELS,
    studies=STUDIES,
    figures=FIGURES,
    merits=(
        Merit(
            name="retention",
            unit="s",
            doc="time until some level has moved by half an LSB of 3 bits, 27 degC",
            study="decay",
            compute=_retention,
            along="time",
        ),
        Merit("largest leak", "A", "largest leakage over v_store, 27 degC", "leak", _largest_leak),
        Merit("balance", "V", "v_store at which nothing leaks, 27 degC", "leak", _balance),
    ),
    spreads=(
        MonteCarloBench(
            bench="decay", sweep={"v_init": ["0", "vdd"]}, x="time", output="v_store", features=(RETENTION,)
        ),
        MonteCarloBench(bench="leak", sweep={"v_store": linspace(0, "vdd", 19)}, x="v_store", output="i_leak"),
    ),
)
