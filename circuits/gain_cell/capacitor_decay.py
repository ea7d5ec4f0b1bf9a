"""Leakage of the storage capacitor of an idle gain cell.

While the cell idles, subthreshold current of the write gate pulls ``v_store`` from the rails towards the write bitline;
gate and junction leakage pull the rest towards the idle level of the word lines.  A single exponential, as software
models assume it, is none of these.
"""

import numpy as np
import scipy

from gaincell_char.declare.bench import Bench, Curve, Derived, Floats, Numbers, Op, Output, Tran, Waveforms
from gaincell_char.declare.circuit import Circuit, NoiseFloor
from gaincell_char.declare.datasets import DataArray, Dataset
from gaincell_char.declare.datasheet import Figure, Merit, MonteCarloBench, Study
from gaincell_char.declare.measures import at_end
from gaincell_char.declare.parameters import Params, number
from gaincell_char.declare.sweep_values import Flavours, geomspace, linspace, listed

from . import _benches, _compared, _leaks, _oxide, gain_cell

_CELL = """
vdd vdd 0 {vdd}
vbl bl 0 {vdd/2}
vweb web 0 {vdd}
xcell bl wlr wlrb wbl 0 web st vdd 0 gain_cell
"""
_IDLE_WORD_LINES = "vwlr wlr 0 {v_idle}\nvwlrb wlrb 0 {vdd-v_idle}\n"
_IDLE_WBL = "vwbl wbl 0 {v_wbl}\n"
_IDLE = _CELL + _IDLE_WORD_LINES + _IDLE_WBL
# ngspice's default gmin of 1e-12 S would leak as much as the cell does.
_OPTIONS = {"gmin": 1e-18, "reltol": 1e-6, "abstol": 1e-18, "vntol": 1e-7, "chgtol": 1e-20, "trtol": 1}


def _at_times(w: Waveforms, p: Numbers) -> Floats:
    return np.asarray(scipy.interpolate.CubicSpline(w["time"], w["v(st)"])(p["time"]), dtype=float)


