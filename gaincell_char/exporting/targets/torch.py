"""Coefficients as safetensors and everything else as JSON, for `gaincell_char.torch.load_exported`."""

from collections.abc import Mapping

from ...errors import ExportError
from ..target import Request, Target

_LOST = "random coefficients and statistics of a Monte Carlo campaign"


def _make_files(request: Request) -> Mapping[str, str | bytes]:
    from ...torch.exchange import model_files  # PyTorch takes seconds to import

    if not request.record.fits:
        raise ExportError(f"torch needs fitted models, and {request.title} has none; its statistics would be lost")
    return model_files(request.record, request.describe(_LOST))


TARGET = Target(
    name="torch",
    doc="every fitted model: coefficients as safetensors, the rest as JSON, for gaincell_char.torch.load_exported",
    make_files=_make_files,
)
