"""Coefficients as safetensors and everything else as JSON; `gaincell_char.torch.load_exported` reads them."""

from collections.abc import Mapping

from ...errors import ExportError
from ..target import Request, Target


def _files(request: Request) -> Mapping[str, str | bytes]:
    from ...torch.exchange import model_files  # PyTorch only when it is asked for

    if not request.record.fits:
        raise ExportError(f"torch takes fitted models, and {request.title} has none; its statistics would be lost")
    return model_files(request.record, request.about("random coefficients and statistics of a Monte Carlo campaign"))


TARGET = Target(
    name="torch",
    doc="every fitted model: coefficients as safetensors, the rest as JSON, for gaincell_char.torch.load_exported",
    files=_files,
)
