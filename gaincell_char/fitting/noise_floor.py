"""The noise of a model's output, beside which tables print its error: no measurement can find a smaller error."""

from collections.abc import Sequence

import numpy as np

from ..declare.bench import Floats
from ..declare.circuit import Circuit, NoiseFloor
from ..declare.law import KELVIN, T_0, TEMP
from .fit import Fit

_POINTS = 33
"""Values of each input at which the noise is evaluated."""


def compute_noise_floor(circuit: Circuit, fit: Fit, noise: Sequence[Fit]) -> float | None:
    """Rms noise of the output of a fit over its valid range, in the unit of the output.

    Parameters
    ----------
    circuit : Circuit
        Circuit of the fit.
    fit : Fit
        A model and its valid range.
    noise : sequence of Fit
        Fits of the circuit that the floor names, by default of `circuit`; among them those of its study.

    Returns
    -------
    float or None
        None if the circuit declares no noise of this bench, or none was fitted at the conditions of `fit`.  Noise that
        is kT/C need not have been fitted at the temperature of `fit`.
    """
    declared = circuit.noise_floor(fit.model)
    known = [one for one in noise if declared and one.model == declared.model and _agree(declared, one, fit)]
    if declared is None or not known:
        return None
    values = (declared.circuit or circuit).model(declared.model)(*_inputs(declared, known[0], fit), **known[0].values())
    return float(np.sqrt(np.mean(np.square(values)))) * _warmer(known[0], fit) / declared.per


def _agree(declared: NoiseFloor, one: Fit, other: Fit) -> bool:
    """Whether the conditions that two fits have in common are the same, and none of the first is an input of the other.

    Noise that is known at one temperature says nothing about a model over temperatures.  The temperatures of two fits
    may differ if the noise is kT/C.
    """
    shared = one.conditions.keys() & other.conditions.keys() - ({TEMP} if declared.thermal else set())
    return one.conditions.keys().isdisjoint(other.inputs) and all(
        one.conditions[name] == other.conditions[name] for name in shared
    )


def _warmer(noise: Fit, fit: Fit) -> float:
    """Square root of the ratio of the absolute temperatures of two fits."""
    here, there = (float(one.conditions.get(TEMP, T_0)) + KELVIN for one in (fit, noise))
    return float(np.sqrt(here / there))


def _inputs(declared: NoiseFloor, noise: Fit, fit: Fit) -> list[Floats]:
    """Inputs of the noise model over the valid range of a fit, as flat arrays of the same size."""
    axes = [np.linspace(*fit.valid_range[name], _POINTS) for name in fit.inputs]
    grid = dict(zip(fit.inputs, map(np.ravel, np.meshgrid(*axes, indexing="ij")), strict=True))
    size = _POINTS ** len(axes)
    chosen = (declared.inputs[name] for name in noise.inputs)
    return [grid[value] if isinstance(value, str) else np.full(size, value) for value in chosen]
