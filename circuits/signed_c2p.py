"""Signed charge-to-pulse converter: a pulse as wide as the charge is large, and a bit that says its sign.

The bitline integrates the charge.  A latch keeps on which side of the precharge level it ended and lets a source
or a sink ramp it back.  The width is charge over current; the conversion window limits it.  Full scale is the
paper's 40 uA x t_max (Leroux et al. 2025).
"""

import numpy as np

from gaincell_char.declare.array_math import Array, clamp
from gaincell_char.declare.bench import Derived, Floats, Numbers, Output
from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.datasets import Dataset
from gaincell_char.declare.datasheet import Figure, Merit, MonteCarloBench, Study
from gaincell_char.declare.model import Model, RandomModel

from . import _converter, _converter_macro
from . import _converter_spread as spreads
from ._converter import full_scale

DUT = "xc bl out sgn rst rstb az azb conv convb vbp vbn vpre vdd 0 signed_c2p\n"
SAVE = ("v(out)", "v(sgn)")
OUTPUTS = (
    _converter.T_PULSE,
    Output(name="sign", unit="1", plausible_max=1.0, doc="sign bit, +1 or -1", measure=_converter.sign),
    Output(
        name="t_signed",
        unit="s",
        plausible_max=1e-5,
        doc="width of the pulse with its sign",
        measure=_converter.signed_width,
        full_scale="t_max",
    ),
)


def _charges(p: Numbers) -> Floats:
    negative = _converter.charges(p, rest=8, knee=_converter.COARSE_KNEE, side=-1)
    return np.array([*-negative[:0:-1], *_converter.charges(p, rest=8)])


def _few_charges(p: Numbers) -> Floats:
    few = full_scale(p) * _converter.FEW
    return np.array([*-few[:0:-2], *few[::2]])


def hard_tanh(q_in: Array, *, gain: float, t_max: float) -> Array:
    """Signed pulse width [s], the published form: one slope, limited on both sides."""
    return clamp(gain * q_in, -t_max, t_max)


def signed_knee(
    q_in: Array,
    *,
    gain_p: float,
    t_0_p: float,
    share_p: float,
    q_1_p: float,
    q_2_p: float,
    step_p: float,
    gain_n: float,
    t_0_n: float,
    share_n: float,
    q_1_n: float,
    q_2_n: float,
    step_n: float,
    q_3: float,
    q_0: float,
    t_sat: float,
) -> Array:
    """Signed pulse width [s]: a late line on either side of ``q_0``, up to ``t_sat``."""
    x_p, x_n = clamp(q_in - q_0, 0.0, np.inf), clamp(q_0 - q_in, 0.0, np.inf)
    positive = _converter.delayed(x_p, gain_p, t_0_p, share_p, q_1_p, q_2_p, step_p, q_3)
    negative = _converter.delayed(x_n, gain_n, t_0_n, share_n, q_1_n, q_2_n, step_n, q_3)
    return clamp(positive, 0.0, t_sat) - clamp(negative, 0.0, t_sat)


HARD_TANH = _converter.clamped("hard_tanh", hard_tanh, "t_signed", "t_signed = gain q_in, between -t_max and t_max")
SIGNED_KNEE = Model(
    name="signed_knee",
    form="fitted",
    bench="transfer",
    function=signed_knee,
    inputs=("q_in",),
    output="t_signed",
    equation=f"t_signed = T_p(q_in - q_0) - T_n(q_0 - q_in), T(x) = {_converter.DELAYED} for x > 0, at most t_sat",
    coefficients={
        **_converter.delayed_coefficients("_p", ", positive side"),
        **_converter.delayed_coefficients("_n", ", negative side"),
        **_converter.threshold("q_0"),
    },
)


def random_signed(
    q_in: Array, *, d_gain_p: float, d_t_0_p: float, d_gain_n: float, d_t_0_n: float, d_q_0: float, **nominal: float
) -> Array:
    """Signed pulse width [s] of one converter: its own gain and delay on either side, its own threshold."""
    own = {
        "gain_p": nominal["gain_p"] * (1 + d_gain_p),
        "t_0_p": nominal["t_0_p"] + d_t_0_p,
        "gain_n": nominal["gain_n"] * (1 + d_gain_n),
        "t_0_n": nominal["t_0_n"] + d_t_0_n,
        "q_0": nominal["q_0"] + d_q_0,
    }
    return signed_knee(q_in, **{**nominal, **own})


