"""Checks of a technology: what every wrapper device must do, simulated."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .. import registry
from ..declare.bench import Analysis, Floats, Op, Tran, Waveforms
from ..declare.parameters import Params, Value
from ..errors import GaincellError, ParameterError
from ..spice.blocks import prune
from ..spice.hierarchy import MISMATCH, block_defaults
from ..spice.netlist import as_netlist
from ..spice.pool import Pool
from ..sweep.run import simulate
from ..technology.schema import Technology
from . import circuit_checks

_OPTIONS = {"gmin": 1e-15, "reltol": 1e-6, "abstol": 1e-15, "vntol": 1e-9}
_W, _L, _LONG = 1e-6, 200e-9, 6.0
"""Devices are this wide [m], and this many times as long as the wrapper's default [m, if it has none]."""
_DVTH, _DMU = 20e-3, 0.05
_NEAR, _CLOSE = (0.24, 0.36, 0.48, 0.6, 0.72), 0.15
"""Gates, as fractions of the supply, at the first of which that conducts a threshold shows; how much may be missing."""
_NOTHING = 1e-9
"""A current below this part of that at full supply is none: a level-1 card has none below its threshold."""
_ON_OFF, _STEP, _PROCESS_MOVES = 1e3, 0.02, 5e-3
_WARM, _HARDLY = 2.5, 5.0
_ORDER = (
    ("ff", "tt", "np"),
    ("tt", "ss", "np"),
    ("tt", "sf", "n"),
    ("sf", "tt", "p"),
    ("fs", "tt", "n"),
    ("tt", "fs", "p"),
)


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
        bench = _Bench(technology, pool)
        for name in only or CHECKS:
            try:
                wrong = list(_CHECKS[name](bench))
            except GaincellError as error:
                wrong = [str(error).splitlines()[0]]
            yield TechnologyCheck(name=name, failures=tuple(wrong))


class _Bench:
    """The wrapper devices of a technology between sources of their own."""

    def __init__(self, technology: Technology, pool: Pool) -> None:
        self.technology, self.pool = technology, pool
        every = [f"{kind}_{flavour}" for flavour in technology.flavours for kind in "np"]
        self.devices = [device for device in every if device not in technology.absent]

    @cached_property
    def lengths(self) -> dict[str, float]:
        """Channel length [m] of each device under test."""
        defaults = block_defaults(as_netlist(self.technology.text))
        return {device: _LONG * defaults.get(device, {}).get("l", _L) for device in self.devices}

    @cached_property
    def full(self) -> Floats:
        """Current [A] of each device with gate and drain at the supply."""
        return self.currents(vgs=(1.0,), vds=(1.0,))[:, 0, 0, 0]

    def run(
        self,
        lines: Sequence[str],
        save: Sequence[str],
        *,
        corner: str = "tt",
        analysis: Analysis | None = None,
        process: Mapping[str, float] | None = None,
        temp: float = 27.0,
    ) -> Waveforms:
        user = as_netlist("\n".join(lines))
        netlist = prune(self.technology.library(corner), user) + user
        given = self.technology.corner(corner) if process is None else process
        return simulate(
            netlist.text, analysis or Op(), list(save), options=_OPTIONS, params=given, temp=temp, pool=self.pool
        )

    def instance(self, number: int, device: str, vgs: float, vds: float, extra: str = "") -> list[str]:
        """A transistor with its source at ground, signs turned for a p device."""
        sign = 1 if device.startswith("n_") else -1
        return [
            f"vg{number} g{number} 0 {sign * vgs!r}",
            f"vd{number} d{number} 0 {sign * vds!r}",
            f"x{number} d{number} g{number} 0 0 {device} w={_W!r} l={self.lengths[device]!r} {extra}",
        ]

    def currents(
        self,
        *,
        devices: Sequence[str] = (),
        extras: Sequence[str] = ("",),
        vgs: Sequence[float],
        vds: Sequence[float],
        **conditions: Any,
    ) -> Floats:
        """Size of the drain current, shape (device, extra, vgs, vds); voltages are fractions of the supply."""
        chosen = devices or self.devices
        volts = self.technology.supply
        cases = list(itertools.product(chosen, extras, vgs, vds))
        lines = [
            line
            for number, (device, extra, g, d) in enumerate(cases)
            for line in self.instance(number, device, g * volts, d * volts, extra)
        ]
        vectors = self.run(lines, [f"i(vd{n})" for n in range(len(cases))], **conditions)
        signs = [-1 if case[0].startswith("n_") else 1 for case in cases]
        found = [sign * vectors[f"i(vd{n})"][0] for n, sign in enumerate(signs)]
        return np.array(found).reshape(len(chosen), len(extras), len(vgs), len(vds))

    def failing(self, holds: Any, why: str) -> Iterator[str]:
        """Devices for which an array of truths, one per device, is false somewhere."""
        for device, fine in zip(self.devices, np.asarray(holds), strict=True):
            if not np.all(fine):
                yield f"{device} {why}"


