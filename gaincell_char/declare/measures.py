"""Measurements that many benches share: named functions, so that a declaration can be pickled and hashed."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .bench import Waveforms

Measure = Callable[[Waveforms, Mapping[str, Any]], Any]


def at_end(vector: str, scale: float = 1.0) -> Measure:
    """Declare the last value of a saved vector, times `scale`: of an operating point, its only one."""
    return partial(_at_end, vector, scale)


def change(vector: str, scale: float = 1.0) -> Measure:
    """Declare the last value of a saved vector less its first one, times `scale`.

    The charge [C] of a capacitor of 1 pF that an ``F`` source charges is ``change("v(q)", 1e-12)``.
    """
    return partial(_change, vector, scale)


def _at_end(vector: str, scale: float, waves: Waveforms, _: Mapping[str, Any]) -> float:
    return scale * float(waves[vector][-1])


def _change(vector: str, scale: float, waves: Waveforms, _: Mapping[str, Any]) -> float:
    return scale * float(waves[vector][-1] - waves[vector][0])
