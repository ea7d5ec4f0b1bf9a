"""Checks of a technology: what every wrapper device must do, simulated."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from .. import registry
from ..declare.bench import Floats, Tran
from ..declare.parameters import Params, Value
from ..errors import GaincellError, ParameterError
from ..spice.hierarchy import MISMATCH
from ..spice.pool import Pool
from ..technology.schema import Technology
from . import circuit_checks
from .technology_bench import DeviceBench

_GATES = tuple(np.linspace(0, 1, 7).tolist())
"""Gate voltages of a characteristic, as fractions of the supply."""
_DRAINS = tuple(np.linspace(1 / 9, 1, 5).tolist())
"""Drain voltages of a characteristic, as fractions of the supply."""
_LOW_DRAIN = 0.05
"""Drain voltage, as a fraction of the supply, of a device in its linear region."""
_HIGH_BIAS = 0.9
"""Gate or drain voltage, as a fraction of the supply, of a device that conducts well."""
_NO_CURRENT_RATIO = 1e-9
"""A current below this part of that at full supply is none: a level-1 card has none below its threshold."""
_NO_CURRENT_A = 1e-12
"""A current up to this one is none [A]."""
_LEAST_ON_OFF_RATIO = 1e3
"""Least ratio of the currents at gate voltages of the supply and of 0."""
_DVTH_V = 20e-3
"""Threshold deviation that is tried [V]."""
_DMU = 0.05
"""Mobility deviation that is tried, as a part of the mobility."""
_MOBILITY_GAIN = (0.5, 1.05)
"""Range of the gain in current, as a part of the mobility deviation."""
_THRESHOLD_GATES = (0.24, 0.36, 0.48, 0.6, 0.72)
"""Gate voltages, as fractions of the supply; at the first at which a device conducts its threshold shows."""
_SHIFT_ERROR = 0.15
"""Most that the effect of a threshold deviation may differ from that of a gate shift, as a part of the latter."""
_UNMOVED_RATIO = 1e-9
"""Relative change of a current that is rounding."""
_LEAST_OWN_MISMATCH = 1e-3
"""Least relative change of a current by the mismatch of its own device."""
_LEAST_CORNER_STEP = 0.02
"""Least relative difference of the drive between a stronger corner and a weaker one."""
_LEAST_PROCESS_EFFECT = 5e-3
"""Least relative change of some current by three sigma of a process parameter."""
_LEAST_LEAKAGE_RATIO = 10.0
"""Least ratio of the leakage at the highest temperature to that at the lowest."""
_MOST_DRIVE_RATIO = 2.5
"""Most that the drive may differ, by this factor, between the ends of the temperature range."""
_HARDLY_ON_GATE = 0.8
"""Gate voltage, as a fraction of the supply, at which the drive of a device that is hardly on is much smaller."""
_HARDLY_ON_RATIO = 5.0
"""Drive at the supply over that at `_HARDLY_ON_GATE` above which a device is hardly on at the supply."""
_CAPACITANCE_F = 2e-15
"""Capacitor that is tried [F]."""
_CAPACITANCE_ERROR = 1e-3
"""Most that its charge at 1 V may be off, as a part of it."""
_DRIVE_ORDER = (
    ("ff", "tt", "np"),
    ("tt", "ss", "np"),
    ("tt", "sf", "n"),
    ("sf", "tt", "p"),
    ("fs", "tt", "n"),
    ("tt", "fs", "p"),
)
"""Stronger corner, weaker corner, kinds of device for which that holds."""


@dataclass(frozen=True, kw_only=True)
class TechnologyCheck:
    """One check, and the devices or circuits that fail it, each with the reason."""

    name: str
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether no device and no circuit fails."""
        return not self.failures


def check_technology(technology: Technology, only: Sequence[str] = ()) -> Iterator[TechnologyCheck]:
    """Run every check, or `only` those named, one after the other; a simulation that fails is a failed check."""
    with Pool() as pool:
        bench = DeviceBench(technology, pool)
        for name in only or CHECKS:
            try:
                wrong = list(_CHECKS[name](bench))
            except GaincellError as error:
                wrong = [str(error).splitlines()[0]]
            yield TechnologyCheck(name=name, failures=tuple(wrong))


def _complete(bench: DeviceBench) -> Iterator[str]:
    for corner in bench.technology.corners:
        blocks = bench.technology.library(corner).subcircuits
        for device in (*bench.devices, *bench.technology.absent, "cap"):
            if device not in blocks:
                yield f"corner {corner} has no {device}"


def _simulated(bench: DeviceBench) -> Iterator[str]:
    for corner in bench.technology.corners:
        current = bench.simulate_full_current(corner=corner)
        yield from bench.name_failing(abs(current) < np.inf, f"gives no number at {corner}")


