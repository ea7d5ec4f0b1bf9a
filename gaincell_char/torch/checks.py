"""What the modules take: tensors, and how they go together."""

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
    """Return a tensor of real floating-point numbers; `more` types may be taken.

    Raises
    ------
    ParameterError
        If it is something else.
    """
    if not isinstance(value, Tensor):
        raise ParameterError(f"{name} is of type {type(value).__name__}; it takes a tensor")
    if value.dtype not in (*_TYPES, *more):
        why = f" ({_TOO_COARSE})" if value.dtype == torch.float16 else ""
        raise ParameterError(f"{name} is {value.dtype}; it takes float32, float64 or bfloat16{why}")
    return value


def check_finite(name: str, value: Any, low: float = -math.inf) -> Tensor:
    """Return a tensor of finite numbers from `low`; compiled code does not look at them.

    Raises
    ------
    ParameterError
        If it is something else.
    """
    check_tensor(name, value)
    least, most = ends(value) or (0.0, 0.0)
    if not (math.isfinite(least) and math.isfinite(most) and low <= least):
        at_least = "" if math.isinf(low) else f" of at least {low:g}"
        raise ParameterError(f"{name} has values from {least:g} to {most:g}; it takes finite numbers{at_least}")
    return value  # type: ignore[no-any-return]


def check_time(name: str, value: Any) -> float | Tensor:
    """Return a time [s], as a number or a tensor.

    Raises
    ------
    ParameterError
        If it is something else, not finite or below 0.
    """
    return check_finite(name, value, 0.0) if isinstance(value, Tensor) else check_number(name, value, 0.0)


def check_together(**tensors: Tensor) -> None:
    """Refuse tensors of several types or on several devices.

    Raises
    ------
    ParameterError
        If they differ.
    """
    for what, kinds, one in (
        ("are", [tensor.dtype for tensor in tensors.values()], "floating-point type"),
        ("are on", [tensor.device for tensor in tensors.values()], "device"),
    ):
        if any(kind != kinds[0] for kind in kinds):
            raise ParameterError(f"{_listed(tensors)} {what} {_listed(map(str, kinds))}; they take one {one}")


def check_broadcast(**tensors: Tensor) -> None:
    """Refuse tensors whose shapes do not broadcast.

    Raises
    ------
    ParameterError
        If they do not.
    """
    shapes = [tuple(tensor.shape) for tensor in tensors.values()]
    if not all(fits(a, b) for i, a in enumerate(shapes) for b in shapes[:i]):
        raise ParameterError(f"{_listed(tensors)} have shapes {_listed(map(str, shapes))}; they have to broadcast")


def fits(a: Sequence[int], b: Sequence[int]) -> bool:
    """Whether two shapes broadcast."""
    return all(m == n or 1 in (m, n) for m, n in zip(reversed(a), reversed(b), strict=False))


def check_within(name: str, value: Tensor, shape: Sequence[int]) -> None:
    """Refuse a tensor that does not broadcast to a shape.

    Raises
    ------
    ParameterError
        If it does not.
    """
    if value.ndim > len(shape) or any(
        m not in (1, n) for m, n in zip(reversed(value.shape), reversed(shape), strict=False)
    ):
        raise ParameterError(f"{name} has shape {tuple(value.shape)}; it has to broadcast to {tuple(shape)}")


class Guard:
    """Keeps an input within its range.

    Parameters
    ----------
    name : str
        The input's name.
    low, high : float
        Its range.
    outside : {"clamp", "refuse", "extrapolate"}
        What to do with values outside: take the nearest end, and say so once; raise `ParameterError`; or take them as
        they are, if they are finite.  NaN is always refused.  Compiled code looks at no values: it clamps silently.
    why : str
        Whose range it is, for the message.

    Raises
    ------
    ParameterError
        If `outside` is something else, and when called, as `outside` says, or with anything but a tensor of real
        numbers.
    """

    def __init__(self, name: str, low: float, high: float, outside: str, why: str) -> None:
        if outside not in OUTSIDE:
            raise ParameterError(f"outside = {outside!r}; choose {', '.join(OUTSIDE)}")
        self.name, self.low, self.high, self.outside, self.why = name, low, high, outside, why
        self._said = False

    def __call__(self, value: Tensor) -> Tensor:
        """Return the value as it may be used."""
        check_tensor(self.name, value)
        if span := ends(value):
            self._look(*span, torch.finfo(value.dtype).eps)
        return value if self.outside == "extrapolate" else value.clamp(self.low, self.high)

    def _look(self, least: float, most: float, eps: float) -> None:
        if math.isnan(least):
            raise ParameterError(f"{self.name} holds NaN")
        if self.outside == "extrapolate":
            if math.isinf(least) or math.isinf(most):
                raise ParameterError(f"{self.name} runs from {least:g} to {most:g}; use finite inputs")
            return
        size = max(abs(self.low), abs(self.high))
        slack = 0.0 if math.isinf(size) else 1e-6 * (self.high - self.low) + 4 * eps * size
        if self.low - slack <= least and most <= self.high + slack and math.isfinite(most):
            return
        what = f"{self.name} runs from {least:g} to {most:g}, but {self.why} from {self.low:g} to {self.high:g}"
        if self.outside == "refuse":
            raise ParameterError(f"{what}; use inputs inside, or outside='clamp'")
        if not self._said:
            self._said = True
            warnings.warn(f"{what}; values outside are clamped (said once)", stacklevel=5)


def check_flag(name: str, value: object) -> bool:
    """Return a truth value.

    Raises
    ------
    ParameterError
        If it is something else.
    """
    if not isinstance(value, bool):
        raise ParameterError(f"{name} is of type {type(value).__name__}; choose True or False")
    return value


def ends(value: Tensor) -> tuple[float, float] | None:
    """Least and largest of the values, NaN if one is NaN; None where there are none, or none that can be read."""
    if torch.compiler.is_compiling() or not value.numel():
        return None
    try:
        least, most = torch.aminmax(value.detach())
        return float(least), float(most)
    except RuntimeError as error:
        # Inside torch.func.vmap a tensor has no values of its own.
        if "vmap" not in str(error):
            raise
        return None


def exact(like: Tensor) -> AbstractContextManager[Any]:
    """Compute in the tensors' own type: autocast would round pulses and charges in SI units to zero."""
    kind = like.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()


def _listed(names: Any) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else str(last)
