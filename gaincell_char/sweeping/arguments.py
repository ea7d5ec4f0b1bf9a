"""Checks of arguments of Python functions: numbers, lists and mappings."""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..declare.parameters import Value
from ..errors import ParameterError
from ..storage.untrusted import printable

_LARGEST = float(np.finfo(float).max)


def check_number(name: str, value: Any, low: float = -_LARGEST, high: float = _LARGEST, kind: Any = Real) -> float:
    """Return a finite number, or raise `ParameterError`; True and False are not numbers.

    Parameters
    ----------
    name : str
        Name of the argument, for errors.
    value : Any
        The argument.
    low, high : float
        Valid range, limits included.
    kind : type
        Required type.

    Examples
    --------
    >>> check_number("accuracy", 0.5, 0.0, 1.0)
    0.5
    """
    if isinstance(value, kind) and not isinstance(value, bool) and low <= value <= high:
        return float(value)
    span = "" if low == -_LARGEST else f" of at least {low:g}" if high == _LARGEST else f" from {low:g} to {high:g}"
    raise refusal(name, value, f"a {'whole' if kind is Integral else 'finite'} number{span}")


def check_count(name: str, value: Any, low: float = -_LARGEST, high: float = _LARGEST) -> int:
    """Return a whole number, or raise `ParameterError`; `name`, `value`, `low` and `high` are as of `check_number`."""
    check_number(name, value, low, high, Integral)
    return int(value)


def check_list(name: str, values: Any) -> list[Any]:
    """Return the values of a list, or raise `ParameterError`; a text is not a list."""
    if isinstance(values, str | bytes | bytearray) or not np.iterable(values):
        raise refusal(name, values, "a list")
    return list(values)


def check_mapping(name: str, values: Any) -> dict[str, Any]:
    """Return a mapping, or raise `ParameterError`; None means an empty mapping."""
    if not isinstance(values, Mapping | None):
        raise refusal(name, values, "a mapping of names to values")
    return dict(values or {})


def check_values(name: str, values: Any) -> dict[str, Value]:
    """Return a mapping of names to finite numbers or words, or raise `ParameterError`; None means an empty mapping."""
    return {k: v if isinstance(v, str) else check_number(k, v) for k, v in check_mapping(name, values).items()}


def check_word(name: str, value: Any) -> str:
    """Return a text that is not empty, or raise `ParameterError`."""
    if isinstance(value, str) and value.strip():
        return value
    raise refusal(name, value, "a text")


def check_words(name: str, values: Any) -> tuple[str, ...]:
    """Return the texts of a list, or raise `ParameterError`; a text is not a list."""
    return tuple(check_word(f"one of {name}", value) for value in check_list(name, values))


def check_flag(name: str, value: Any) -> bool:
    """Return True or False, or raise `ParameterError`."""
    if isinstance(value, bool):
        return value
    raise refusal(name, value, "True or False")


def refusal(name: str, value: Any, right: str) -> ParameterError:
    """Error of an argument: its `name`, its `value`, and the `right` kind of value."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        text = f"({type(value).__name__})"
    return ParameterError(f"{name} = {printable(text)[:60]} must be {right}")
