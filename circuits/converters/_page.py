"""What the page of a charge-to-pulse converter shows: figures of merit, features of Monte Carlo samples."""

from functools import partial

import numpy as np

from gaincell_char.declare.bench import Derived, Numbers
from gaincell_char.declare.datasets import DataArray, Dataset
from gaincell_char.declare.datasheet import Figure, Merit
from gaincell_char.declare.sweep_values import join, listed

from ._benches import FULL, MOVED, T_RESET
from ._models import THRESHOLDS

SHORT_RESET = 3e-9
_STRAIGHT = listed(0.1, 0.4, 0.7, scale=FULL)
_BEND = (20e-15, 40e-15)
"""Charges [C] along the bend after the threshold."""
SAMPLE_CHARGES = join(listed(*THRESHOLDS.tolist(), offset=MOVED), listed(*_BEND), _STRAIGHT)
"""Charges of every Monte Carlo sample: around the threshold, along the bend after it, and on the straight part."""
NEGATIVE_SAMPLE_CHARGES = join(listed(-0.7, -0.4, -0.1, scale=FULL), listed(-_BEND[1], -_BEND[0]))


def memory_figure() -> Figure:
    """Picture of what the conversion before leaves behind."""
    title = "Effect of the previous conversion, by reset time"
    at = {"q_in": f"0.5*{FULL}"}
    return Figure(study="memory", output="t_pulse", x="q_prev", group_by="t_reset", title=title, at=at)


def _full_scale(p: Numbers) -> float:
    return p["n_units"] * p["i_bias"] * p["t_max"]


def line(dataset: Dataset, p: Numbers, side: int = 1) -> tuple[float, float, float]:
    """Straight part on one side: its slope [s/C], its value at no charge [s], worst distance from it [s]."""
    t = dataset.t_pulse.isel(corner=0, temp=0)
    q = side * t.q_in / _full_scale(p)
    straight = ((q > 0.1) & (q < 0.85)).to_numpy()
    x, y = q.to_numpy()[straight], t.to_numpy()[straight]
    slope, offset = np.polyfit(x, y, 1)
    return float(slope / _full_scale(p)), float(offset), float(np.abs(y - slope * x - offset).max())


def _part_of_line(part: int, side: int, dataset: Dataset, p: Numbers) -> float:
    return line(dataset, p, side)[part]


def line_merits(side: int = 1, of: str = "") -> tuple[Merit, ...]:
    """Gain, offset and linearity between 0.1 and 0.85 of full scale; `of` is appended to their names."""
    parts = (
        ("gain", "s/C", "slope of the straight part"),
        ("offset", "s", "where the straight part meets no charge"),
        ("nonlinearity", "s", "worst distance from the straight part"),
    )
    return tuple(
        Merit(f"{name}{of}", unit, doc, "transfer", partial(_part_of_line, part, side))
        for part, (name, unit, doc) in enumerate(parts)
    )


def _left_behind(t_reset: float, dataset: Dataset, _: Numbers) -> float:
    t = dataset.t_pulse.sel(t_reset=t_reset, method="nearest")
    return float(np.abs(t - t.sel(q_prev=0.0, method="nearest")).max())


def memory_merits() -> tuple[Merit, ...]:
    """What a conversion leaves behind after the default reset and after a short one."""
    doc = "largest change of a pulse by the conversion before it"
    return tuple(
        Merit(f"memory after {t_reset * 1e9:g} ns", "s", doc, "memory", partial(_left_behind, t_reset))
        for t_reset in (T_RESET, SHORT_RESET)
    )


def _straight(pulse: DataArray, side: int) -> tuple[DataArray, DataArray]:
    """Slope [s/C] and offset [s] of the straight part on one side, for every sample: least squares."""
    q, t = side * pulse.q_in, side * pulse
    part = t.where(q > _BEND[-1] * 1.01, drop=True)
    x = side * part.q_in - (side * part.q_in).mean()
    slope = (part * x).sum("q_in", skipna=False) / (x * x).sum()
    return slope, part.mean("q_in", skipna=False) - slope * (side * part.q_in).mean()


def _gain(output: str, side: int, dataset: Dataset) -> DataArray:
    return _straight(dataset[output], side)[0]


def _offset(output: str, side: int, dataset: Dataset) -> DataArray:
    return _straight(dataset[output], side)[1]


def _knee(output: str, side: int, dataset: Dataset) -> DataArray:
    """How short of its line [s] the pulse of a small charge is."""
    slope, offset = _straight(dataset[output], side)
    return offset + slope * _BEND[0] - side * dataset[output].sel(q_in=side * _BEND[0], method="nearest")


def line_features(output: str, side: int = 1, of: str = "") -> tuple[Derived, ...]:
    """Gain, offset and knee of every sample on one side; `of` is appended to their names."""
    parts = (
        ("gain", "s/C", "slope of the straight part", _gain),
        ("offset", "s", "where the straight part meets no charge", _offset),
        ("knee", "s", "how far below the line the pulse of 20 fC is", _knee),
    )
    after = of.replace(" of ", ", ")
    return tuple(
        Derived(name=f"{name}{of}", unit=unit, doc=f"{doc}{after}", along="q_in", compute=partial(find, output, side))
        for name, unit, doc, find in parts
    )


def _threshold(output: str, dataset: Dataset) -> DataArray:
    """Charge half way between the last one without a pulse and the first one with; NaN if one about it lacks."""
    low = dataset.q_in.where(dataset[output] <= 0.0).max("q_in")
    high = dataset.q_in.where(dataset[output] > 0.0).min("q_in")
    middle: DataArray = (low + high) / 2
    far = abs(dataset.q_in - middle) > 0.5 * np.ptp(THRESHOLDS)
    return middle.where((high - low < 0.15 * np.ptp(THRESHOLDS)) & (dataset[output].notnull() | far).all("q_in"))


def threshold_feature(output: str, name: str, doc: str) -> Derived:
    """Charge at which an output rises above 0, half way between two simulated charges."""
    return Derived(name=name, unit="C", doc=doc, along="q_in", compute=partial(_threshold, output))
