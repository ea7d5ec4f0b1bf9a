"""Shapes that behavioural models are made of: elementwise, for NumPy arrays and torch tensors alike."""

import math
import sys
from collections.abc import Sequence
from typing import Any

import array_api_compat

Array = Any
"""A NumPy array or a torch tensor; models never ask which."""


def namespace(*arrays: Array) -> Any:
    """Array-API namespace of arrays of any shape, in SI units or dimensionless."""
    # Torch itself has every name models use, and unlike the wrapper it does not make torch.compile warn.
    if any(type(array).__module__.startswith("torch") for array in arrays):
        return sys.modules["torch"]
    return array_api_compat.array_namespace(*arrays)


def polynomial(x: Array, coefficients: Sequence[float]) -> Array:
    """``c0 + c1 x + c2 x^2 + ...`` by Horner's rule, elementwise, in SI units."""
    result = x * 0 + coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        result = result * x + coefficient
    return result


def softplus(x: Array) -> Array:
    """``log(1 + exp(x))`` of a dimensionless `x`, elementwise and without overflow."""
    xp: Any = namespace(x)
    size = xp.abs(x)
    return (x + size) / 2 + xp.log1p(xp.exp(-size))


def log(x: Array | float) -> Array | float:
    """Natural logarithm of a dimensionless array or number, elementwise."""
    return math.log(x) if isinstance(x, int | float) else namespace(x).log(x)


def exp(x: Array | float) -> Array | float:
    """Exponential of a dimensionless array or number, elementwise."""
    return math.exp(x) if isinstance(x, int | float) else namespace(x).exp(x)


def clamp(x: Array, low: float, high: float | Array) -> Array:
    """`x` limited to values from `low` to `high`, elementwise, in SI units."""
    xp = namespace(x)
    if not isinstance(high, float | int) and xp is sys.modules.get("torch"):
        return _limit(xp, x, low, high)
    return xp.clip(x, low, high)


def _limit(xp: Any, x: Array, low: float, high: Array) -> Array:
    """`x` limited to values from a number to those of a tensor, in SI units: torch's own clip takes no such pair."""
    return xp.minimum(xp.clip(x, low, None), high)
