"""The noise of a model's output, beside which tables print its error: no measurement can find a smaller error."""

from collections.abc import Sequence

import numpy as np

from ..declare.bench import Floats
from ..declare.circuit import Circuit, NoiseFloor
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
        Fits of the same circuit, among them those of the study that the model names.

    Returns
    -------
    float or None
        None if the circuit declares no noise of this bench, or none was fitted at the conditions of `fit`.
    """
    declared = circuit.noise_floors.get(circuit.model(fit.model).bench)
    known = [one for one in noise if declared and one.model == declared.model and _agree(one, fit)]
    if declared is None or not known:
        return None
    values = circuit.model(declared.model)(*_inputs(declared, known[0], fit), **known[0].values())
    return float(np.sqrt(np.mean(np.square(values)))) / declared.per


def _agree(one: Fit, other: Fit) -> bool:
    """Whether the conditions that two fits have in common are the same, and none of the first is an input of the other.

    Noise that is known at one temperature says nothing about a model over temperatures.
    """
    shared = one.conditions.keys() & other.conditions.keys()
    return one.conditions.keys().isdisjoint(other.inputs) and all(
        one.conditions[name] == other.conditions[name] for name in shared
    )


def _inputs(declared: NoiseFloor, noise: Fit, fit: Fit) -> list[Floats]:
    """Inputs of the noise model over the valid range of a fit, as flat arrays of the same size."""
    axes = [np.linspace(*fit.valid_range[name], _POINTS) for name in fit.inputs]
    grid = dict(zip(fit.inputs, map(np.ravel, np.meshgrid(*axes, indexing="ij")), strict=True))
    size = _POINTS ** len(axes)
    chosen = (declared.inputs[name] for name in noise.inputs)
    return [grid[value] if isinstance(value, str) else np.full(size, value) for value in chosen]
