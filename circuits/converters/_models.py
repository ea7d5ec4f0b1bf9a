"""Behavioural models of both charge-to-pulse converters.

One side of a converter is seven numbers: gain [s/C], width t_0 [s] of the line at the threshold, the share of t_0 that
fades in over q_1 [C], the wide and the narrow scale q_1 and q_2 [C] of the knee, the part of the rest that is a step,
and the bend [1/s] of the line, which is 0 unless switches leak.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from gaincell_char.declare.array_math import Array, clamp, namespace
from gaincell_char.declare.model import Change, Coefficient, CoefficientArray, Model, RandomModel, group

Side = Sequence[float]
DELAYED = (
    "gain x (1 + bend gain x) + t_0 (1 - share exp(-x/q_1) - (1 - share) (step exp(-x/q_3) + (1 - step) exp(-x/q_2)))"
)
"""The formula of `delayed`."""


def delayed(x: Array, side: Side, q_3: float) -> Array:
    """Pulse [s] of a charge `x` beyond the comparator's threshold.

    A line of slope ``gain``, late by the comparator's delay.  The delay fades in over three scales of charge, because
    the comparator decides the slower the closer the bitline is to its threshold; the last scale, ``q_3``, is too short
    to resolve and models the shortest pulse.  A switch of the bitline that leaks bends the line, because the bitline
    is the farther from its precharge level the larger the charge is.
    """
    gain, t_0, share, q_1, q_2, step, bend = side
    exp = namespace(x).exp
    near = step * exp(-x / q_3) + (1 - step) * exp(-x / q_2)
    line = gain * x
    return line * (1 + bend * line) + t_0 * (1 - share * exp(-x / q_1) - (1 - share) * near)


def hard_sigmoid(q_in: Array, *, gain: float, t_max: float) -> Array:
    """Pulse width [s], the published form; Leroux et al. 2025, Methods, eq. 3."""
    return clamp(gain * q_in, 0.0, t_max)


def relu_knee(q_in: Array, *, side: Side, q_3: float, q_dead: float, t_sat: float) -> Array:
    """Pulse width [s]: none up to ``q_dead``, then a late line, up to ``t_sat``."""
    x = clamp(q_in - q_dead, 0.0, np.inf)
    return clamp(delayed(x, side, q_3), 0.0, t_sat)


def hard_tanh(q_in: Array, *, gain: float, t_max: float) -> Array:
    """Signed pulse width [s], the published form: one slope, limited on both sides."""
    return clamp(gain * q_in, -t_max, t_max)


def signed_knee(q_in: Array, *, positive: Side, negative: Side, q_3: float, q_0: float, t_sat: float) -> Array:
    """Signed pulse width [s]: a late line on either side of ``q_0``, up to ``t_sat``."""
    x_p, x_n = clamp(q_in - q_0, 0.0, np.inf), clamp(q_0 - q_in, 0.0, np.inf)
    return clamp(delayed(x_p, positive, q_3), 0.0, t_sat) - clamp(delayed(x_n, negative, q_3), 0.0, t_sat)


def _gain(of: str = "") -> Coefficient:
    return Coefficient(unit="s/C", doc=f"width per charge{of}", start="1/(n_units*i_bias)", low=0.0)


def _side(suffix: str = "", of: str = "") -> CoefficientArray:
    """Coefficients of one side; `suffix` is appended to their names, `of` to their meanings."""
    return group(
        suffix,
        gain=_gain(of),
        t_0=Coefficient(unit="s", doc=f"width of the line at the threshold{of}", start=0.6e-9, low=0.0, high=1e-7),
        share=Coefficient(unit="1", doc=f"part of t_0 that fades in over q_1{of}", start=0.4, low=0.0, high=1.0),
        q_1=Coefficient(unit="C", doc=f"wide scale of the knee{of}", start=8e-15, low=2e-15, high=1e-12),
        q_2=Coefficient(unit="C", doc=f"narrow scale of the knee{of}", start=1e-15, low=1e-16, high=2e-15),
        step=Coefficient(unit="1", doc=f"part of the rest that is a step{of}", start=0.3, low=0.0, high=1.0),
        bend=Coefficient(unit="1/s", doc=f"bend of the line{of}", start=0.0, scale=1e6, fixed=True),
    )


_Q_3 = Coefficient(unit="C", doc="width of the step", start=5e-17, fixed=True)
_THRESHOLD = Coefficient(unit="C", doc="threshold of the comparator", start=5e-15, low=-1e-13, high=1e-13)
_T_SAT = Coefficient(unit="s", doc="longest pulse", start="t_max", low=0.0)
_T_MAX = Coefficient(unit="s", doc="longest pulse", start="t_max", fixed=True)


def _clamped(function: Callable[..., Array], output: str, equation: str) -> Model:
    """The published form: one slope between hard limits."""
    return Model(
        name=function.__name__,
        form="published",
        bench="transfer",
        function=function,
        output=output,
        equation=equation,
        arguments={"gain": _gain(), "t_max": _T_MAX},
    )


HARD_SIGMOID = _clamped(hard_sigmoid, "t_pulse", "t_pulse = gain q_in, between 0 and t_max")
HARD_TANH = _clamped(hard_tanh, "t_signed", "t_signed = gain q_in, between -t_max and t_max")
RELU_KNEE = Model(
    name="relu_knee",
    form="fitted",
    bench="transfer",
    function=relu_knee,
    output="t_pulse",
    equation=f"t_pulse = {DELAYED}, at most t_sat; x = q_in - q_dead, at least 0",
    arguments={"side": _side(), "q_3": _Q_3, "q_dead": _THRESHOLD, "t_sat": _T_SAT},
)
SIGNED_KNEE = Model(
    name="signed_knee",
    form="fitted",
    bench="transfer",
    function=signed_knee,
    output="t_signed",
    equation=f"t_signed = T_p(q_in - q_0) - T_n(q_0 - q_in), T(x) = {DELAYED} for x > 0, at most t_sat",
    arguments={
        "positive": _side("_p", ", positive side"),
        "negative": _side("_n", ", negative side"),
        "q_3": _Q_3,
        "q_0": _THRESHOLD,
        "t_sat": _T_SAT,
    },
)
THRESHOLDS = 1e-15 * np.arange(2.0, 12.5, 1.0)
"""Charges [C] between which the comparator's threshold of any sample lies, if that of the typical one is at 7 fC."""


