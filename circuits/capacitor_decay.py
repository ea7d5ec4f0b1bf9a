"""What an idle gain cell forgets: the leakage of its storage capacitor.

While the cell idles, subthreshold current of the write gate pulls ``v_store`` from the rails towards the
write bitline, gate and junction leakage pull the rest towards the idle level of the word lines.  A single
exponential, as software models assume it, is none of these.
"""

import numpy as np
import scipy

from gaincell_char.declare.bench import Bench, Curve, Derived, Flavours, Floats, Numbers, Op, Output, Tran, Waveforms
from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.datasets import DataArray, Dataset
from gaincell_char.declare.datasheet import Figure, Merit, MonteCarloBench, Study
from gaincell_char.declare.parameters import Params, number

from . import _cell, _decay_models, gain_cell

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
    params=Params(v_init=number(lambda p: p["vdd"], "V", "stored voltage at t = 0", low=-0.5, high=6.0)),
    sweep={"v_init": lambda p: np.linspace(0, p["vdd"], 10)},
    curve=Curve(
        name="time",
        unit="s",
        doc="time since the write",
        values=np.geomspace(1e-6, 30e-3, 61).tolist(),
        low=1e-9,
        high=1e6,
    ),
    analysis=lambda p: Tran(stop=p["time_stop"], max_step=p["time_stop"] / 400, start_step=p["time_start"] / 2),
    initial={"v(st)": "v_init"},
    save=("v(st)",),
    outputs=(Output(name="v_store", unit="V", plausible_max=10.0, doc="stored voltage", measure=_at_times),),
    options=_OPTIONS,
)
LEAK = Bench(
    name="leak",
    doc="DC leakage of the storage node",
    stimulus=_IDLE + "vst st 0 {v_store}\n",
    params=Params(v_store=number(lambda p: p["vdd"], "V", "stored voltage", low=-0.5, high=6.0)),
    sweep={"v_store": lambda p: np.linspace(0, p["vdd"], 46)},
    analysis=lambda _: Op(),
    save=("i(vst)",),
    outputs=(
        Output(
            name="i_leak",
            unit="A",
            plausible_max=1e-6,
            doc="current that leaves the storage node",
            measure=lambda w, _: -w["i(vst)"][0],
        ),
    ),
    options=_OPTIONS,
)


def _retention(dataset: Dataset, p: Numbers) -> float:
    """Time until the first level is half an LSB of the write DAC from where it was written."""
    decay = dataset.v_store.isel(corner=0, temp=0)
    moved = np.abs(decay - decay.v_init).max("v_init").to_numpy()
    return _crossing(moved, dataset.time.to_numpy(), p["vdd"] / (_cell.LEVELS - 1) / 2)


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
    half_lsb = float(dataset.v_init.max()) / (_cell.LEVELS - 1) / 2
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
CIRCUIT = Circuit(
    name="capacitor_decay",
    title="Storage capacitor of an idle cell",
    params=gain_cell.PARAMS,
    benches=(DECAY, LEAK),
    models=(
        _decay_models.EXPONENTIAL,
        _decay_models.THREE_LEAKS,
        _decay_models.LEAK_CONDUCTANCE,
        _decay_models.LEAK_TERMS,
    ),
    studies=(
        Study(bench="decay", temps=(27.0, 85.0)),
        Study(bench="leak", temps=(27.0, 85.0)),
        Study(
            bench="decay",
            name="decay_idle",
            sweep={
                "write_flavour": Flavours(("svt", "hvt", "uhvt")),
                "v_wbl": lambda p: [0.0, p["vdd"] / 2, p["vdd"]],
                "v_init": lambda p: [0.0, p["vdd"]],
            },
            models=(),
        ),
        Study(
            bench="leak",
            name="leak_flavours",
            sweep={"write_flavour": Flavours(), "v_wbl": lambda p: [0.0, p["vdd"] / 2, p["vdd"]]},
            models=(),
        ),
    ),
    figures=(
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
            at=lambda p: {"v_init": p["vdd"]},
        ),
        Figure(
            study="leak_flavours",
            output="i_leak",
            x="v_store",
            group_by="write_flavour",
            title="Leakage by flavour of the write transistors",
            at=lambda p: {"v_wbl": p["vdd"] / 2},
        ),
    ),
    merits=(
        Merit(
            name="retention",
            unit="s",
            doc="time until some level has moved by half an LSB of 3 bits, 27 degC",
            study="decay",
            compute=_retention,
            along="time",
        ),
        Merit(
            name="largest leak",
            unit="A",
            doc="largest leakage over v_store, 27 degC",
            study="leak",
            compute=_largest_leak,
        ),
        Merit(
            name="balance",
            unit="V",
            doc="v_store at which nothing leaks, 27 degC",
            study="leak",
            compute=_balance,
        ),
    ),
    spreads=(
        MonteCarloBench(
            bench="decay",
            sweep={"v_init": lambda p: [0.0, p["vdd"]]},
            x="time",
            output="v_store",
            features=(RETENTION,),
        ),
        MonteCarloBench(
            bench="leak", sweep={"v_store": lambda p: np.linspace(0, p["vdd"], 19)}, x="v_store", output="i_leak"
        ),
    ),
)
