"""Records -> PyTorch modules: the software model of the hardware.

Input: names of records, and tensors in SI units; only `attention` takes pulse widths as fractions of the longest
pulse.  Output: tensors with gradients.  Start with `elements`, which makes modules of one model each, and `array`,
which combines them.  No other package imports PyTorch.
"""

from ..errors import TorchMissingError

try:
    import safetensors  # noqa: F401
    import torch  # noqa: F401
except ImportError as error:
    raise TorchMissingError(
        f"gaincell_char.torch needs PyTorch and safetensors ({error}): pip install 'gaincell-char[torch]'"
    ) from None

from .array import GainCellArray
from .attend import Attention, attention
from .elements import Decay, GainCell, ReLUC2P, SignedC2P
from .exchange import load_exported
from .state import load_array, save_array

__all__ = [
    "Attention",
    "Decay",
    "GainCell",
    "GainCellArray",
    "ReLUC2P",
    "SignedC2P",
    "attention",
    "load_array",
    "load_exported",
    "save_array",
]