def off_threshold(threshold: str, q_in: Array, *, nominal: Mapping[str, float]) -> Array:
    """Mask of charges at which a pulse changes smoothly from sample to sample: every sample has one, or none has.

    ``threshold`` is the coefficient that states the threshold of the typical circuit.
    """
    return abs(q_in - nominal[threshold]) > 0.65 * np.ptp(THRESHOLDS)


def _random_side(suffix: str = "", of: str = "") -> dict[str, Change]:
    gain = f"relative change of gain{suffix}{of}"
    return {
        f"d_gain{suffix}": Change(of=f"gain{suffix}", unit="1", doc=gain, scale=1e-3, relative=True),
        f"d_t_0{suffix}": Change(of=f"t_0{suffix}", unit="s", doc=f"change of t_0{suffix}{of}", scale=1e-12),
    }


def _random_threshold(of: str) -> dict[str, Change]:
    return {f"d_{of}": Change(of=of, unit="C", doc=f"change of {of}", scale=1e-17)}


RANDOM_RELU = RandomModel(
    name="random_relu",
    nominal=RELU_KNEE,
    random={**_random_side(), **_random_threshold("q_dead")},
    estimation_mask=partial(off_threshold, "q_dead"),
)
RANDOM_SIGNED = RandomModel(
    name="random_signed",
    nominal=SIGNED_KNEE,
    random={
        **_random_side("_p", ", positive side"),
        **_random_side("_n", ", negative side"),
        **_random_threshold("q_0"),
    },
    estimation_mask=partial(off_threshold, "q_0"),
)
