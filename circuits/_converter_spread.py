"""What Monte Carlo of both charge-to-pulse converters measures: charges, features, random coefficients."""

import numpy as np

from gaincell_char.declare.array_math import Array
from gaincell_char.declare.bench import Derived, Floats, Numbers
from gaincell_char.declare.datasets import DataArray, Dataset
from gaincell_char.declare.model import Coefficient

from ._converter import full_scale, moved

KNEE = 1e-15 * np.arange(2.0, 12.5, 1.0)
"""Charges [C] between which the comparator's threshold of any sample lies."""
_LINE = (0.1, 0.4, 0.7)
_BEND = (20e-15, 40e-15)


def charges(p: Numbers) -> Floats:
    """Charges [C] of every sample: around the threshold, along the bend after it, and on the straight part."""
    return np.array([*np.round([*KNEE + moved(p), *_BEND], 18), *(x * full_scale(p) for x in _LINE)])


def off_threshold(q_in: Array) -> Array:
    """Where a pulse changes smoothly from sample to sample: not where one has a pulse and another none."""
    return (q_in < KNEE[0]) | (q_in > KNEE[-1])


def _straight(pulse: DataArray, side: int) -> tuple[DataArray, DataArray]:
    """Slope [s/C] and offset [s] of the straight part on one side, for every sample: least squares."""
    q, t = side * pulse.q_in, side * pulse
    part = t.where(q > _BEND[-1] * 1.01, drop=True)
    x = side * part.q_in - (side * part.q_in).mean()
    slope = (part * x).sum("q_in", skipna=False) / (x * x).sum()
    return slope, part.mean("q_in", skipna=False) - slope * (side * part.q_in).mean()


def gain_feature(output: str, side: int, name: str, of: str = "") -> Derived:
    """Slope of the straight part."""
    return Derived(
        name=name,
        unit="s/C",
        doc=f"slope of the straight part{of}",
        along="q_in",
        compute=lambda dataset: _straight(dataset[output], side)[0],
    )


def offset_feature(output: str, side: int, name: str, of: str = "") -> Derived:
    """Offset of the straight part."""
    return Derived(
        name=name,
        unit="s",
        doc=f"where the straight part meets no charge{of}",
        along="q_in",
        compute=lambda dataset: _straight(dataset[output], side)[1],
    )


def knee_feature(output: str, side: int, name: str, of: str = "") -> Derived:
    """How short of its line the pulse of a small charge is."""

    def compute(dataset: Dataset) -> DataArray:
        pulse = side * dataset[output].sel(q_in=side * _BEND[0], method="nearest")
        slope, offset = _straight(dataset[output], side)
        return offset + slope * _BEND[0] - pulse

    return Derived(
        name=name, unit="s", doc=f"how far below the line the pulse of 20 fC is{of}", along="q_in", compute=compute
    )


def threshold_feature(output: str, name: str, doc: str, *, above: float) -> Derived:
    """Charge at which an output rises above a level, half way between two simulated charges."""

    def compute(dataset: Dataset) -> DataArray:
        near = dataset[output].sel(q_in=slice(KNEE[0] * 0.9, KNEE[-1] * 1.1))
        low = near["q_in"].where(near <= above).max("q_in")
        high = near["q_in"].where(near > above).min("q_in")
        return ((low + high) / 2).where(near.notnull().all("q_in"))

    return Derived(name=name, unit="C", doc=doc, along="q_in", compute=compute)


def random_delay(suffix: str = "", of: str = "") -> dict[str, Coefficient]:
    """Random coefficients of one side's line."""
    return {
        f"d_gain{suffix}": Coefficient(unit="1", doc=f"relative change of gain{suffix}{of}", start=0.0, scale=1e-3),
        f"d_t_0{suffix}": Coefficient(unit="s", doc=f"change of t_0{suffix}{of}", start=0.0, scale=1e-12),
    }


def random_threshold(of: str) -> Coefficient:
    """The random coefficient of the comparator."""
    return Coefficient(unit="C", doc=f"change of {of}", start=0.0, scale=1e-17)
