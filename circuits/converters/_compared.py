"""Figures of merit by which technologies are compared: gain, threshold, offset, their spread, and noise."""

from dataclasses import replace
from functools import partial

from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.record_merits import Evidence, RecordMerit

_SPAN = (0.1, 0.85)
"""Part of full scale, on which the line is straight."""


def _full_scale(evidence: Evidence) -> float:
    n_units, i_bias, t_max = (evidence.parameter("transfer", name) for name in ("n_units", "i_bias", "t_max"))
    return n_units * i_bias * t_max


def _line(model: str, side: int, evidence: Evidence) -> tuple[float, float]:
    """Slope [s/C] and value at no charge [s] of the chord of the straight part on one side."""
    pulse, full = evidence.model("transfer", model), side * _full_scale(evidence)
    low, high = (side * float(pulse(share * full)) for share in _SPAN)
    slope = (high - low) / (_SPAN[1] - _SPAN[0])
    return slope / abs(full), low - slope * _SPAN[0]


def _gain(model: str, side: int, evidence: Evidence) -> float:
    return _line(model, side, evidence)[0]


def _offset(model: str, side: int, evidence: Evidence) -> float:
    return _line(model, side, evidence)[1]


def _coefficient(model: str, name: str, evidence: Evidence) -> float:
    return evidence.coefficient("transfer", model, name)


def _error(model: str, evidence: Evidence) -> float:
    return 100 * evidence.error("transfer", model)


def _spread(model: str, name: str, factor: float, evidence: Evidence) -> float:
    return factor * evidence.coefficient_spread("transfer", model, name)


def _jitter(evidence: Evidence) -> float:
    return float(evidence.model("noise", "jitter")(_full_scale(evidence) / 2))


def _side(model: str, random: str, side: int, suffix: str, of: str) -> tuple[RecordMerit, ...]:
    """Gain, offset and their spread on one side; `suffix` is that of its coefficients, `of` is appended to names."""
    straight = f"between {_SPAN[0]:g} and {_SPAN[1]:g} of full scale"
    return (
        RecordMerit(
            key=side > 0,
            name=f"gain{of}",
            unit="s/C",
            doc=f"pulse per charge {straight}",
            compute=partial(_gain, model, side),
        ),
        RecordMerit(
            key=side > 0,
            name=f"spread of the gain{of}",
            unit="%",
            doc="sigma under mismatch, relative",
            compute=partial(_spread, random, f"d_gain{suffix}", 100),
        ),
        RecordMerit(
            key=side > 0,
            name=f"offset{of}",
            unit="s",
            doc=f"where the line {straight} meets no charge",
            compute=partial(_offset, model, side),
        ),
        RecordMerit(
            key=side > 0,
            name=f"spread of the offset{of}",
            unit="s",
            doc="sigma under mismatch of the width at the threshold",
            compute=partial(_spread, random, f"d_t_0{suffix}", 1),
        ),
        RecordMerit(
            name=f"knee{of}",
            unit="C",
            doc="charge beyond the threshold by which the slow part of the delay has fallen to 1/e",
            compute=partial(_coefficient, model, f"q_1{suffix}"),
        ),
    )


def _merits(model: str, random: str, threshold: str, *sides: tuple[RecordMerit, ...]) -> tuple[RecordMerit, ...]:
    return (
        RecordMerit(
            name="full-scale charge", unit="C", doc="n_units i_bias t_max, of the ideal converter", compute=_full_scale
        ),
        *(merit for side in sides for merit in side),
        RecordMerit(
            key=True,
            name="threshold",
            unit="C",
            doc="of the comparator",
            compute=partial(_coefficient, model, threshold),
        ),
        RecordMerit(
            key=True,
            name="spread of the threshold",
            unit="C",
            doc="sigma under mismatch",
            compute=partial(_spread, random, f"d_{threshold}", 1),
        ),
        RecordMerit(
            name="error of the pulse's model",
            unit="%",
            doc=f"rms error of {model}, of full range",
            compute=partial(_error, model),
        ),
        RecordMerit(name="jitter", unit="s", doc="rms noise of a pulse of half of full scale", compute=_jitter),
    )


_RELU = _merits("relu_knee", "random_relu", "q_dead", _side("relu_knee", "random_relu", 1, "", ""))
_SIGNED = _merits(
    "signed_knee",
    "random_signed",
    "q_0",
    _side("signed_knee", "random_signed", 1, "_p", ", positive charge"),
    _side("signed_knee", "random_signed", -1, "_n", ", negative charge"),
)


def relu_compared(circuit: Circuit) -> Circuit:
    """The ReLU converter with its figures of merit."""
    return replace(circuit, record_merits=_RELU)


def signed_compared(circuit: Circuit) -> Circuit:
    """The signed converter with its figures of merit."""
    return replace(circuit, record_merits=_SIGNED)