_GATE, _DRAIN = tuple(np.linspace(0, 1, 7).tolist()), tuple(np.linspace(1 / 9, 1, 5).tolist())


def _complete(bench: _Bench) -> Iterator[str]:
    for corner in bench.technology.corners:
        blocks = bench.technology.library(corner).subcircuits
        for device in (*bench.devices, *bench.technology.absent, "cap"):
            if device not in blocks:
                yield f"corner {corner} has no {device}"


def _simulated(bench: _Bench) -> Iterator[str]:
    for corner in bench.technology.corners:
        found = bench.currents(vgs=(1.0,), vds=(1.0,), corner=corner)
        yield from bench.failing(np.isfinite(found), f"gives no number at {corner}")


def _monotone(bench: _Bench) -> Iterator[str]:
    found = bench.currents(vgs=_GATE, vds=_DRAIN)[:, 0]
    off = found < _NOTHING * bench.full[:, None, None]
    # Below threshold and at a high drain, tunnelling and drain-induced leakage may bend it.
    yield from bench.failing((np.diff(found[:, 1:], axis=1) > 0) | off[:, 2:], "falls over vgs")
    yield from bench.failing((np.diff(found, axis=2) > 0) | off[:, :, 1:], "falls over vds")


def _switching(bench: _Bench) -> Iterator[str]:
    found = bench.currents(vgs=(0.0, 1.0), vds=(1.0,))[:, 0, :, 0]
    yield from bench.failing(found[:, 1] > _ON_OFF * found[:, 0], f"conducts less than {_ON_OFF:g} times more when on")


def _empty(bench: _Bench) -> Iterator[str]:
    for device in bench.technology.absent:
        found = bench.run(["vd d 0 1", f"x d d 0 0 {device}"], ["i(vd)"])["i(vd)"][0]
        if abs(found) > 1e-12:
            yield f"{device} is declared absent, but conducts {abs(found):g} A"


def _threshold(bench: _Bench) -> Iterator[str]:
    plain, larger = np.moveaxis(bench.currents(extras=("", f"dvth={_DVTH}"), vgs=_GATE[2:], vds=_DRAIN), 1, 0)
    off = plain < _NOTHING * bench.full[:, None, None]
    yield from bench.failing((larger < plain) | off, "conducts more with dvth above 0")
    above = tuple(gate + _DVTH / bench.technology.supply for gate in _NEAR)
    shifted = bench.currents(extras=(f"dvth={_DVTH}",), vgs=above, vds=(0.05,))[:, 0, :, 0]
    before, after = (bench.currents(vgs=gates, vds=(0.05,))[:, 0, :, 0] for gates in (_NEAR, above))
    first = (before > _NOTHING * bench.full[:, None]).argmax(axis=1)
    each = np.arange(len(bench.devices))
    close = (np.abs(shifted - before) < _CLOSE * np.abs(after - before))[each, first]
    yield from bench.failing(close, "does not take dvth as a shift of its gate, in volts")


def _mobility(bench: _Bench) -> Iterator[str]:
    plain, larger = bench.currents(extras=("", f"dmu={_DMU}"), vgs=(0.9,), vds=(0.05,))[:, :, 0, 0].T
    gain = larger / plain - 1
    fine = (gain > 0.5 * _DMU) & (gain < 1.05 * _DMU)
    yield from bench.failing(fine, f"does not take dmu = {_DMU:g} as that much more current")


def _alone(bench: _Bench) -> Iterator[str]:
    extras = ("", "dvth={dvth_a} dmu=0.1", "")
    every = [(device, extra) for device in bench.devices for extra in extras]
    save = [f"i(vd{n})" for n in range(len(every))]
    volts = 0.9 * bench.technology.supply
    currents = []
    for use in (False, True):
        lines = [line for n, (d, e) in enumerate(every) for line in bench.instance(n, d, volts, volts, e * use)]
        vectors = bench.run(lines, save, process={**bench.technology.corner("tt"), "dvth_a": 30e-3})
        currents.append(np.array([vectors[name][0] for name in save]).reshape(-1, len(extras)))
    moved = np.abs(currents[1] / currents[0] - 1)
    yield from bench.failing(moved[:, [0, 2]] < 1e-9, "moves when another has mismatch")
    yield from bench.failing(moved[:, 1] > 1e-3, "does not move with its own mismatch")