RANDOM_SIGNED = RandomModel(
    name="random_signed",
    nominal="signed_knee",
    function=random_signed,
    inputs=("q_in",),
    output="t_signed",
    equation="signed_knee with gain (1 + d_gain), t_0 + d_t_0 on either side, q_0 + d_q_0",
    random={
        **spreads.random_delay("_p", ", positive side"),
        **spreads.random_delay("_n", ", negative side"),
        "d_q_0": spreads.random_threshold("q_0"),
    },
    estimation_mask=spreads.off_threshold,
)


def _spread_charges(p: Numbers) -> Floats:
    """Both sides; the negative one has no threshold."""
    positive = spreads.charges(p)
    return np.array([*-positive[: len(spreads.KNEE) - 1 : -1], *positive])


MODELS = (HARD_TANH.name, SIGNED_KNEE.name)

TRANSFER = _converter.transfer(DUT, OUTPUTS, save=SAVE, q_in=_charges)
MEMORY = _converter.memory(
    DUT,
    OUTPUTS,
    save=SAVE,
    q_prev=lambda p: full_scale(p) * np.array([-1.0, 0.0, 1.0]),
    q_in=lambda p: full_scale(p) * np.array([0.05, 0.5]),
)


def _threshold(dataset: Dataset, _: Numbers) -> float:
    t = dataset.t_signed.isel(corner=0, temp=0)
    return float(np.interp(0.0, t, t.q_in))


def _features(side: int, word: str) -> tuple[Derived, ...]:
    kinds = {
        "gain": spreads.gain_feature,
        "offset": spreads.offset_feature,
        "knee": spreads.knee_feature,
    }
    return tuple(
        feature("t_signed", side, f"{name} of {word} charge", f", {word} charge") for name, feature in kinds.items()
    )


CIRCUIT = Circuit(
    name="signed_c2p",
    title="Signed charge-to-pulse converter",
    params=_converter.converter_params(n_units=4),
    benches=(TRANSFER, MEMORY),
    models=(HARD_TANH, SIGNED_KNEE),
    studies=(
        Study(bench="transfer"),
        Study(
            bench="transfer",
            name="transfer_corners",
            sweep={"q_in": _few_charges},
            models=(),
            corners=_converter.CORNERS,
        ),
        Study(
            bench="transfer",
            name="transfer_temp",
            sweep={"q_in": _few_charges},
            models=(),
            temps=(-40.0, 27.0, 125.0),
        ),
        Study(
            bench="memory",
            sweep={
                "t_reset": [_converter.SHORT_RESET, _converter.T_RESET],
                "q_in": lambda p: [0.5 * full_scale(p)],
            },
        ),
    ),
    figures=(
        Figure(
            study="transfer",
            output="t_signed",
            x="q_in",
            title="Signed pulse width by charge",
            models=MODELS,
            overview_position="h",
        ),
        Figure(study="transfer", output="sign", x="q_in", title="Sign bit by charge"),
        Figure(
            study="transfer_corners",
            output="t_signed",
            x="q_in",
            group_by="corner",
            title="Signed pulse width by corner",
        ),
        Figure(
            study="transfer_temp",
            output="t_signed",
            x="q_in",
            group_by="temp",
            title="Signed pulse width by temperature",
        ),
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
        *_converter.line_merits(1, " of positive charge"),
        *_converter.line_merits(-1, " of negative charge"),
        Merit(
            name="sign threshold",
            unit="C",
            doc="charge at which the sign bit turns",
            study="transfer",
            compute=_threshold,
        ),
        *_converter.memory_merits(),
    ),
    spreads=(
        MonteCarloBench(
            bench="transfer",
            sweep={"q_in": _spread_charges},
            x="q_in",
            output="t_signed",
            features=(
                *_features(1, "positive"),
                *_features(-1, "negative"),
                spreads.threshold_feature("sign", "sign threshold", "charge at which the sign bit turns", above=0.0),
            ),
            models=(RANDOM_SIGNED,),
        ),
    ),
    macros=_converter_macro.SIGNED,
)
