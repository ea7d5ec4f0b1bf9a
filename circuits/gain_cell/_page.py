"""What the page of a gain cell shows: studies, pictures, figures of merit, Monte Carlo."""

import numpy as np

from gaincell_char.declare.bench import Numbers
from gaincell_char.declare.datasets import DataArray, Dataset
from gaincell_char.declare.datasheet import Figure, Merit, MonteCarloBench, Study
from gaincell_char.declare.sweep_values import linspace

from .._conditions import ALL_CORNERS, EXTREMES
from ._benches import LEVELS, T_MAX, stored
from ._models import FULL_DRIVE, RANDOM_CELL, RANDOM_CHARGE

_FORMS = ("cubic", "ekv")
STUDIES = (
    Study(bench="dc", sweep={"v_store": stored(73)}),
    Study(bench="dc", name="dc_corners", sweep={"v_in": ["vdd"]}, models=_FORMS, corners=ALL_CORNERS, temps=EXTREMES),
    Study(
        bench="dc",
        name="dc_bitline",
        sweep={"v_in": ["v_idle", "vdd"], "v_bl": linspace("vdd/2-0.1", "vdd/2+0.1", 9)},
        models=(),
    ),
    Study(bench="pulse"),
    # Three points between the levels of the DAC.
    Study(bench="write", sweep={"v_dac": linspace(0, "vdd", 4 * LEVELS.count - 3)}),
    Study(bench="energy"),
    Study(bench="bitline"),
)
_STORE = {n: {"v_store": linspace(0, "vdd", n)} for n in (4, 10, 37)}
SPREADS = (
    MonteCarloBench(bench="dc", sweep=_STORE[37], x="v_store", output="i_bl", models=(RANDOM_CELL,)),
    MonteCarloBench(bench="pulse", sweep=_STORE[10], x="v_store", output="q_bl", models=(RANDOM_CHARGE,)),
    MonteCarloBench(bench="write", sweep={"v_dac": LEVELS}, x="v_dac", output="v_store"),
    MonteCarloBench(bench="energy", sweep=_STORE[4], x="v_store", output="e_cell"),
)


def _figure(study: str, output: str, x: str, group_by: str, title: str, *models: str, **at: float | str) -> Figure:
    return Figure(study=study, output=output, x=x, group_by=group_by, title=title, models=models, at=at)


def figures(two_inputs: str, overview_position: str = "") -> tuple[Figure, ...]:
    """Pictures of a cell; `two_inputs` is its fitted model over ``v_store`` and ``v_in``."""
    return (
        Figure(
            study="dc",
            output="i_bl",
            x="v_store",
            title="Multiplier current at full input",
            models=_FORMS,
            at=FULL_DRIVE,
            overview_position=overview_position,
        ),
        _figure("dc", "i_bl", "v_store", "v_in", "Current by word-line voltage", "cubic_2d", two_inputs, v_bl="vdd/2"),
        _figure("dc_corners", "i_bl", "v_store", "corner", "Multiplier current by corner", **FULL_DRIVE, temp=27.0),
        _figure("dc_corners", "i_bl", "v_store", "temp", "Multiplier current by temperature", **FULL_DRIVE),
        _figure("dc_bitline", "i_bl", "v_bl", "v_store", "Active cell by bitline voltage", v_in="vdd"),
        _figure("dc_bitline", "i_bl", "v_bl", "v_store", "Idle cell by bitline voltage", v_in="v_idle"),
        _figure("pulse", "q_bl", "t_pulse", "v_store", "Charge per input pulse", "cubic_charge", "ekv_charge"),
        _figure("pulse", "dv_store", "v_store", "", "Kick of the word line on the stored voltage", t_pulse=T_MAX),
        _figure("write", "dv_feed", "v_dac", "", "Feed-through of the write gate"),
        _figure("energy", "e_cell", "t_pulse", "v_store", "Energy into the cell per pulse", "cell_energy"),
        _figure("energy", "e_driver", "t_pulse", "v_store", "Energy of the word-line drivers", "driver_energy"),
        _figure("bitline", "i_on", "dv_bl", "v_store", "Active cell by move of its bitline", "active_series"),
        _figure("bitline", "i_off", "dv_bl", "v_store", "Idle cell by move of its bitline", "idle_series"),
    )


def _current(dataset: Dataset, p: Numbers) -> DataArray:
    full_drive = {"v_in": p["vdd"], "v_bl": p["vdd"] / 2}
    return dataset["i_bl"].isel(corner=0, temp=0).sel(full_drive, method="nearest")


def _largest_current(dataset: Dataset, p: Numbers) -> float:
    return float(_current(dataset, p).sel(v_store=p["vdd"], method="nearest"))


def _smallest_current(dataset: Dataset, p: Numbers) -> float:
    return float(_current(dataset, p).sel(v_store=0.0, method="nearest"))


def _zero(dataset: Dataset, p: Numbers) -> float:
    return float(np.interp(0.0, _current(dataset, p), dataset.v_store))


def _nonlinearity(dataset: Dataset, _: Numbers) -> float:
    """Worst distance of q_bl from the line through its shortest and longest pulse, over full range."""
    q = dataset.q_bl.isel(corner=0, temp=0)
    t = dataset.t_pulse
    i_eff = (q.isel(t_pulse=-1) - q.isel(t_pulse=0)) / (t[-1] - t[0])
    line = q.isel(t_pulse=0) + i_eff * (t - t[0])
    return float(100 * np.abs(q - line).max() / (q.max() - q.min()))


def _largest_kick(dataset: Dataset, _: Numbers) -> float:
    return float(np.abs(dataset.dv_store).max())


def _largest_feed_through(dataset: Dataset, p: Numbers) -> float:
    return float(np.abs(dataset.dv_feed.sel(v_dac=LEVELS.values(p), method="nearest")).max())


def _mean_energy(dataset: Dataset, _: Numbers) -> float:
    """Mean over v_store of the energy of a pulse of half the longest width."""
    return float((dataset.e_cell + dataset.e_driver).interp(t_pulse=T_MAX / 2).mean())


_LINEARITY = (
    "worst |q_bl - (t_pulse I_eff + Q0)| over full range; I_eff and Q0 from the shortest and the longest pulse, "
    "error on those between"
)
MERITS = (
    Merit("largest current", "A", "i_bl at v_store = v_in = vdd", "dc", _largest_current),
    Merit("smallest current", "A", "i_bl at v_store = 0, v_in = vdd", "dc", _smallest_current),
    Merit("zero", "V", "v_store at which i_bl changes sign", "dc", _zero),
    Merit("pulse linearity", "%", _LINEARITY, "pulse", _nonlinearity),
    Merit("kick", "V", "largest move of v_store during a pulse", "pulse", _largest_kick),
    Merit("feed-through", "V", "largest error of the eight written levels", "write", _largest_feed_through),
    Merit("energy per pulse", "J", "cell and driver, mean over v_store at 7.5 ns", "energy", _mean_energy),
)
