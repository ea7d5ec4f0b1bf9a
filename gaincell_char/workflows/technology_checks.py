"""Checks of the wrapper devices of a technology, by simulation."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from .. import registry
from ..declare.bench import Floats, Tran
from ..declare.law import KELVIN
from ..declare.parameters import Params, Value
from ..errors import GaincellError, ParameterError
from ..spice.hierarchy import MISMATCH
from ..spice.pool import Pool
from ..technology.schema import Technology
from . import circuit_checks
from .hook_checks import hook_failures
from .technology_bench import HIGHEST_GATE, DeviceBench

_GATES = tuple(np.linspace(0, 1, 7).tolist())
"""Gate voltages of a characteristic, as fractions of the supply."""
_DRAINS = tuple(np.linspace(1 / 9, 1, 5).tolist())
"""Drain voltages of a characteristic, as fractions of the supply."""
_LOW_DRAIN = 0.05
"""Drain voltage, as a fraction of the supply, of a device in its linear region."""
_HIGH_BIAS = 0.9
"""Gate or drain voltage, as a fraction of the supply, of a device in strong inversion."""
_FLAT_RATIO = 1e-9
"""A decrease below this fraction of a current is ignored: a simple model has a constant current in saturation."""
_NO_CURRENT_A = 1e-12
"""Largest current of a device without current [A]."""
_LEAST_ON_OFF_RATIO = 1e3
"""Smallest ratio of the currents at gate voltages of the supply and of 0."""
_DVTH_V = 20e-3
"""Tested threshold deviation [V]."""
_DMU = 0.05
"""Tested relative mobility deviation."""
_MOBILITY_GAIN = (0.5, 1.05)
"""Valid range of the relative current change, divided by the relative mobility deviation."""
_THRESHOLD_GATES = (0.24, 0.36, 0.48, 0.6, 0.72, 0.82, HIGHEST_GATE)
"""Gate voltages, as fractions of the supply; the threshold is tested at the first one at which a device conducts."""
_SHIFT_ERROR = 0.15
"""Largest relative difference between the effects of a threshold deviation and of an equal gate shift."""
_UNMOVED_RATIO = 1e-9
"""Largest relative change of a current by rounding."""
_LEAST_OWN_MISMATCH = 1e-3
"""Smallest relative change of a current by the mismatch of its device."""
_LEAST_CORNER_STEP = 1e-3
"""Smallest relative difference of the drive current between a stronger corner and a weaker one."""
_LEAST_PROCESS_EFFECT = 1e-4
"""Smallest relative change of at least one current by three sigma of a process parameter."""
_OFF_DRAIN = 0.5
"""Drain voltage, as a fraction of the supply, of leakage: at the supply, the leakage that a gate induces at the drain,
which hardly depends on temperature, can exceed that of the channel."""
_LEAST_LEAKAGE_RATIO = 10.0
"""Smallest ratio of the leakage currents at the highest and the lowest temperature."""
_MOST_DRIVE_RATIO = 2.5
"""Largest ratio of the drive currents at the two limits of a small temperature range."""
_DRIVE_EXPONENT = 2.0
"""Largest power of the absolute temperature with which a drive current changes; that of mobility is 1.5 to 2."""
_HARDLY_ON_GATE = 0.8
"""Gate voltage, as a fraction of the supply, to detect a device close to its threshold at the supply."""
_HARDLY_ON_RATIO = 5.0
"""Ratio of the drive currents at the supply and at `_HARDLY_ON_GATE` above which a device is close to its threshold."""
_CAPACITANCE_F = 2e-15
"""Tested capacitance [F]."""
_CAPACITANCE_ERROR = 1e-3
"""Largest relative error of its charge at 1 V."""
_DRIVE_ORDER = (
    ("ff", "tt", "np"),
    ("tt", "ss", "np"),
    ("tt", "sf", "n"),
    ("sf", "tt", "p"),
    ("fs", "tt", "n"),
    ("tt", "fs", "p"),
)
"""Stronger corner, weaker corner, kinds of devices with this order."""


@dataclass(frozen=True, kw_only=True)
class TechnologyCheck:
    """Result of one check: its name, and the devices or circuits that fail, each with the reason.

    ``notes`` describes what is possible with restrictions; a note is not a failure.
    """

    name: str
    failures: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no device and no circuit fails."""
        return not self.failures


