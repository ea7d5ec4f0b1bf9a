"""Figures of merit by which technologies are compared: gain, threshold, offset, their spread, and noise."""

from dataclasses import dataclass, replace
from functools import partial

from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.record_merits import Evidence, RecordMerit

_SPAN = (0.1, 0.7)
"""Part of full scale, on which the line is straight."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of a converter: its threshold, sign, suffix of its coefficients, and what is appended to names."""

    threshold: str
    sign: int = 1
    suffix: str = ""
    of: str = ""


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


def _spread(random: str, name: str, factor: float, evidence: Evidence) -> float:
    return evidence.combined_spread("transfer", random, {name: factor})


def _offset_spread(model: str, random: str, side: Side, evidence: Evidence) -> float:
    """Sigma [s] of where the line meets no charge: t_0 less gain times threshold, or plus on the negative side."""
    gain, threshold = (_coefficient(model, name, evidence) for name in (f"gain{side.suffix}", side.threshold))
    weights = {
        f"d_t_0{side.suffix}": 1.0,
        f"d_gain{side.suffix}": -side.sign * gain * threshold,
        f"d_{side.threshold}": -side.sign * gain,
    }
    return evidence.combined_spread("transfer", random, weights)


def _jitter(evidence: Evidence) -> float:
    return float(evidence.model("noise", "jitter")(_full_scale(evidence) / 2))


def _of_side(model: str, random: str, side: Side) -> tuple[RecordMerit, ...]:
    """Gain, offset and their spread on one side."""
    straight = f"between {_SPAN[0]:g} and {_SPAN[1]:g} of full scale"
    key = side.sign > 0
    return (
        RecordMerit(
            key=key,
            name=f"gain{side.of}",
            unit="s/C",
            doc=f"pulse per charge {straight}",
            compute=partial(_gain, model, side.sign),
        ),
        RecordMerit(
            key=key,
            name=f"spread of the gain{side.of}",
            unit="%",
            doc="sigma under mismatch, relative",
            compute=partial(_spread, random, f"d_gain{side.suffix}", 100.0),
        ),
        RecordMerit(
            key=key,
            name=f"offset{side.of}",
            unit="s",
            doc=f"where the line {straight} meets no charge",
            compute=partial(_offset, model, side.sign),
        ),
        RecordMerit(
            key=key,
            name=f"spread of the offset{side.of}",
            unit="s",
            doc="sigma under mismatch, with that of gain and threshold",
            compute=partial(_offset_spread, model, random, side),
        ),
        RecordMerit(
            name=f"knee{side.of}",
            unit="C",
            doc="charge beyond the threshold by which the slow part of the delay has fallen to 1/e",
            compute=partial(_coefficient, model, f"q_1{side.suffix}"),
        ),
    )


def _merits(model: str, random: str, *sides: Side) -> tuple[RecordMerit, ...]:
    threshold = sides[0].threshold
    return (
        RecordMerit(
            name="full-scale charge", unit="C", doc="n_units i_bias t_max, of the ideal converter", compute=_full_scale
        ),
        *(merit for side in sides for merit in _of_side(model, random, side)),
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
            compute=partial(_spread, random, f"d_{threshold}", 1.0),
        ),
        RecordMerit(
            name="error of the pulse's model",
            unit="%",
            doc=f"rms error of {model}, of full range",
            compute=partial(_error, model),
        ),
        RecordMerit(name="jitter", unit="s", doc="rms noise of a pulse of half of full scale", compute=_jitter),
    )


_RELU = _merits("relu_knee", "random_relu", Side(threshold="q_dead"))
_SIGNED = _merits(
    "signed_knee",
    "random_signed",
    Side(threshold="q_0", suffix="_p", of=", positive charge"),
    Side(threshold="q_0", sign=-1, suffix="_n", of=", negative charge"),
)


def relu_compared(circuit: Circuit) -> Circuit:
    """The ReLU converter with its figures of merit."""
    return replace(circuit, record_merits=_RELU)


def signed_compared(circuit: Circuit) -> Circuit:
    """The signed converter with its figures of merit."""
    return replace(circuit, record_merits=_SIGNED)
