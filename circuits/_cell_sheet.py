"""What the datasheet of a gain cell shows: studies, pictures, figures of merit."""

from collections.abc import Callable

import numpy as np

from gaincell_char.declare.bench import Numbers
from gaincell_char.declare.datasets import DataArray, Dataset
from gaincell_char.declare.datasheet import Figure, Merit, MonteCarloBench, Study

from . import _cell_random_models
from ._cell import LEVELS, T_MAX, levels

CORNERS = ("tt", "ff", "ss", "sf", "fs")
STUDIES = (
    Study(bench="dc", sweep={"v_store": lambda p: np.linspace(0, p["vdd"], 73)}),
    Study(
        bench="dc",
        name="dc_corners",
        sweep={"v_in": lambda p: [p["vdd"]]},
        corners=CORNERS,
        temps=(-40.0, 27.0, 125.0),
        models=("cubic", "softplus"),
    ),
    Study(
        bench="dc",
        name="dc_bitline",
        sweep={
            "v_in": lambda p: [p["v_idle"], p["vdd"]],
            "v_bl": lambda p: np.linspace(p["vdd"] / 2 - 0.1, p["vdd"] / 2 + 0.1, 9),
        },
        models=(),
    ),
    Study(bench="pulse"),
    # Three points between the levels, so that a fit has something to be held out from.
    Study(bench="write", sweep={"v_dac": lambda p: np.linspace(0, p["vdd"], 4 * LEVELS - 3)}),
    Study(bench="energy"),
)
SPREADS = (
    MonteCarloBench(
        bench="dc",
        sweep={"v_store": lambda p: np.linspace(0, p["vdd"], 37)},
        x="v_store",
        output="i_bl",
        models=(_cell_random_models.RANDOM_CELL,),
    ),
    MonteCarloBench(
        bench="pulse",
        sweep={"v_store": lambda p: np.linspace(0, p["vdd"], 10)},
        x="v_store",
        output="q_bl",
        models=(_cell_random_models.RANDOM_CHARGE,),
    ),
    MonteCarloBench(bench="write", sweep={"v_dac": levels}, x="v_dac", output="v_store"),
    MonteCarloBench(
        bench="energy", sweep={"v_store": lambda p: np.linspace(0, p["vdd"], 4)}, x="v_store", output="e_cell"
    ),
)


def _full_drive(p: Numbers) -> dict[str, float]:
    return {"v_in": p["vdd"], "v_bl": p["vdd"] / 2}


def figures(two_d: str, panel: str = "") -> tuple[Figure, ...]:
    """Pictures of a cell; `two_d` is its best model over both inputs, `panel` its place on the overview sheet."""
    return (
        Figure(
            study="dc",
            output="i_bl",
            x="v_store",
            title="Multiplier current at full input",
            models=("cubic", "softplus"),
            at=_full_drive,
            overview_position=panel,
        ),
        Figure(
            study="dc",
            output="i_bl",
            x="v_store",
            group_by="v_in",
            title="Multiplier current by word-line voltage",
            models=("cubic_2d", two_d),
            at=lambda p: {"v_bl": p["vdd"] / 2},
        ),
        Figure(
            study="dc_corners",
            output="i_bl",
            x="v_store",
            group_by="corner",
            title="Multiplier current by corner",
            at=lambda p: {**_full_drive(p), "temp": 27.0},
        ),
        Figure(
            study="dc_corners",
            output="i_bl",
            x="v_store",
            group_by="temp",
            title="Multiplier current by temperature",
            at=_full_drive,
        ),
        Figure(
            study="dc_bitline",
            output="i_bl",
            x="v_bl",
            group_by="v_store",
            title="Active cell by bitline voltage",
            at=lambda p: {"v_in": p["vdd"]},
        ),
        Figure(
            study="dc_bitline",
            output="i_bl",
            x="v_bl",
            group_by="v_store",
            title="Idle cell by bitline voltage",
            at=lambda p: {"v_in": p["v_idle"]},
        ),
        Figure(
            study="pulse",
            output="q_bl",
            x="t_pulse",
            group_by="v_store",
            title="Charge per input pulse",
            models=("cubic_charge", "softplus_charge"),
        ),
        Figure(
            study="pulse",
            output="dv_store",
            x="v_store",
            title="Kick of the word line on the stored voltage",
            at=lambda _: {"t_pulse": T_MAX},
        ),
        Figure(study="write", output="dv_feed", x="v_dac", title="Feed-through of the write gate"),
        Figure(
            study="energy",
            output="e_cell",
            x="t_pulse",
            group_by="v_store",
            title="Energy into the cell per pulse",
            models=("cell_energy",),
        ),
        Figure(
            study="energy",
            output="e_driver",
            x="t_pulse",
            group_by="v_store",
            title="Energy of the word-line drivers per pulse",
            models=("driver_energy",),
        ),
    )


def _current(dataset: Dataset, p: Numbers) -> DataArray:
    return dataset["i_bl"].isel(corner=0, temp=0).sel(_full_drive(p), method="nearest")


def _largest_current(dataset: Dataset, p: Numbers) -> float:
    return float(_current(dataset, p).max())


def _smallest_current(dataset: Dataset, p: Numbers) -> float:
    return float(_current(dataset, p).min())


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
    at_levels = dataset.dv_feed.sel(v_dac=levels(p), method="nearest")
    return float(np.abs(at_levels).max())


def _mean_energy(dataset: Dataset, _: Numbers) -> float:
    """Mean over v_store of the energy of a pulse of half the longest width."""
    return float((dataset.e_cell + dataset.e_driver).interp(t_pulse=T_MAX / 2).mean())


def _merit(study: str, name: str, unit: str, doc: str, compute: Callable[[Dataset, Numbers], float]) -> Merit:
    return Merit(name=name, unit=unit, doc=doc, study=study, compute=compute)


MERITS = (
    _merit("dc", "largest current", "A", "i_bl at v_store = v_in = vdd", _largest_current),
    _merit("dc", "smallest current", "A", "i_bl at v_store = 0, v_in = vdd", _smallest_current),
    _merit("dc", "zero", "V", "v_store at which i_bl changes sign", _zero),
    _merit(
        "pulse",
        "pulse linearity",
        "%",
        "worst |q_bl - (t_pulse I_eff + Q0)| over full range; I_eff and Q0 from "
        "the shortest and the longest pulse, error on those between",
        _nonlinearity,
    ),
    _merit("pulse", "kick", "V", "largest move of v_store during a pulse", _largest_kick),
    _merit("write", "feed-through", "V", "largest error of the eight written levels", _largest_feed_through),
    _merit("energy", "energy per pulse", "J", "cell and driver, mean over v_store at 7.5 ns", _mean_energy),
)
