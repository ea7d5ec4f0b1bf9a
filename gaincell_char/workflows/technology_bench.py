"""Simulated drain currents of all wrapper devices of a technology, as arrays with named dimensions."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from ..declare.bench import Analysis, Op, Waveforms
from ..spice.blocks import prune
from ..spice.hierarchy import block_defaults
from ..spice.netlist import as_netlist
from ..spice.pool import Pool
from ..spice.reader import read_netlist
from ..sweeping.run import simulate
from ..technology.schema import Technology

_OPTIONS = {"gmin": 1e-15, "reltol": 1e-6, "abstol": 1e-15, "vntol": 1e-9}
_WIDTH_M = 1e-6
"""Width of every device [m]."""
_DEFAULT_LENGTH_M = 200e-9
"""Length of a wrapper device without a declared length [m]."""
_LENGTH_FACTOR = 6.0
"""Ratio of the simulated length to the default length of the wrapper."""
_PLAIN = {"plain": ""}


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
    devices : list of str
        Names of the devices, n and p of each flavour, without absent ones.
    """

    def __init__(self, technology: Technology, pool: Pool) -> None:
        self.technology, self.pool = technology, pool
        every = [f"{kind}_{flavour}" for flavour in technology.flavours for kind in "np"]
        self.devices = [device for device in every if device not in technology.absent]

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

        Raises
        ------
        SimulationError
            If the simulation fails.
        """
        user = read_netlist("\n".join(lines))
        netlist = prune(self.technology.library(corner), user) + user
        given = self.technology.corner(corner) if process is None else process
        return simulate(
            netlist, analysis or Op(), list(save), options=_OPTIONS, params=given, temp=temp, pool=self.pool
        )

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
        """Name the devices for which a boolean condition, with dimension device and others, is false; with `why`."""
        for device in self.devices:
            if not passed.sel(device=device).all():
                yield f"{device} {why}"
