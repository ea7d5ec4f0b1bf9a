"""Checks of input tensors: type, shape and range."""

import math
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from ..errors import ParameterError
from ..sweeping.arguments import check_number

OUTSIDE = ("clamp", "refuse", "extrapolate")
_TYPES = (torch.float32, torch.float64, torch.bfloat16)
_TOO_COARSE = "a pulse in seconds and a charge in coulombs are too small for float16"


def check_tensor(name: str, value: Any, more: Sequence[torch.dtype] = ()) -> Tensor:
    """Check that an input is a tensor of a floating-point type and return it; any shape, any unit of the input.

    Parameters
    ----------
    name : str
        Name of the input, for errors.
    value : Any
        The input.
    more : sequence of torch.dtype
        Types accepted in addition to float32, float64 and bfloat16.

    Raises
    ------
    ParameterError
        If it is not a tensor, or has another type.
    """
    if not isinstance(value, Tensor):
        raise ParameterError(f"{name} is of type {type(value).__name__}; it must be a tensor")
    if value.dtype not in (*_TYPES, *more):
        why = f" ({_TOO_COARSE})" if value.dtype == torch.float16 else ""
        raise ParameterError(f"{name} is {value.dtype}; it must be float32, float64 or bfloat16{why}")
    return value


def check_finite(name: str, value: Any, low: float = -math.inf) -> Tensor:
    """Check that an input is a tensor of finite numbers and return it; any shape, any unit of the input.

    Compiled code does not check the numbers.

    Parameters
    ----------
    name : str
        Name of the input, for errors.
    value : Any
        The input.
    low : float
        Smallest valid number.

    Raises
    ------
    ParameterError
        If it is not a tensor, or contains a number that is not finite or below `low`.
    """
    check_tensor(name, value)
    least, most = ends(value) or (0.0, 0.0)
    if not (math.isfinite(least) and math.isfinite(most) and low <= least):
        at_least = "" if math.isinf(low) else f" of at least {low:g}"
        raise ParameterError(f"{name} has values from {least:g} to {most:g}; it must have finite numbers{at_least}")
    return value  # type: ignore[no-any-return]


def check_time(name: str, value: Any) -> float | Tensor:
    """Check a time [s], a number or a tensor of any shape, and return it.

    Raises
    ------
    ParameterError
        If it is neither, not finite or below 0.
    """
    return check_finite(name, value, 0.0) if isinstance(value, Tensor) else check_number(name, value, 0.0)


def check_together(**tensors: Tensor) -> None:
    """Check that tensors, of any shape and in any unit of the inputs, have the same type and device.

    Raises
    ------
    ParameterError
        If types or devices differ.
    """
    for what, kinds, one in (
        ("are", [tensor.dtype for tensor in tensors.values()], "floating-point type"),
        ("are on", [tensor.device for tensor in tensors.values()], "device"),
    ):
        if any(kind != kinds[0] for kind in kinds):
            raise ParameterError(f"{_listed(tensors)} {what} {_listed(map(str, kinds))}; they must have the same {one}")


def check_broadcast(**tensors: Tensor) -> None:
    """Check that the shapes of tensors, in any unit of the inputs, broadcast.

    Raises
    ------
    ParameterError
        If they do not broadcast.
    """
    shapes = [tuple(tensor.shape) for tensor in tensors.values()]
    if not all(fits(a, b) for i, a in enumerate(shapes) for b in shapes[:i]):
        raise ParameterError(f"{_listed(tensors)} have shapes {_listed(map(str, shapes))}; they must broadcast")


def fits(a: Sequence[int], b: Sequence[int]) -> bool:
    """Whether two shapes broadcast."""
    return all(m == n or 1 in (m, n) for m, n in zip(reversed(a), reversed(b), strict=False))


