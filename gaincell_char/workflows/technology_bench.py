"""Simulated drain currents of all wrapper devices of a technology, as arrays with named dimensions."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from ..declare.bench import Analysis, Op, Waveforms
from ..errors import SimulationError
from ..spice.blocks import prune
from ..spice.deck import Deck, Template
from ..spice.hierarchy import block_defaults
from ..spice.netlist import Netlist, as_netlist
from ..spice.pool import Pool
from ..spice.reader import read_netlist
from ..sweeping.run import simulate
from ..technology.schema import Technology
from .circuit_checks import plan_circuits
from .study_plans import CircuitPlan

_OPTIONS = {"gmin": 1e-15, "reltol": 1e-6, "abstol": 1e-15, "vntol": 1e-9}
_WIDTH_M = 1e-6
"""Width of every device [m]."""
_DEFAULT_LENGTH_M = 200e-9
"""Length of a wrapper device without a declared length [m]."""
_LENGTH_FACTOR = 6.0
"""Ratio of the simulated length to the default length of the wrapper."""
_PLAIN = {"plain": ""}
HIGHEST_GATE = 0.92
"""Largest gate voltage, as a fraction of the supply, of a device whose threshold is tested."""
_OFF_RATIO = 1e-9
"""Currents below this fraction of the current at full supply are ignored."""
_JUNCTION_A = 1e-13
"""Currents below this value are ignored [A]."""


class DeviceBench:
    """Bench for all wrapper devices of a technology: source at ground, voltage sources at gate and drain.

    Parameters
    ----------
    technology : Technology
        The technology.
    pool : Pool
        Simulators.

    Attributes
    ----------
    expected : list of str
        Names of the devices that the technology should have, n and p of each flavour, without absent ones.
    devices : list of str
        Those of them that it has.
    """

    def __init__(self, technology: Technology, pool: Pool) -> None:
        self.technology, self.pool = technology, pool
        self._blocks = {corner: set(technology.library(corner).subcircuits) for corner in technology.corners}
        every = [f"{kind}_{flavour}" for flavour in technology.flavours for kind in "np"]
        self.expected = [device for device in every if device not in technology.absent]
        self.devices = [device for device in self.expected if self.has(device)]

    def has(self, block: str) -> bool:
        """Whether every corner has this subcircuit."""
        return not self.missing_at(block)

    def missing_at(self, block: str) -> list[str]:
        """Corners without this subcircuit."""
        return [corner for corner, blocks in self._blocks.items() if block not in blocks]

    @cached_property
    def conducting(self) -> list[str]:
        """Devices that conduct at gate voltages below the supply, so that their response can be tested."""
        current = self.simulate_currents(vgs=(HIGHEST_GATE,), vds=(1.0,)).isel(variant=0, vgs=0, vds=0, drop=True)
        return [device for device in self.devices if not bool(self.is_off(current).sel(device=device))]

    @cached_property
    def planned(self) -> tuple[CircuitPlan, ...]:
        """Plans of all studies of every circuit."""
        return plan_circuits(self.technology)

    def is_off(self, current: xr.DataArray) -> xr.DataArray:
        """Whether a current [A], with dimension device, is as small as the leakage of a junction.

        A level-1 model has no current below its threshold; the saturation current of its junctions is 1e-14 A.
        """
        return current < np.maximum(_OFF_RATIO * self.full_current, _JUNCTION_A)

    @cached_property
    def _lengths(self) -> dict[str, float]:
        """Channel length [m] of each device."""
        defaults = block_defaults(as_netlist(self.technology.text))
        own = {device: defaults.get(device, {}).get("l", _DEFAULT_LENGTH_M) for device in self.devices}
        return {device: _LENGTH_FACTOR * length for device, length in own.items()}

    @cached_property
    def full_current(self) -> xr.DataArray:
        """Current [A] of each device with gate and drain at the supply, at tt; dimension device."""
        return self.simulate_full_current()

    def simulate_full_current(self, **conditions: Any) -> xr.DataArray:
        """Current [A] of each device with gate and drain at the supply; dimension device, conditions of `simulate`."""
        currents = self.simulate_currents(vgs=(1.0,), vds=(1.0,), **conditions)
        return currents.isel(variant=0, vgs=0, vds=0, drop=True)

    def simulate(
        self,
        lines: Sequence[str],
        save: Sequence[str],
        *,
        corner: str = "tt",
        analysis: Analysis | None = None,
        process: Mapping[str, float] | None = None,
        temp: float = 27.0,
        alters: Mapping[str, float] | None = None,
    ) -> Waveforms:
        """Simulate netlist lines with the library of the technology.

        Parameters
        ----------
        lines : sequence of str
            The netlist.
        save : sequence of str
            Vectors to return.
        corner : str
            Process corner.
        analysis : Analysis, optional
            Operating point by default.
        process : mapping of str to float, optional
            Process parameters; those of the corner by default.
        temp : float
            Temperature [degC].
        alters : mapping of str to float, optional
            Values changed by the command ``alter`` before the analysis, in SI units.

        Raises
        ------
        SimulationError
            If the simulation fails.
        """
        given = self.technology.corner(corner) if process is None else process
        netlist, asked = self.netlist(lines, corner), analysis or Op()
        if not alters:
            return simulate(netlist, asked, list(save), options=_OPTIONS, params=given, temp=temp, pool=self.pool)
        template = Template(
            title="gaincell-char",
            temp=temp,
            options=tuple(_OPTIONS.items()),
            body=f"{netlist.text}\n.save {' '.join(save)}",
            save=tuple(save),
            compiled=netlist.compiled,
        )
        deck = Deck(template=template, params=given, analysis=asked, initial={}, alters=alters)
        [(_, outcome)] = self.pool.map([deck], lambda d: d, count=1)
        if outcome.reason:
            raise SimulationError(f"ngspice: {outcome.reason}", deck=deck.text, log=outcome.log)
        return outcome.vectors

    def netlist(self, lines: Sequence[str], corner: str) -> Netlist:
        """Netlist lines with the part of the library that they use, at a corner."""
        user = read_netlist("\n".join(lines))
        return prune(self.technology.library(corner), user) + user

    def instance_lines(self, number: int, device: str, vgs: float, vds: float, parameters: str = "") -> list[str]:
        """Netlist lines of one transistor with its source at ground.

        Parameters
        ----------
        number : int
            Suffix of the names of instance and nodes.
        device : str
            Name of the wrapper device.
        vgs, vds : float
            Gate and drain voltage [V]; negative for a p device.
        parameters : str
            Further parameters of the instance.
        """
        sign = 1 if device.startswith("n_") else -1
        return [
            f"vg{number} g{number} 0 {sign * vgs!r}",
            f"vd{number} d{number} 0 {sign * vds!r}",
            f"x{number} d{number} g{number} 0 0 {device} w={_WIDTH_M!r} l={self._lengths[device]!r} {parameters}",
        ]

    def simulate_currents(
        self,
        *,
        vgs: Sequence[float],
        vds: Sequence[float],
        variants: Mapping[str, str] = _PLAIN,
        **conditions: Any,
    ) -> xr.DataArray:
        """Simulate the magnitude of the drain currents of all devices, in one netlist.

        Parameters
        ----------
        vgs, vds : sequence of float
            Gate and drain voltages as fractions of the supply.
        variants : mapping of str to str
            Label -> parameters of the instances, such as ``dvth=0.02``.
        conditions
            As of `simulate`.

        Returns
        -------
        DataArray
            Current [A], dimensions device, variant, vgs, vds.
        """
        supply = self.technology.supply
        lines: list[str] = []
        signs: list[int] = []
        for number, case in enumerate(itertools.product(self.devices, variants.values(), vgs, vds)):
            device, parameters, gate, drain = case
            lines += self.instance_lines(number, device, gate * supply, drain * supply, parameters)
            signs.append(-1 if device.startswith("n_") else 1)
        vectors = self.simulate(lines, [f"i(vd{number})" for number in range(len(signs))], **conditions)
        currents = [sign * vectors[f"i(vd{number})"][0] for number, sign in enumerate(signs)]
        shape = (len(self.devices), len(variants), len(vgs), len(vds))
        coords = {"device": self.devices, "variant": list(variants), "vgs": list(vgs), "vds": list(vds)}
        return xr.DataArray(np.array(currents).reshape(shape), coords, dims=("device", "variant", "vgs", "vds"))

    def name_failing(self, passed: xr.DataArray, why: str) -> Iterator[str]:
        """Name the conducting devices for which a boolean condition, with dimension device, is false; with `why`."""
        for device in self.conducting:
            if not passed.sel(device=device).all():
                yield f"{device} {why}"
