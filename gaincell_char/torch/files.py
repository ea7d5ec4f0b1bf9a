"""Tensors from an untrusted file: safetensors, which contains numbers and no code."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from ..errors import DataError
from ..storage import untrusted
from ..storage.tables import shown_path


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file, by name: finite numbers of any shape, in SI units.

    Raises
    ------
    DataError
        If the file is missing, too large or damaged, or a tensor contains anything but finite real numbers.
    """
    data = untrusted.read_bytes(path, "tensors", most=untrusted.MOST_TABLE, below=path.parent)
    try:
        tensors = load(data)
    # The library raises its own error, and errors of Python for a damaged header.
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        said = untrusted.printable((str(error).splitlines() or [type(error).__name__])[0])
        raise DataError(f"{shown_path(path)} contains no tensors: {said}") from None
    for name, tensor in tensors.items():
        if not tensor.dtype.is_floating_point or not torch.isfinite(tensor.to(torch.float64)).all():
            raise DataError(f"{shown_path(path)}: tensor {untrusted.shown(name)} does not contain finite real numbers")
    return tensors
