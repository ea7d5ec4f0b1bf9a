"""Random variables of a campaign, and their values in sample i, which do not depend on the number of samples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from ..declare.arithmetic import evaluate
from ..declare.bench import Floats
from ..errors import ParameterError
from ..spice.hierarchy import Device
from ..storage.untrusted import shown
from ..technology.schema import Technology

VARY = ("process", "mismatch", "both")
SAMPLERS = ("sobol", "lhs", "random")
PROCESS = "process"
"""Group of the variables common to all devices of a die."""
_SMALLEST_PROBABILITY = 2.0**-33
"""Smallest distance of uniform numbers from 0 and 1, where the normal quantile is infinite."""


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One normal random variable: ``xcell.xn.dvth`` of the device ``xcell.xn``, or ``process_c`` of the die.

    ``sigma`` is in SI units; ``group`` is the device, or `PROCESS`.
    """

    name: str
    group: str
    sigma: float


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Generator of standard normal numbers.

    Attributes
    ----------
    kind : {"sobol", "lhs", "random"}
        Scrambled Sobol points, a Latin hypercube per block, or independent draws.
    seed : int
        Seed; sample i depends only on the seed, not on the number or the order of the samples.
    block : int
        Samples of one Latin hypercube.
    """

    kind: str
    seed: int
    block: int

    def draw(self, start: int, stop: int, dimension: int) -> Floats:
        """Samples `start` to `stop` - 1: `dimension` standard normal numbers each, dimensionless, shape (n, n_dim)."""
        if dimension == 0:
            return np.zeros((stop - start, 0))
        uniform = {"sobol": self._sobol, "lhs": self._lhs, "random": self._random}[self.kind](start, stop, dimension)
        inside = np.clip(uniform, _SMALLEST_PROBABILITY, 1 - _SMALLEST_PROBABILITY)
        return np.asarray(scipy.stats.norm.ppf(inside), dtype=float)

    def _sobol(self, start: int, stop: int, dimension: int) -> Any:
        sequence = scipy.stats.qmc.Sobol(dimension, scramble=True, rng=np.random.default_rng(self.seed))
        if start:
            sequence.fast_forward(start)
            return sequence.random(stop - start)
        # For the first points scipy warns unless their number is a power of two.
        return sequence.random_base2(math.ceil(math.log2(max(stop, 2))))[:stop]

    def _lhs(self, start: int, stop: int, dimension: int) -> Any:
        first, last = start // self.block, (stop - 1) // self.block
        blocks = [
            scipy.stats.qmc.LatinHypercube(dimension, rng=np.random.default_rng([self.seed, number])).random(self.block)
            for number in range(first, last + 1)
        ]
        return np.concatenate(blocks)[start - first * self.block : stop - first * self.block]

    def _random(self, start: int, stop: int, dimension: int) -> Any:
        return np.stack([np.random.default_rng([self.seed, i]).random(dimension) for i in range(start, stop)])


MOST_BLOCK = 10_000_000
"""Largest number of samples of one Latin hypercube."""


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def make_sampler(kind: str, seed: int, block: int) -> Sampler:
    """Check the attributes `kind`, `seed` and `block` of a `Sampler` and return it.

    Raises
    ------
    ParameterError
        If the kind is unknown, or seed or block is not a whole number or out of range.
    """
    if kind not in SAMPLERS:
        raise ParameterError(f"no sampler {kind!r}; have {', '.join(SAMPLERS)}")
    if not (_is_whole(seed) and 0 <= seed < 2**63):
        raise ParameterError(f"seed = {seed} must be a whole number from 0 to 2^63 - 1")
    if not (_is_whole(block) and 1 <= block <= MOST_BLOCK):
        raise ParameterError(f"block = {block} must be a whole number of samples from 1 to {MOST_BLOCK}")
    return Sampler(kind=kind, seed=seed, block=block)


def variables(devices: Sequence[Device], technology: Technology, vary: str) -> tuple[Variable, ...]:
    """Random variables of one sample: first those of the die, then those of each device, in the order of the deck.

    The mismatch of a device has sigma = a / sqrt(w l), Pelgrom et al. 1989; that of a capacitor is a / sqrt(c).

    Parameters
    ----------
    devices : sequence of Device
        Devices of the deck.
    technology : Technology
        Process sigmas and Pelgrom coefficients.
    vary : {"process", "mismatch", "both"}
        Kind of variation.

    Raises
    ------
    ParameterError
        If `vary` is unknown, or nothing varies.
    """
    if vary not in VARY:
        raise ParameterError(f"cannot vary {vary!r}; choose {', '.join(VARY)}")
    found: list[Variable] = []
    if vary != "mismatch":
        found += [Variable(name=name, group=PROCESS, sigma=sigma) for name, sigma in technology.process.items()]
    if vary != "process":
        for device in devices:
            found += _mismatch(device, technology)
    found = [variable for variable in found if variable.sigma > 0]
    if not found:
        raise ParameterError(f"nothing varies: technology {technology.name} states no sigma for --vary {vary}")
    return tuple(found)


def _mismatch(device: Device, technology: Technology) -> list[Variable]:
    """Random variables of one device; none if its wrapper has no mismatch parameter, as for some capacitors."""
    if not device.mismatched:
        return []
    sigmas = {name: _sigma(technology, device, name) for name in device.mismatched}
    return [Variable(name=f"{device.path}.{name}", group=device.path, sigma=value) for name, value in sigmas.items()]


def _sigma(technology: Technology, device: Device, name: str) -> float:
    """Standard deviation of one mismatch parameter of a device, in SI units."""
    if name == "dcap":
        return technology.mismatch.of(device.kind).a_c / math.sqrt(_positive(device, "c"))
    return _pelgrom(technology, device)[name] / math.sqrt(_positive(device, "w", "l"))


def _pelgrom(technology: Technology, device: Device) -> dict[str, float]:
    mismatch, factor = technology.mismatch.of(device.kind), 1.0
    if mismatch.factor:
        table = f"mismatch.devices.{device.kind}" if device.kind in technology.mismatch.devices else "mismatch"
        where = f"technology {technology.name}, [{table}] factor"
        factor = float(evaluate(mismatch.factor, device.values, f"{where} for {device.path} ({device.kind})"))
        if factor <= 0:
            said = f"{where} {shown(mismatch.factor)} is {factor:g} for {device.path} ({device.kind})"
            raise ParameterError(f"{said}, but must be above 0")
    return {"dvth": factor * mismatch.a_vt, "dmu": factor * mismatch.a_beta}


def _positive(device: Device, *names: str) -> float:
    """Product of parameters of a device, all of which must be above 0."""
    values = [device.values.get(name, 0.0) for name in names]
    if not all(value > 0 for value in values):
        said = " and ".join(f"{value:g}" for value in values)
        raise ParameterError(f"{device.path} ({device.kind}): mismatch needs {' and '.join(names)} above 0, not {said}")
    return math.prod(values)


def alters(
    devices: Sequence[Device], variables: Sequence[Variable], technology: Technology, corner: str, draws: Floats
) -> tuple[tuple[str, ...], Floats]:
    """Values of every device in each sample.

    Parameters
    ----------
    devices : sequence of Device
        Devices of the deck.
    variables : sequence of Variable
        Random variables, from the function `variables`.
    technology : Technology
        Correlations of the process parameters.
    corner : str
        Process corner, to whose parameters the draws are added.
    draws : ndarray, shape (n_samples, n_variables)
        Standard normal numbers, dimensionless and independent.

    Returns
    -------
    targets : tuple of str
        Targets of the simulator command ``alter``.
    values : ndarray, shape (n_samples, n_targets)
        In SI units.
    """
    drawn = {v.name: z * v.sigma for v, z in zip(variables, _correlate(variables, technology, draws).T, strict=True)}
    process = {name: value + drawn.get(name, 0.0) for name, value in technology.corner(corner).items()}
    columns: dict[str, Any] = {}
    for device in devices:
        own = {name: drawn.get(f"{device.path}.{name}", 0.0) for name in device.mismatched}
        columns |= device.altered({**process, **own})
    values = [np.broadcast_to(np.asarray(column, dtype=float), len(draws)) for column in columns.values()]
    return tuple(columns), np.stack(values, axis=1) if values else np.zeros((len(draws), 0))


def _correlate(variables: Sequence[Variable], technology: Technology, draws: Floats) -> Floats:
    """Draws whose process variables, which are the first, have the correlations of the technology."""
    if not technology.correlations or variables[0].group != PROCESS:
        return draws
    count = len(technology.process)
    return np.concatenate([draws[:, :count] @ technology.mixing.T, draws[:, count:]], axis=1)
