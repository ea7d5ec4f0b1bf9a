"""Both converters as they are used: with noise, over conditions and bias, with other courses of the charge."""

from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.sweep_values import linspace

from . import _compared, _noise, _path, _pvt, _shared
from ._benches import FULL, of_full_scale


def relu_in_use(circuit: Circuit, line: str) -> Circuit:
    """The ReLU converter with the studies of its use; `line` is as in `Operation`."""
    noisy = _noise.with_noise(circuit, q_in=of_full_scale(0.01, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0))
    over = _pvt.with_pvt(noisy, (_pvt.RELU_KNEE, _pvt.RELU_BIAS), _pvt.POSITIVE)
    shared = _shared.with_shared_bias(over, line, _shared.RELU, (0.1, 0.3, 0.5, 0.7))
    return _compared.relu_compared(_path.with_path(shared, line, (0.1, 0.4, 0.7), (-0.2, -0.1, 0.1, 0.4, 0.7)))


def signed_in_use(circuit: Circuit, line: str) -> Circuit:
    """The signed converter with the studies of its use; `line` is as in `Operation`."""
    noisy = _noise.with_noise(circuit, q_in=linspace(f"-{FULL}", FULL, 10))
    over = _pvt.with_pvt(noisy, (_pvt.SIGNED_KNEE, _pvt.SIGNED_BIAS), _pvt.BOTH)
    shared = _shared.with_shared_bias(over, line, _shared.SIGNED, (-0.7, -0.4, -0.1, 0.1, 0.4, 0.7))
    return _compared.signed_compared(_path.with_path(shared, line, (0.3, 0.5, 0.7), (-1.0, -0.4, 0.4, 1.0)))
