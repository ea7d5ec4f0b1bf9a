"""IOParameters and a noise model for aihwkit, and the JSON they read."""

from collections.abc import Mapping

from .. import device_data
from ..target import Request, Target


def _files(request: Request) -> Mapping[str, str]:
    return device_data.files(request, "gaincell_aihwkit", _LOST)


_LOST = f"{device_data.LOST}; the dependence on drive, which aihwkit takes as linear"
TARGET = Target(
    name="aihwkit",
    doc="IOParameters, a noise model with curve, spread and decay, and their JSON",
    refuses=device_data.refuses,
    files=_files,
    needs_others=True,
)