def check_technology(technology: Technology, only: Sequence[str] = ()) -> Iterator[TechnologyCheck]:
    """Run all checks, or `only` those named, in order; a failed simulation is a failed check."""
    first: dict[str, str] = {}  # reason of a check that could not finish -> the first such check
    with Pool() as pool:
        pool.start(technology.compiled_files)
        bench = DeviceBench(technology, pool)
        for name in only or CHECKS:
            notes: tuple[str, ...] = ()
            try:
                wrong = list(_CHECKS[name](bench))
                notes = tuple(_NOTES[name](bench)) if name in _NOTES else ()
            except GaincellError as error:
                reason = str(error).splitlines()[0]
                before = first.setdefault(reason, name)
                wrong = [reason if before == name else f"not possible, for the reason of the check {before!r}"]
            yield TechnologyCheck(name=name, failures=tuple(wrong), notes=notes)


def _complete(bench: DeviceBench) -> Iterator[str]:
    for flavour in bench.technology.flavours:
        for device in (f"n_{flavour}", f"p_{flavour}"):
            if corners := bench.missing_at(device):
                yield (
                    f"{device} is missing at {', '.join(corners)}: add .subckt {device} d g s b to one of the files of "
                    f"technology.toml, or remove {flavour} from its flavours"
                )
    if corners := bench.missing_at("cap"):
        yield f"cap is missing at {', '.join(corners)}: add .subckt cap p n c=1f to one of the files of technology.toml"


def _simulated(bench: DeviceBench) -> Iterator[str]:
    for corner in bench.technology.corners if bench.devices else ():
        current = bench.simulate_full_current(corner=corner)
        yield from bench.name_failing(abs(current) < np.inf, f"has no finite current at {corner}")


def _monotone(bench: DeviceBench) -> Iterator[str]:
    current = bench.simulate_currents(vgs=_GATES, vds=_DRAINS)
    off = bench.is_off(current)
    # Below threshold and at a high drain voltage, tunnelling and drain-induced leakage may dominate.
    grows_with_gate = current.isel(vgs=slice(1, None)).diff("vgs") > 0
    yield from bench.name_failing(grows_with_gate | off, "has a current that decreases with vgs")
    yield from bench.name_failing(
        (current.diff("vds") > -_FLAT_RATIO * current) | off, "has a current that decreases with vds"
    )


def _switching(bench: DeviceBench) -> Iterator[str]:
    for device in bench.devices:
        if device not in bench.conducting:
            yield (
                f"{device} does not conduct at a gate voltage of {HIGHEST_GATE * bench.technology.supply:g} V: make "
                f"supply = {bench.technology.supply:g} in technology.toml larger, or the threshold smaller"
            )
    current = bench.simulate_currents(vgs=(0.0, 1.0), vds=(1.0,))
    switches = current.sel(vgs=1.0) > _LEAST_ON_OFF_RATIO * current.sel(vgs=0.0)
    yield from bench.name_failing(switches, f"has an on/off current ratio below {_LEAST_ON_OFF_RATIO:g}")


def _empty(bench: DeviceBench) -> Iterator[str]:
    for device in bench.technology.absent:
        current = bench.simulate(["vd d 0 1", f"x d d 0 0 {device}"], ["i(vd)"])["i(vd)"][0]
        if abs(current) > _NO_CURRENT_A:
            yield f"{device} is declared absent, but conducts {abs(current):g} A"


def _threshold(bench: DeviceBench) -> Iterator[str]:
    raised = {"raised": f"dvth={_DVTH_V}"}
    current = bench.simulate_currents(variants={"plain": "", **raised}, vgs=_GATES[2:], vds=_DRAINS)
    plain = current.sel(variant="plain")
    off = bench.is_off(plain)
    falls = current.sel(variant="raised") < plain
    yield from bench.name_failing(falls | off, "has more current with dvth above 0")

    def simulate_at(gate_shift: float, variants: Mapping[str, str]) -> xr.DataArray:
        """Currents at the gate voltages plus a shift [V], labelled by the unshifted gate voltages."""
        gates = [gate + gate_shift / bench.technology.supply for gate in _THRESHOLD_GATES]
        found = bench.simulate_currents(variants=variants, vgs=gates, vds=(_LOW_DRAIN,))
        return found.assign_coords(vgs=list(_THRESHOLD_GATES)).isel(variant=0, vds=0, drop=True)

    before, after = simulate_at(0.0, {"plain": ""}), simulate_at(_DVTH_V, {"plain": ""})
    compensated = simulate_at(_DVTH_V, raised)
    first_on = (~bench.is_off(before)).argmax("vgs")
    shifts = abs(compensated - before) < _SHIFT_ERROR * abs(after - before)
    yield from bench.name_failing(shifts.isel(vgs=first_on), "does not respond to dvth as to a gate shift in volts")


