"""A device class for CrossSim 3.2 and later, and its JSON data.

CrossSim finds a device by its class name among the subclasses of its base class, so the file must be imported before
a core is created.
"""

from collections.abc import Mapping

from .. import device_data
from ..target import Request, Target


def _make_files(request: Request) -> Mapping[str, str]:
    return device_data.make_files(request, "gaincell_crosssim", device_data.LOST)


TARGET = Target(
    name="crosssim",
    doc="a device class with curve, mismatch and decay, and its JSON data",
    make_files=_make_files,
    explain_refusal=device_data.explain_refusal,
    needs_others=True,
)