def _monotone(bench: DeviceBench) -> Iterator[str]:
    current = bench.simulate_currents(vgs=_GATES, vds=_DRAINS)
    off = current < _NO_CURRENT_RATIO * bench.full_current
    # Below threshold and at a high drain, tunnelling and drain-induced leakage may bend it.
    grows_with_gate = current.isel(vgs=slice(1, None)).diff("vgs") > 0
    yield from bench.name_failing(grows_with_gate | off, "falls over vgs")
    yield from bench.name_failing((current.diff("vds") > 0) | off, "falls over vds")


def _switching(bench: DeviceBench) -> Iterator[str]:
    current = bench.simulate_currents(vgs=(0.0, 1.0), vds=(1.0,))
    switches = current.sel(vgs=1.0) > _LEAST_ON_OFF_RATIO * current.sel(vgs=0.0)
    yield from bench.name_failing(switches, f"conducts less than {_LEAST_ON_OFF_RATIO:g} times more when on")


def _empty(bench: DeviceBench) -> Iterator[str]:
    for device in bench.technology.absent:
        current = bench.simulate(["vd d 0 1", f"x d d 0 0 {device}"], ["i(vd)"])["i(vd)"][0]
        if abs(current) > _NO_CURRENT_A:
            yield f"{device} is declared absent, but conducts {abs(current):g} A"


def _threshold(bench: DeviceBench) -> Iterator[str]:
    raised = {"raised": f"dvth={_DVTH_V}"}
    current = bench.simulate_currents(variants={"plain": "", **raised}, vgs=_GATES[2:], vds=_DRAINS)
    plain = current.sel(variant="plain")
    off = plain < _NO_CURRENT_RATIO * bench.full_current
    falls = current.sel(variant="raised") < plain
    yield from bench.name_failing(falls | off, "conducts more with dvth above 0")

    def simulate_at(gate_shift: float, variants: Mapping[str, str]) -> xr.DataArray:
        """Currents at the threshold's gates and a shift [V] of them, labelled by the former."""
        gates = [gate + gate_shift / bench.technology.supply for gate in _THRESHOLD_GATES]
        found = bench.simulate_currents(variants=variants, vgs=gates, vds=(_LOW_DRAIN,))
        return found.assign_coords(vgs=list(_THRESHOLD_GATES)).isel(variant=0, vds=0, drop=True)

    before, after = simulate_at(0.0, {"plain": ""}), simulate_at(_DVTH_V, {"plain": ""})
    compensated = simulate_at(_DVTH_V, raised)
    first_on = (before > _NO_CURRENT_RATIO * bench.full_current).argmax("vgs")
    shifts = abs(compensated - before) < _SHIFT_ERROR * abs(after - before)
    yield from bench.name_failing(shifts.isel(vgs=first_on), "does not take dvth as a shift of its gate, in volts")


def _mobility(bench: DeviceBench) -> Iterator[str]:
    variants = {"plain": "", "raised": f"dmu={_DMU}"}
    current = bench.simulate_currents(variants=variants, vgs=(_HIGH_BIAS,), vds=(_LOW_DRAIN,))
    gain = current.sel(variant="raised") / current.sel(variant="plain") - 1
    least, most = _MOBILITY_GAIN
    fine = (gain > least * _DMU) & (gain < most * _DMU)
    yield from bench.name_failing(fine, f"does not take dmu = {_DMU:g} as that much more current")


def _alone(bench: DeviceBench) -> Iterator[str]:
    def simulate_three(parameters: str) -> xr.DataArray:
        """Three of each device, the one between the others with parameters of its own."""
        variants = {"first": "", "own": parameters, "last": ""}
        process = {**bench.technology.corner("tt"), "dvth_a": 30e-3}
        return bench.simulate_currents(variants=variants, vgs=(_HIGH_BIAS,), vds=(_HIGH_BIAS,), process=process)

    moved = abs(simulate_three("dvth={dvth_a} dmu=0.1") / simulate_three("") - 1)
    others = moved.sel(variant=["first", "last"])
    yield from bench.name_failing(others < _UNMOVED_RATIO, "moves when another has mismatch")
    own = moved.sel(variant="own")
    yield from bench.name_failing(own > _LEAST_OWN_MISMATCH, "does not move with its own mismatch")


def _ordered(bench: DeviceBench) -> Iterator[str]:
    ordered = {corner for stronger, weaker, _ in _DRIVE_ORDER for corner in (stronger, weaker)}
    corners = [corner for corner in bench.technology.corners if corner in ordered]
    drives = {corner: bench.simulate_full_current(corner=corner) for corner in corners}
    for stronger, weaker, kinds in _DRIVE_ORDER:
        if stronger in drives and weaker in drives:
            for device in (device for device in bench.devices if device[0] in kinds):
                more, less = (float(drives[corner].sel(device=device)) for corner in (stronger, weaker))
                if not more > (1 + _LEAST_CORNER_STEP) * less:
                    yield f"{device} drives {more:.3g} A at {stronger}, {less:.3g} A at {weaker}"


