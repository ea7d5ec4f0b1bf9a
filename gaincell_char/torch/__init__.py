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

from ..declare.periphery import Periphery
from .array import GainCellArray
from .attend import Attention, attention
from .converters import ReLUC2P, SignedC2P
from .dac import Write
from .decay import Decay
from .dies import Dies
from .elements import GainCell
from .exchange import load_exported
from .state import load_array, save_array
from .write_schedule import WriteSchedule

__all__ = [
    "Attention",
    "Decay",
    "Dies",
    "GainCell",
    "GainCellArray",
    "Periphery",
    "ReLUC2P",
    "SignedC2P",
    "Write",
    "WriteSchedule",
    "attention",
    "load_array",
    "load_exported",
    "save_array",
]