def _mobility(bench: DeviceBench) -> Iterator[str]:
    variants = {"plain": "", "raised": f"dmu={_DMU}"}
    current = bench.simulate_currents(variants=variants, vgs=(_HIGH_BIAS,), vds=(_LOW_DRAIN,))
    gain = current.sel(variant="raised") / current.sel(variant="plain") - 1
    least, most = _MOBILITY_GAIN
    fine = (gain > least * _DMU) & (gain < most * _DMU)
    yield from bench.name_failing(fine, f"does not respond to dmu = {_DMU:g} with the same relative change of current")


def _alone(bench: DeviceBench) -> Iterator[str]:
    def simulate_three(parameters: str) -> xr.DataArray:
        """Currents of three instances of each device, the second one with other parameters."""
        variants = {"first": "", "own": parameters, "last": ""}
        process = {**bench.technology.corner("tt"), "dvth_a": 30e-3}
        return bench.simulate_currents(variants=variants, vgs=(_HIGH_BIAS,), vds=(_HIGH_BIAS,), process=process)

    moved = abs(simulate_three("dvth={dvth_a} dmu=0.1") / simulate_three("") - 1)
    others = moved.sel(variant=["first", "last"])
    yield from bench.name_failing(others < _UNMOVED_RATIO, "changes with the mismatch of another device")
    own = moved.sel(variant="own")
    yield from bench.name_failing(own > _LEAST_OWN_MISMATCH, "does not change with its own mismatch")


def _ordered(bench: DeviceBench) -> Iterator[str]:
    ordered = {corner for stronger, weaker, _ in _DRIVE_ORDER for corner in (stronger, weaker)}
    corners = [corner for corner in bench.technology.corners if corner in ordered]
    drives = {corner: bench.simulate_full_current(corner=corner) for corner in corners}
    for stronger, weaker, kinds in _DRIVE_ORDER:
        if stronger in drives and weaker in drives:
            for device in (device for device in bench.conducting if device[0] in kinds):
                more, less = (float(drives[corner].sel(device=device)) for corner in (stronger, weaker))
                if not more > (1 + _LEAST_CORNER_STEP) * less:
                    yield f"{device} drives {more:.3g} A at {stronger}, {less:.3g} A at {weaker}"


def _process(bench: DeviceBench) -> Iterator[str]:
    bias_v = _HIGH_BIAS * bench.technology.supply
    lines, save = [], []
    if bench.has("cap"):
        lines, save = ["vq q 0 pulse(0 1 0 1u 1u 1u 9u)", "xq q 0 cap c=1p"], ["i(vq)"]
    for number, device in enumerate(bench.conducting):
        lines += bench.instance_lines(number, device, bias_v, bias_v)
        save.append(f"i(vd{number})")

    def simulate_final(process: Mapping[str, float]) -> Floats:
        """Currents [A] of the capacitor during charging, and of every device."""
        vectors = bench.simulate(lines, save, analysis=Tran(stop=0.5e-6, max_step=50e-9), process=process)
        return np.array([vectors[name][-1] for name in save])

    if bench.conducting != bench.expected:
        return  # a parameter of a device without current has no effect; other checks report the device
    nominal = bench.technology.corner("tt")
    reference = simulate_final(nominal)
    for name, sigma in bench.technology.process.items():
        moved = np.abs(simulate_final({**nominal, name: 3 * sigma}) / reference - 1)
        if moved.max() < _LEAST_PROCESS_EFFECT:
            yield f"three sigma of {name} have no effect: use {name} in the devices, or remove it from [process]"


def _capacitor(bench: DeviceBench) -> Iterator[str]:
    if not bench.has("cap"):
        return  # `_complete` reports it
    lines = ["vq q 0 pulse(0 1 10n 100n 100n 1u 1)", f"xq q 0 cap c={_CAPACITANCE_F!r}"]
    vectors = bench.simulate(lines, ["v(q)", "i(vq)"], analysis=Tran(stop=200e-9, max_step=1e-9))
    charge = float(np.trapezoid(-vectors["i(vq)"], vectors["time"]))
    if abs(charge / _CAPACITANCE_F - 1) > _CAPACITANCE_ERROR:
        yield f"cap of {1e15 * _CAPACITANCE_F:g} fF has a charge of {charge:g} C at 1 V"