def _process(bench: DeviceBench) -> Iterator[str]:
    bias_v = _HIGH_BIAS * bench.technology.supply
    lines = ["vq q 0 pulse(0 1 0 1u 1u 1u 9u)", "xq q 0 cap c=1p"]
    save = ["i(vq)"]
    for number, device in enumerate(bench.devices):
        lines += bench.instance_lines(number, device, bias_v, bias_v)
        save.append(f"i(vd{number})")

    def simulate_final(process: Mapping[str, float]) -> Floats:
        """Currents [A] of the capacitor, which is being charged, and of every device."""
        vectors = bench.simulate(lines, save, analysis=Tran(stop=0.5e-6, max_step=50e-9), process=process)
        return np.array([vectors[name][-1] for name in save])

    nominal = bench.technology.corner("tt")
    reference = simulate_final(nominal)
    for name, sigma in bench.technology.process.items():
        moved = np.abs(simulate_final({**nominal, name: 3 * sigma}) / reference - 1)
        if moved.max() < _LEAST_PROCESS_EFFECT:
            yield f"three sigma of {name} change nothing"


def _capacitor(bench: DeviceBench) -> Iterator[str]:
    lines = ["vq q 0 pulse(0 1 10n 100n 100n 1u 1)", f"xq q 0 cap c={_CAPACITANCE_F!r}"]
    vectors = bench.simulate(lines, ["v(q)", "i(vq)"], analysis=Tran(stop=200e-9, max_step=1e-9))
    charge = float(np.trapezoid(-vectors["i(vq)"], vectors["time"]))
    if abs(charge / _CAPACITANCE_F - 1) > _CAPACITANCE_ERROR:
        yield f"cap of {1e15 * _CAPACITANCE_F:g} fF holds {charge:g} C at 1 V"


def _temperatures(bench: DeviceBench) -> Iterator[str]:
    low, high = (
        bench.simulate_currents(vgs=(0.0, 1.0), vds=(1.0,), temp=temp)
        for temp in (bench.technology.temp.low, bench.technology.temp.high)
    )
    yield from bench.name_failing((abs(low) < np.inf) & (abs(high) < np.inf), "gives no number at an end of temp")
    # Tunnelling hides the subthreshold current of the highest threshold when cold.
    leakage = high.sel(vgs=0.0)
    off = leakage < _NO_CURRENT_RATIO * bench.full_current
    leaks_more = leakage > _LEAST_LEAKAGE_RATIO * low.sel(vgs=0.0)
    yield from bench.name_failing(leaks_more | off, "leaks no more when hot")
    # A device that is hardly on at the supply is turned on by heat, too.
    current = bench.simulate_currents(vgs=(_HARDLY_ON_GATE, 1.0), vds=(1.0,))
    hardly_on = current.sel(vgs=1.0) > _HARDLY_ON_RATIO * current.sel(vgs=_HARDLY_ON_GATE)
    ratio = high.sel(vgs=1.0) / low.sel(vgs=1.0)
    steady = (ratio > 1 / _MOST_DRIVE_RATIO) & (ratio < _MOST_DRIVE_RATIO)
    yield from bench.name_failing(steady | hardly_on, f"drives more than {_MOST_DRIVE_RATIO:g} times more at one end")


def _sizes(bench: DeviceBench) -> Iterator[str]:
    for name, sizes in bench.technology.circuits.items():
        circuit = registry.load_circuit(name)
        tables: list[Params] = [circuit.params | other.params for other in circuit.benches]
        for parameter, value in sizes.items():
            having = [table for table in tables if parameter in table]
            if not having:
                yield f"[circuits.{name}] sets {parameter}, which it does not have"
            else:
                yield from _refused(having[0], parameter, value)


def _planned(bench: DeviceBench) -> Iterator[str]:
    yield from circuit_checks.unplanned(bench.technology)


def _sampled(bench: DeviceBench) -> Iterator[str]:
    yield from circuit_checks.failing(bench.technology, bench.pool)


def _refused(table: Params, parameter: str, value: Value) -> Iterator[str]:
    try:
        table.check({parameter: value})
    except ParameterError as error:
        yield str(error)


_CHECKS: Mapping[str, Callable[[DeviceBench], Iterator[str]]] = {
    "every flavour has an n and a p device, and there is a capacitor, at every corner": _complete,
    "every device simulates at every corner": _simulated,
    "the current grows with the gate and with the drain": _monotone,
    "every device switches": _switching,
    "devices declared absent conduct nothing": _empty,
    f"{MISMATCH[0]} is a threshold in volts": _threshold,
    f"{MISMATCH[1]} is a part of the current": _mobility,
    "mismatch moves its own device and no other": _alone,
    "corners order the drive as their names say": _ordered,
    "every process parameter reaches a device": _process,
    "the capacitor holds the charge it is given": _capacitor,
    "devices hold at both ends of temp": _temperatures,
    "sizes it gives a circuit are parameters of that circuit": _sizes,
    "every study and every campaign of every circuit can be planned": _planned,
    "a Monte Carlo sample of every circuit can be simulated": _sampled,
}
CHECKS = tuple(_CHECKS)
"""Names of the checks, in the order in which they run."""
