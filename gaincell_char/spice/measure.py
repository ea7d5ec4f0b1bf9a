"""Waveforms of one simulation -> outputs of the bench, or the reason of a failure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..declare.bench import Floats, Output, Waveforms
from ..errors import GaincellError


def measure(outputs: Sequence[Output], waves: Waveforms, values: Mapping[str, Any]) -> tuple[dict[str, Floats], str]:
    """Measure the outputs of a bench.

    Parameters
    ----------
    outputs : sequence of Output
        Declared outputs.
    waves : mapping of str to ndarray, shape (n_times,) or scalar
        Vectors of the simulation, in SI units.
    values : mapping of str to float or str
        Parameter values of the simulation.

    Returns
    -------
    measured : dict of str to ndarray
        Value of every output in SI units, scalar or of the shape of the bench's curve; empty after a failure.
    reason : str
        Reason of a failure; empty if there is none.
    """
    measured: dict[str, Floats] = {}
    for output in outputs:
        try:
            value = np.asarray(output.measure(waves, values), dtype=float)
        except (GaincellError, ArithmeticError, LookupError, ValueError) as error:
            return {}, f"{output.name} could not be measured: {error}"
        if not np.isfinite(value).all():
            return {}, f"{output.name} is not finite"
        measured[output.name] = value
    return measured, ""
