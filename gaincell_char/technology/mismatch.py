"""Check of the mismatch coefficients of a technology."""

from collections.abc import Iterator

import numpy as np

from ..declare.arithmetic import evaluate
from ..errors import NetlistError
from ..spice.netlist import as_netlist
from ..storage.untrusted import shown
from .schema import Fault, Technology

_SIZES = (1e-7, 1e-6, 1e-5)
"""Widths and lengths [m] at which a factor is evaluated."""


def mismatch_faults(technology: Technology) -> Iterator[Fault]:
    """Faults in the mismatch coefficients of a technology, independent of the circuit."""
    own, devices = technology.mismatch, technology.mismatch.devices
    known = as_netlist(technology.text).subcircuits
    for name in devices:
        if name not in known:
            yield (
                ("mismatch", "devices", name),
                f"no wrapper device {name!r}; have {', '.join(sorted(known)) or 'none'}",
            )
    for place, factor in [((), own.factor), *((("devices", name), one.factor) for name, one in devices.items())]:
        if factor and (why := _why_not(factor)):
            yield ("mismatch", *place, "factor"), why


def _why_not(factor: str) -> str:
    """Reason why a factor is invalid for all sizes; empty if it is valid for some."""
    w, l = np.meshgrid(_SIZES, _SIZES)  # noqa: E741  their names in SPICE
    try:
        values = evaluate(factor, {"w": w, "l": l}, "")
    except NetlistError as error:
        return str(error).removeprefix(": ")
    if np.max(values) <= 0:
        return f"{shown(factor)} is {np.max(values):g} or less for w and l from 0.1 um to 10 um, but must be above 0"
    return ""
