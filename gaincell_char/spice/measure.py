"""Waveforms of one run -> the bench's outputs, or the reason why not."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..declare.bench import Floats, Output, Waveforms
from ..errors import GaincellError


def measure(outputs: Sequence[Output], waves: Waveforms, values: Mapping[str, Any]) -> tuple[dict[str, Floats], str]:
    """Return every output by name and an empty reason, or none and the reason."""
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