def _temperatures(bench: DeviceBench) -> Iterator[str]:
    low, high = (
        bench.simulate_currents(vgs=(0.0, 1.0), vds=(_OFF_DRAIN, 1.0), temp=temp)
        for temp in (bench.technology.temp.low, bench.technology.temp.high)
    )
    yield from bench.name_failing(
        (abs(low) < np.inf) & (abs(high) < np.inf), "has no finite current at a limit of temp"
    )
    # At low temperature, tunnelling exceeds the subthreshold current of devices with the highest threshold.
    leakage = high.sel(vgs=0.0, vds=_OFF_DRAIN)
    off = bench.is_off(leakage)
    leaks_more = leakage > _LEAST_LEAKAGE_RATIO * low.sel(vgs=0.0, vds=_OFF_DRAIN)
    yield from bench.name_failing(leaks_more | off, "has no larger leakage at high temperature")
    # The drive of a device close to its threshold at the supply grows with temperature, too.
    current = bench.simulate_currents(vgs=(_HARDLY_ON_GATE, 1.0), vds=(1.0,))
    hardly_on = current.sel(vgs=1.0) > _HARDLY_ON_RATIO * current.sel(vgs=_HARDLY_ON_GATE)
    ratio = (high / low).sel(vgs=1.0, vds=1.0)
    coldest, hottest = bench.technology.temp.low + KELVIN, bench.technology.temp.high + KELVIN
    most = max(_MOST_DRIVE_RATIO, (hottest / coldest) ** _DRIVE_EXPONENT)
    steady = (ratio > 1 / most) & (ratio < most)
    yield from bench.name_failing(
        steady | hardly_on, f"has drive currents that differ by more than a factor {most:.2g} over temp"
    )


def _sizes(bench: DeviceBench) -> Iterator[str]:
    for name, sizes in bench.technology.circuits.items():
        circuit = registry.load_circuit(name)
        tables: list[Params] = [circuit.params | other.params for other in circuit.benches]
        for parameter, value in sizes.items():
            having = [table for table in tables if parameter in table]
            if not having:
                yield f"[circuits.{name}] sets {parameter}, which is not a parameter of {name}"
            else:
                yield from _refused(having[0], parameter, value)


def _planned(bench: DeviceBench) -> Iterator[str]:
    yield from circuit_checks.unplanned(bench.technology, bench.planned)


def _limited(bench: DeviceBench) -> Iterator[str]:
    yield from circuit_checks.limited(bench.technology, bench.planned)


def _sampled(bench: DeviceBench) -> Iterator[str]:
    yield from circuit_checks.failing(bench.technology, bench.pool)


def _refused(table: Params, parameter: str, value: Value) -> Iterator[str]:
    try:
        table.check({parameter: value})
    except ParameterError as error:
        yield str(error)


_PLANNED = "every study and every campaign of every circuit can be planned"
_CHECKS: Mapping[str, Callable[[DeviceBench], Iterator[str]]] = {
    "every corner has n and p devices of every flavour, and a capacitor": _complete,
    "every device can be simulated at every corner": _simulated,
    "the current increases with gate and drain voltage": _monotone,
    "every device switches on and off": _switching,
    "devices declared absent conduct no current": _empty,
    f"{MISMATCH[0]} shifts the threshold voltage, in volts": _threshold,
    f"{MISMATCH[1]} is a relative change of the current": _mobility,
    "mismatch changes its own device and no other": _alone,
    "Monte Carlo changes a device as its parameters do": hook_failures,
    "drive currents are ordered as the corner names state": _ordered,
    "every process parameter has an effect": _process,
    "the charge of the capacitor is c times v": _capacitor,
    "devices work at both limits of temp": _temperatures,
    "sizes for a circuit are parameters of this circuit": _sizes,
    _PLANNED: _planned,
    "a Monte Carlo sample of every circuit can be simulated": _sampled,
}
_NOTES: Mapping[str, Callable[[DeviceBench], Iterator[str]]] = {_PLANNED: _limited}
CHECKS = tuple(_CHECKS)
"""Names of the checks, in order."""
