"""A device class for CrossSim 3.2 and later, and the JSON it reads.

CrossSim finds devices by the name of their class among the subclasses of its own, so the file has to be imported
before a core is made.
"""

from collections.abc import Mapping

from .. import device_data
from ..target import Request, Target


def _make_files(request: Request) -> Mapping[str, str]:
    return device_data.make_files(request, "gaincell_crosssim", device_data.LOST)


TARGET = Target(
    name="crosssim",
    doc="a device class with curve, spread and decay, and its JSON",
    make_files=_make_files,
    explain_refusal=device_data.explain_refusal,
    needs_others=True,
)