def _ordered(bench: _Bench) -> Iterator[str]:
    corners = bench.technology.corners
    used = [c for c in corners if c in {name for rule in _ORDER for name in rule[:2]}]
    drive = {c: bench.currents(vgs=(1.0,), vds=(1.0,), corner=c)[:, 0, 0, 0] for c in used}
    for strong, weak, kinds in _ORDER:
        if strong in drive and weak in drive:
            for device, more, less in zip(bench.devices, drive[strong], drive[weak], strict=True):
                if device[0] in kinds and not more > (1 + _STEP) * less:
                    yield f"{device} drives {more:.3g} A at {strong}, {less:.3g} A at {weak}"


def _process(bench: _Bench) -> Iterator[str]:
    volts = 0.9 * bench.technology.supply
    lines = [line for n, device in enumerate(bench.devices) for line in bench.instance(n, device, volts, volts)]
    lines += ["vq q 0 pulse(0 1 0 1u 1u 1u 9u)", "xq q 0 cap c=1p"]
    save = [*(f"i(vd{n})" for n in range(len(bench.devices))), "i(vq)"]

    def final(process: Mapping[str, float]) -> Floats:
        vectors = bench.run(lines, save, analysis=Tran(stop=0.5e-6, max_step=50e-9), process=process)
        return np.array([vectors[name][-1] for name in save])

    nominal = bench.technology.corner("tt")
    reference = final(nominal)
    for name, sigma in bench.technology.process.items():
        if np.abs(final({**nominal, name: 3 * sigma}) / reference - 1).max() < _PROCESS_MOVES:
            yield f"three sigma of {name} change nothing"


def _capacitor(bench: _Bench) -> Iterator[str]:
    lines = ["vq q 0 pulse(0 1 10n 100n 100n 1u 1)", "xq q 0 cap c=2f"]
    vectors = bench.run(lines, ["v(q)", "i(vq)"], analysis=Tran(stop=200e-9, max_step=1e-9))
    charge = float(np.trapezoid(-vectors["i(vq)"], vectors["time"]))
    if abs(charge / 2e-15 - 1) > 1e-3:
        yield f"cap of 2 fF holds {charge:g} C at 1 V"


def _temperatures(bench: _Bench) -> Iterator[str]:
    ends = (bench.technology.temp.low, bench.technology.temp.high)
    low, high = (bench.currents(vgs=(0.0, 1.0), vds=(1.0,), temp=temp)[:, 0, :, 0] for temp in ends)
    yield from bench.failing(np.isfinite(low) & np.isfinite(high), "gives no number at an end of temp")
    # Tunnelling hides the subthreshold current of the highest threshold when cold.
    off = high[:, 0] < _NOTHING * bench.full
    yield from bench.failing((high[:, 0] > 10 * low[:, 0]) | off, "leaks no more when hot")
    drive = high[:, 1] / low[:, 1]
    # A device that is hardly open at the supply is opened by heat, too.
    part, whole = bench.currents(vgs=(0.8, 1.0), vds=(1.0,))[:, 0, :, 0].T
    drive = np.where(whole > _HARDLY * part, 1.0, drive)
    yield from bench.failing((drive > 1 / _WARM) & (drive < _WARM), f"drives more than {_WARM:g} times more at one end")


def _sizes(bench: _Bench) -> Iterator[str]:
    for name, sizes in bench.technology.circuits.items():
        circuit = registry.load_circuit(name)
        tables: list[Params] = [circuit.params | other.params for other in circuit.benches]
        for parameter, value in sizes.items():
            having = [table for table in tables if parameter in table]
            if not having:
                yield f"[circuits.{name}] sets {parameter}, which it does not have"
            else:
                yield from _refused(having[0], parameter, value)


def _planned(bench: _Bench) -> Iterator[str]:
    yield from circuit_checks.unplanned(bench.technology)


def _sampled(bench: _Bench) -> Iterator[str]:
    yield from circuit_checks.failing(bench.technology, bench.pool)


def _refused(table: Params, parameter: str, value: Value) -> Iterator[str]:
    try:
        table.check({parameter: value})
    except ParameterError as error:
        yield str(error)


_CHECKS: Mapping[str, Callable[[_Bench], Iterator[str]]] = {
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
