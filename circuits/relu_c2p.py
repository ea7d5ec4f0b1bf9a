"""ReLU charge-to-pulse converter: a pulse as wide as the charge is large, none if it is negative.

The bitline integrates the charge; a current source gated by the pulse itself ramps it back to the precharge
level.  The width is charge over current, whatever the capacitor; the conversion window limits it, so the
circuit is the hard sigmoid of Leroux et al. 2025, eq. 3, with S_sat = 80 uA x t_max.
"""

import numpy as np

from gaincell_char.declare.array_math import Array, clamp
from gaincell_char.declare.bench import Floats, Numbers
from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.datasets import Dataset
from gaincell_char.declare.datasheet import Figure, Merit, MonteCarloBench, Study
from gaincell_char.declare.model import Model, RandomModel

from . import _converter, _converter_macro
from . import _converter_spread as spreads
from ._converter import full_scale

DUT = "xc bl out rst rstb az azb conv vbp vpre vdd 0 relu_c2p\n"


def _charges(p: Numbers) -> Floats:
    below = np.round(np.array([-20e-15, -5e-15]) + _converter.moved(p), 18)
    return np.array([-0.17 * full_scale(p), -0.08 * full_scale(p), *below, *_converter.charges(p)])


def _few_charges(p: Numbers) -> Floats:
    return full_scale(p) * np.array([-0.17, *_converter.FEW])


def hard_sigmoid(q_in: Array, *, gain: float, t_max: float) -> Array:
    """Pulse width [s], the published form; Leroux et al. 2025, Methods, eq. 3."""
    return clamp(gain * q_in, 0.0, t_max)


def relu_knee(
    q_in: Array,
    *,
    gain: float,
    t_0: float,
    share: float,
    q_1: float,
    q_2: float,
    step: float,
    q_3: float,
    q_dead: float,
    t_sat: float,
) -> Array:
    """Pulse width [s]: none up to ``q_dead``, then a late line, up to ``t_sat``."""
    x = clamp(q_in - q_dead, 0.0, np.inf)
    return clamp(_converter.delayed(x, gain, t_0, share, q_1, q_2, step, q_3), 0.0, t_sat)


HARD_SIGMOID = _converter.clamped("hard_sigmoid", hard_sigmoid, "t_pulse", "t_pulse = gain q_in, between 0 and t_max")
RELU_KNEE = Model(
    name="relu_knee",
    form="fitted",
    bench="transfer",
    function=relu_knee,
    inputs=("q_in",),
    output="t_pulse",
    equation=f"t_pulse = {_converter.DELAYED}, at most t_sat; x = q_in - q_dead, at least 0",
    coefficients={**_converter.delayed_coefficients(), **_converter.threshold("q_dead")},
)


def random_relu(q_in: Array, *, d_gain: float, d_t_0: float, d_q_dead: float, **nominal: float) -> Array:
    """Pulse width [s] of one converter: its own gain, delay and threshold."""
    own = {
        "gain": nominal["gain"] * (1 + d_gain),
        "t_0": nominal["t_0"] + d_t_0,
        "q_dead": nominal["q_dead"] + d_q_dead,
    }
    return relu_knee(q_in, **{**nominal, **own})


RANDOM_RELU = RandomModel(
    name="random_relu",
    nominal="relu_knee",
    function=random_relu,
    inputs=("q_in",),
    output="t_pulse",
    equation="relu_knee with gain (1 + d_gain), t_0 + d_t_0, q_dead + d_q_dead",
    random={**spreads.random_delay(), "d_q_dead": spreads.random_threshold("q_dead")},
    estimation_mask=spreads.off_threshold,
)
MODELS = (HARD_SIGMOID.name, RELU_KNEE.name)

TRANSFER = _converter.transfer(DUT, (_converter.T_PULSE,), save=("v(out)",), q_in=_charges)
MEMORY = _converter.memory(
    DUT,
    (_converter.T_PULSE,),
    save=("v(out)",),
    q_prev=lambda p: full_scale(p) * np.array([-0.17, 0.0, 0.5, 1.0]),
    q_in=lambda p: full_scale(p) * np.array([0.05, 0.5]),
)


def _dead_zone(dataset: Dataset, _: Numbers) -> float:
    t = dataset.t_pulse.isel(corner=0, temp=0)
    return float(t.q_in.where(t == 0).max())


CIRCUIT = Circuit(
    name="relu_c2p",
    title="ReLU charge-to-pulse converter",
    params=_converter.converter_params(n_units=8),
    benches=(TRANSFER, MEMORY),
    models=(HARD_SIGMOID, RELU_KNEE),
    studies=(
        Study(bench="transfer"),
        Study(
            bench="transfer",
            name="transfer_corners",
            sweep={"q_in": _few_charges},
            models=(),
            corners=_converter.CORNERS,
            temps=(-40.0, 27.0, 125.0),
        ),
        Study(
            bench="transfer",
            name="transfer_supply",
            models=(),
            sweep={"vdd": _converter.supplies, "q_in": _few_charges},
        ),
        Study(
            bench="memory",
            sweep={"t_reset": [_converter.SHORT_RESET, 4e-9, _converter.T_RESET]},
        ),
    ),
    figures=(
        Figure(
            study="transfer",
            output="t_pulse",
            x="q_in",
            title="Pulse width by charge",
            models=MODELS,
            overview_position="g",
        ),
        Figure(study="transfer_corners", output="t_pulse", x="q_in", group_by="corner", title="Pulse width by corner"),
        Figure(
            study="transfer_corners", output="t_pulse", x="q_in", group_by="temp", title="Pulse width by temperature"
        ),
        Figure(study="transfer_supply", output="t_pulse", x="q_in", group_by="vdd", title="Pulse width by supply"),
        Figure(
            study="memory",
            output="t_pulse",
            x="q_prev",
            group_by="t_reset",
            title="What the conversion before leaves behind, by time to reset",
            at=lambda p: {"q_in": 0.5 * full_scale(p)},
        ),
    ),
    merits=(
        *_converter.line_merits(),
        Merit(
            name="dead zone",
            unit="C",
            doc="largest simulated charge that gives no pulse",
            study="transfer",
            compute=_dead_zone,
        ),
        *_converter.memory_merits(),
    ),
    spreads=(
        MonteCarloBench(
            bench="transfer",
            sweep={"q_in": spreads.charges},
            x="q_in",
            output="t_pulse",
            features=(
                spreads.gain_feature("t_pulse", 1, "gain"),
                spreads.offset_feature("t_pulse", 1, "offset"),
                spreads.knee_feature("t_pulse", 1, "knee"),
                spreads.threshold_feature("t_pulse", "threshold", "smallest charge with a pulse", above=0.0),
            ),
            models=(RANDOM_RELU,),
        ),
    ),
    macros=_converter_macro.RELU,
)