def check_within(name: str, value: Tensor, shape: Sequence[int]) -> None:
    """Check that a tensor broadcasts to a shape.

    Parameters
    ----------
    name : str
        Name of the input, for errors.
    value : Tensor, any shape
        The input, in any unit of the input.
    shape : sequence of int
        The shape.

    Raises
    ------
    ParameterError
        If it does not broadcast.
    """
    if value.ndim > len(shape) or any(
        m not in (1, n) for m, n in zip(reversed(value.shape), reversed(shape), strict=False)
    ):
        raise ParameterError(f"{name} has shape {tuple(value.shape)}; it must broadcast to {tuple(shape)}")


class Guard:
    """Check of the valid range of an input.

    Parameters
    ----------
    name : str
        Name of the input.
    low, high : float
        Valid range.
    outside : {"clamp", "refuse", "extrapolate"}
        Treatment of values outside the range: replace them by the nearest limit with one warning; raise
        `ParameterError`; or use them unchanged if finite.  NaN always raises.  Compiled code checks no values: it
        clamps without a warning.
    why : str
        Origin of the range, for errors.

    Raises
    ------
    ParameterError
        If `outside` is unknown; when called, if the input is not a tensor of real numbers, contains NaN, or is out of
        range and `outside` is "refuse".
    """

    def __init__(self, name: str, low: float, high: float, outside: str, why: str) -> None:
        if outside not in OUTSIDE:
            raise ParameterError(f"outside = {outside!r}; choose {', '.join(OUTSIDE)}")
        self.name, self.low, self.high, self.outside, self.why = name, low, high, outside, why
        self._said = False

    def __call__(self, value: Tensor) -> Tensor:
        """Return the checked and, if necessary, clamped input."""
        check_tensor(self.name, value)
        if span := ends(value):
            self._look(*span, torch.finfo(value.dtype).eps)
        return value if self.outside == "extrapolate" else value.clamp(self.low, self.high)

    def _look(self, least: float, most: float, eps: float) -> None:
        if math.isnan(least):
            raise ParameterError(f"{self.name} contains NaN; use finite inputs")
        if self.outside == "extrapolate":
            if math.isinf(least) or math.isinf(most):
                raise ParameterError(f"{self.name} has values from {least:g} to {most:g}; use finite inputs")
            return
        size = max(abs(self.low), abs(self.high))
        slack = 0.0 if math.isinf(size) else 1e-6 * (self.high - self.low) + 4 * eps * size
        if self.low - slack <= least and most <= self.high + slack and math.isfinite(most):
            return
        what = f"{self.name} has values from {least:g} to {most:g}, but {self.why} from {self.low:g} to {self.high:g}"
        if self.outside == "refuse":
            raise ParameterError(f"{what}; use inputs in this range, or outside='clamp'")
        if not self._said:
            self._said = True
            warnings.warn(f"{what}; values outside are clamped (this warning is given once)", stacklevel=5)


def check_flag(name: str, value: object) -> bool:
    """Check that an option is True or False and return it.

    Raises
    ------
    ParameterError
        If it is anything else.
    """
    if not isinstance(value, bool):
        raise ParameterError(f"{name} is of type {type(value).__name__}; choose True or False")
    return value


def ends(value: Tensor) -> tuple[float, float] | None:
    """Smallest and largest number of a tensor of any shape, in the same unit; NaN if any number is NaN.

    None for an empty tensor, and in compiled code, where numbers cannot be read.
    """
    if torch.compiler.is_compiling() or not value.numel():
        return None
    try:
        least, most = torch.aminmax(value.detach())
        return float(least), float(most)
    except RuntimeError as error:
        # Inside torch.func.vmap the numbers of a tensor cannot be read.
        if "vmap" not in str(error):
            raise
        return None


def exact(like: Tensor) -> AbstractContextManager[Any]:
    """Context without autocast, which would round pulses and charges in SI units to zero; `like` has any shape."""
    kind = like.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()


def _listed(names: Any) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else str(last)
