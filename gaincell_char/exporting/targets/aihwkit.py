"""IOParameters and a noise model for aihwkit, and their JSON data."""

from collections.abc import Mapping

from .. import device_data
from ..target import Request, Target

_LOST = f"{device_data.LOST}; the nonlinear dependence on drive, which aihwkit assumes to be linear"


def _make_files(request: Request) -> Mapping[str, str]:
    return device_data.make_files(request, "gaincell_aihwkit", _LOST)


TARGET = Target(
    name="aihwkit",
    doc="IOParameters, a noise model with curve, mismatch and decay, and their JSON data",
    make_files=_make_files,
    explain_refusal=device_data.explain_refusal,
    needs_others=True,
)