DECAY = Bench(
    name="decay",
    doc="stored voltage of an idle cell over time",
    stimulus=_IDLE,
    params=Params(v_init=number("vdd", "V", "stored voltage at t = 0", low=-0.5, high=6.0)),
    sweep={"v_wbl": linspace(0, "vdd", 9), "v_init": _benches.stored(7)},
    curve=Curve(
        name="time", unit="s", doc="time since the write", values=geomspace(1e-6, 30e-3, 16), low=1e-9, high=1e6
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
    sweep={"v_wbl": linspace(0, "vdd", 7), "v_store": _benches.stored(31)},
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
_PERIODS = Params(
    v_init=number("vdd", "V", "stored voltage at t = 0", low=-0.5, high=6.0),
    t_token=number(65e-9, "s", "time per token", low=1e-9, high=1e-3),
    t_gap=number(5e-9, "s", "idle end of every token, at which the stored voltage is read", low=1e-9, high=1e-3),
    t_edge=number(50e-12, "s", "rise and fall time", low=1e-12, high=1e-9),
)


def _after_tokens(w: Waveforms, p: Numbers) -> Floats:
    """Stored voltage at the ends of tokens."""
    return np.asarray(np.interp(np.asarray(p["tokens"]) * p["t_token"], w["time"], w["v(st)"]), dtype=float)


def _periodic(name: str, doc: str, stimulus: str, params: Params, *, requires: str) -> Bench:
    """Bench of a cell that keeps its voltage while something happens once per token."""
    return Bench(
        name=name,
        doc=doc,
        stimulus=_CELL + stimulus,
        params=_PERIODS | params,
        sweep={"v_init": linspace(0, "vdd", 4)},
        curve=Curve(name="tokens", unit="1", doc="tokens since the write", values=listed(1, 10), low=1.0, high=1e6),
        analysis=Tran(stop="(tokens_stop+1)*t_token", max_step="t_token/8", start_step="t_edge"),
        initial={"v(st)": "v_init"},
        save=("v(st)",),
        outputs=(Output(name="v_store", unit="V", plausible_max=10.0, doc="stored voltage", measure=_after_tokens),),
        # Thousands of edges: with the tolerances of an idle cell the time steps become too small.
        options={"gmin": 1e-18, "reltol": 1e-4, "abstol": 1e-13, "vntol": 1e-7, "chgtol": 1e-16},
        requires={requires: "t_token is too short for the pulse and the gap"},
    )


def _pulses(low: str, high: str, width: str) -> str:
    return f"pulse({low} {high} {{t_token-t_gap-{width}}} {{t_edge}} {{t_edge}} {{{width}-t_edge}} {{t_token}})"


HALF_SELECT = _periodic(
    "half_select",
    "stored voltage while other tokens are written over the same write bitline",
    _IDLE_WORD_LINES + f"vwbl wbl 0 {_pulses('{v_wbl}', '{v_data}', 't_write')}\n",
    Params(
        v_data=number(0.0, "V", "level that is written to the other cells", low=-0.5, high=6.0),
        t_write=number(10e-9, "s", "time of a write at half height", low=1e-9, high=1e-3),
    ),
    requires="t_token-t_gap-t_write-t_edge",
)
READ_DISTURB = _periodic(
    "read_disturb",
    "stored voltage while the cell is read once per token",
    _IDLE_WBL
    + f"vwlr wlr 0 {_pulses('{v_idle}', '{vdd}', 't_pulse')}\n"
    + f"vwlrb wlrb 0 {_pulses('{vdd-v_idle}', '0', 't_pulse')}\n",
    Params(t_pulse=number(_benches.T_MAX, "s", "width of the input pulse at half height", low=60e-12, high=1e-3)),
    requires="t_token-t_gap-t_pulse-t_edge",
)


def _retention(dataset: Dataset, p: Numbers) -> float:
    """Time until the first level is half an LSB of the write DAC from where it was written."""
    decay = _idle(dataset.v_store.isel(corner=0, temp=0), p).sel(v_init=slice(0.0, p["vdd"]))
    moved = np.abs(decay - decay.v_init).max("v_init").to_numpy()
    return _crossing(moved, dataset.time.to_numpy(), p["vdd"] / (_benches.LEVELS.count - 1) / 2)


def _crossing(moved: Floats, time: Floats, level: float) -> float:
    """Time [s] at which a level has moved so far [V]; NaN if it is not known.

    It is infinite if the level has not moved so far by the last time, and minus infinite if it has by the first.
    """
    if not np.isfinite(moved).all():
        return float("nan")
    if moved[0] >= level:
        return float("-inf")
    return float(np.interp(level, moved, time)) if moved.max() >= level else float("inf")


def _idle(values: DataArray, p: Numbers) -> DataArray:
    """Values with the write bitline at ``vdd/2``."""
    return values.sel(v_wbl=p["vdd"] / 2, method="nearest")


def _largest_leak(dataset: Dataset, p: Numbers) -> float:
    return float(np.abs(_idle(dataset.i_leak.isel(corner=0, temp=0), p)).max())


def _balance(dataset: Dataset, p: Numbers) -> float:
    leak = _idle(dataset.i_leak.isel(corner=0, temp=0), p)
    return float(np.interp(0.0, leak, dataset.v_store))


def _retention_of_each(dataset: Dataset) -> DataArray:
    """Time [s] until each start level has moved by half an LSB, as of `_crossing`."""
    vdd = dataset["vdd"] if "vdd" in dataset.coords else dataset.attrs["vdd"]
    moved: DataArray = np.abs(dataset.v_store - dataset.v_init) * (2 * (_benches.LEVELS.count - 1)) / vdd
    return moved.reduce(_crossings, dim="time", time=dataset.time.to_numpy(), level=1.0)


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
    Study(bench="half_select", models=()),
    Study(bench="read_disturb", models=()),
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
        at={"v_wbl": "vdd/2"},
        models=("exponential", "four_leaks"),
    ),
    Figure(
        study="leak",
        output="i_leak",
        x="v_store",
        group_by="v_wbl",
        title="Leakage of the storage node by level of the write bitline",
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
# kT/C of the write; the noise of the leakage keeps it at that size.
_FLOOR = NoiseFloor(
    circuit=gain_cell.CIRCUIT, study="noise", model="write_noise", inputs={"v_store": "v_init"}, thermal=True
)
CIRCUIT = Circuit(
    name="capacitor_decay",
    title="Storage capacitor of an idle cell",
    params=gain_cell.PARAMS,
    benches=(DECAY, LEAK, HALF_SELECT, READ_DISTURB),
    models=(*_leaks.MODELS, *_oxide.MODELS),
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
            bench="decay",
            sweep={"v_wbl": ["vdd/2"], "v_init": ["0", "vdd"]},
            x="time",
            output="v_store",
            features=(RETENTION,),
        ),
        MonteCarloBench(
            bench="leak",
            sweep={"v_wbl": ["vdd/2"], "v_store": linspace(0, "vdd", 19)},
            x="v_store",
            output="i_leak",
            models=(_leaks.RANDOM_LEAKS, _oxide.RANDOM_OXIDE),
        ),
    ),
    noise_floors={"decay": _FLOOR},
    record_merits=_compared.RETENTION,
    record_curves=(_compared.DECAY,),
)
