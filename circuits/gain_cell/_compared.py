"""Figures of merit by which technologies are compared: current, sizes, noise, energy and retention of a gain cell."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from gaincell_char.declare.bench import Floats
from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.record_merits import CurveAxis, Evidence, RecordCurves, RecordMerit
from gaincell_char.errors import DataError

from ._benches import LEVELS, T_MAX

_ROOM, _WARM = 27.0, 85.0
_TIMES, _CURVE = 241, 181
_READ_AND_WRITE = (("w_n", "l_n", 1), ("w_p", "l_p", 1), ("w_write", "l_write", 2))
_SWITCHES = (("w_sn", "l_s", 1), ("w_sp", "l_s", 1))
_UM2 = 1e12


def _supply(evidence: Evidence, study: str = "dc") -> float:
    return evidence.parameter(study, "vdd")


def _storage(evidence: Evidence) -> float:
    return evidence.parameter("dc", "c_store")


def _gate_area(devices: Sequence[tuple[str, str, int]], evidence: Evidence) -> float:
    """Drawn area [um^2] of the gates of a cell."""
    size = partial(evidence.parameter, "dc")
    return _UM2 * sum(count * size(width) * size(length) for width, length, count in devices)


def _current(share: float, evidence: Evidence) -> float:
    """Current [A] at a share of the supply on the storage node."""
    return float(evidence.model("dc", "ekv")(share * _supply(evidence)))


def _zero(evidence: Evidence) -> float:
    """Stored voltage without current, in percent of the supply."""
    vdd, current = _supply(evidence), evidence.model("dc", "ekv")
    v_store = np.linspace(0, vdd, _CURVE)
    return float(100 * np.interp(0.0, current(v_store), v_store) / vdd)


def _error(study: str, model: str, evidence: Evidence) -> float:
    return 100 * evidence.error(study, model)


def _current_spread(evidence: Evidence) -> float:
    vdd = _supply(evidence)
    return 100 * evidence.spread("dc", "random_cell", vdd) / abs(_current(1.0, evidence))


def _read_noise(evidence: Evidence) -> float:
    vdd = _supply(evidence, "pulse")
    full = evidence.model("pulse", "ekv_charge")(vdd, T_MAX)
    return float(100 * evidence.model("noise", "charge_noise")(vdd, T_MAX) / full)


def _write_noise(evidence: Evidence) -> float:
    """Noise of a write of half the supply, in percent of an LSB of the DAC."""
    vdd = _supply(evidence, "noise")
    return float(100 * evidence.model("noise", "write_noise")(vdd / 2) * (LEVELS.count - 1) / vdd)


def _energy(evidence: Evidence) -> float:
    levels = _levels(_supply(evidence, "energy"))
    parts = (evidence.model("energy", model)(levels, T_MAX / 2) for model in ("cell_energy", "driver_energy"))
    return float(np.mean(sum(parts)))


def _levels(vdd: float) -> Floats:
    return np.linspace(0, vdd, LEVELS.count)


def _iv_curve(evidence: Evidence) -> tuple[Floats, Floats]:
    share = np.linspace(0, 1, _CURVE)
    return share, np.asarray(evidence.model("dc", "ekv")(share * _supply(evidence)))


def _cell_merits(devices: Sequence[tuple[str, str, int]]) -> tuple[RecordMerit, ...]:
    return (
        RecordMerit(key=True, name="supply", unit="V", doc="vdd", compute=_supply),
        RecordMerit(key=True, name="storage capacitor", unit="F", doc="c_store", compute=_storage),
        RecordMerit(
            key=True,
            name="gate area of a cell",
            unit="um^2",
            doc="w l of all its transistors, as drawn; without the capacitor and wires",
            compute=partial(_gate_area, devices),
        ),
        RecordMerit(
            key=True,
            name="largest current",
            unit="A",
            doc="i_bl at v_store = v_in = vdd",
            compute=partial(_current, 1.0),
        ),
        RecordMerit(
            name="smallest current", unit="A", doc="i_bl at v_store = 0, v_in = vdd", compute=partial(_current, 0.0)
        ),
        RecordMerit(name="zero of the current", unit="%", doc="v_store without current, of vdd", compute=_zero),
        RecordMerit(
            key=True,
            name="error of the current's model",
            unit="%",
            doc="rms error of ekv, of full range",
            compute=partial(_error, "dc", "ekv"),
        ),
        RecordMerit(
            key=True,
            name="spread of the largest current",
            unit="%",
            doc="sigma under mismatch, of the largest current",
            compute=_current_spread,
        ),
        RecordMerit(
            name="noise of a read",
            unit="%",
            doc="rms noise of the charge of a 15 ns pulse at v_store = vdd, of this charge",
            compute=_read_noise,
        ),
        RecordMerit(
            name="noise of a write",
            unit="%",
            doc="rms noise of v_store at vdd/2, of an LSB of 3 bits",
            compute=_write_noise,
        ),
        RecordMerit(
            key=True,
            name="energy per operation",
            unit="J",
            doc="cell and drivers, one pulse of 7.5 ns, mean over the eight levels of v_store",
            compute=_energy,
        ),
    )


_CURRENT = RecordCurves(
    name="current",
    title="Current of a cell at full input",
    x=CurveAxis(doc="stored voltage, relative to the supply", unit="1"),
    y=CurveAxis(doc="current, i_bl", unit="A"),
    lines={"": _iv_curve},
)


def with_compared(circuit: Circuit, *, switched: bool = False, drawn: bool = True) -> Circuit:
    """A gain cell with its figures of merit, with those of its two switches if it is `switched`, and its curve."""
    devices = (*_READ_AND_WRITE, *(_SWITCHES if switched else ()))
    return replace(circuit, record_merits=_cell_merits(devices), record_curves=(_CURRENT,) if drawn else ())


def _moved_by_model(temp: float, evidence: Evidence) -> tuple[Floats, Floats]:
    """Times [s], from 0 on, and the largest move of a level until then [LSB of the 3-bit DAC], by the fitted model."""
    vdd, decay = _supply(evidence, "decay"), evidence.model("decay", "four_leaks", temp=temp)
    times = np.geomspace(*evidence.valid_range("decay", "four_leaks", "time", temp=temp), _TIMES)
    levels = _levels(vdd)[:, np.newaxis]
    moved = np.abs(decay(levels, times, vdd / 2) - levels).max(0) * (LEVELS.count - 1) / vdd
    return np.append(0.0, times), np.append(0.0, moved)


def _moved_in_points(temp: float, evidence: Evidence) -> tuple[Floats, Floats]:
    """The same in the simulated points with start levels from 0 to the supply."""
    vdd, points = _supply(evidence, "decay"), evidence.points("decay")
    v_init, v_wbl = points["v_init"], points["v_wbl"]
    idle = np.abs(v_wbl - vdd / 2) <= np.abs(v_wbl - vdd / 2).min() + 1e-9
    chosen = idle & (points["temp"] == temp) & (points["corner"] == "tt") & (v_init >= 0) & (v_init <= vdd)
    times = np.unique(points["time"][chosen])
    if not times.size:
        raise DataError(f"no simulated points of study decay at temp = {temp:g}")
    at = np.searchsorted(times, points["time"][chosen])
    moved = np.zeros(times.size)
    np.maximum.at(moved, at, np.abs(points["v_store"] - v_init)[chosen] * (LEVELS.count - 1) / vdd)
    return np.append(0.0, times), np.append(0.0, moved)


def _moved(temp: float, evidence: Evidence) -> tuple[Floats, Floats]:
    """By the fitted model, or in the simulated points where the model was not fitted and a run has points."""
    try:
        return _moved_by_model(temp, evidence)
    except DataError as lack:
        try:
            return _moved_in_points(temp, evidence)
        except DataError as other:
            raise other from lack


def _retention(temp: float, evidence: Evidence) -> float:
    times, moved = _moved(temp, evidence)
    return float(np.interp(0.5, moved, times)) if moved.max() >= 0.5 else float("inf")


def _last_time(temp: float, evidence: Evidence) -> float:
    return float(_moved(temp, evidence)[0][-1])


def _move_curve(temp: float, evidence: Evidence) -> tuple[Floats, Floats]:
    times, moved = _moved(temp, evidence)
    return times[1:], moved[1:]


def _retention_merit(temp: float) -> RecordMerit:
    return RecordMerit(
        key=True,
        name=f"retention at {temp:g} degC",
        unit="s",
        doc="time until one of the eight levels has moved by half an LSB of 3 bits; write bitline at vdd/2",
        compute=partial(_retention, temp),
        end=partial(_last_time, temp),
    )


RETENTION = (_retention_merit(_ROOM), _retention_merit(_WARM))
"""Retention of an idle cell, by temperature."""
DECAY = RecordCurves(
    name="decay",
    title="Largest move of a stored level",
    x=CurveAxis(doc="time since the write", unit="s", log=True),
    y=CurveAxis(doc="largest move of a level [LSB of 3 bits]", unit="1", log=True),
    lines={f"{temp:g} degC": partial(_move_curve, temp) for temp in (_ROOM, _WARM)},
    limit=0.5,
    limit_doc="half an LSB",
)
