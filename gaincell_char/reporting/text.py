"""Numbers, units and conditions as text, in the style of a datasheet."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .. import units
from ..declare.bench import Floats
from ..declare.parameters import Value

_JOIN = "\N{NO-BREAK SPACE}"
NOTHING = "\N{EM DASH}"
_UNSCALED = ("", "1", "%", "degC")
_UNITS = {"degC": "°C", "Ohm": "\N{GREEK CAPITAL LETTER OMEGA}", "1": ""}
_AREA = "um^2"
"""Unit of drawn areas; it contains a prefix already."""
_UNBOUNDED = (-math.inf, math.inf)
# Fractions below this are rounding noise of double precision.
_NOISE = 1e-11
# A sweep with more values is shown by its ends.
_FEW = 4


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Scale of an axis: values are multiplied by ``factor`` and shown in ``unit``."""

    factor: float
    unit: str


def choose_scale(values: Floats, unit: str) -> Scale:
    """Engineering prefix for `values` of any shape in SI units: the largest is then between 0.2 and 200."""
    finite = np.abs(values[np.isfinite(values)])
    largest = float(finite.max()) if finite.size else 0.0
    if unit in _UNSCALED or not unit.isalpha() or largest == 0:
        return Scale(factor=1.0, unit=_UNITS.get(unit, unit))
    exponent = min(max(3 * math.floor(math.log10(largest / 0.2) / 3 + 1e-9), -18), 12)
    return Scale(factor=10.0**-exponent, unit=show_unit(units.show(10.0**exponent, unit).split()[1]))


def show_unit(text: str) -> str:
    """Printed form of a unit: µA for ``uA``, 1/V² for ``1/V^2``, °C for ``degC``."""
    for plain, printed in (("^2", "²"), ("^3", "³"), ("^4", "⁴"), ("^5", "⁵"), ("degC", "°C"), ("Ohm", _UNITS["Ohm"])):
        text = text.replace(plain, printed)
    return f"µ{text[1:]}" if text.startswith("u") and text[1:2].isalpha() else text


def show(value: float | None, unit: str = "", digits: int = 4, span: tuple[float, float] = _UNBOUNDED) -> str:
    """A number with an engineering prefix; a dash if there is none.

    Parameters
    ----------
    value : float or None
        The number, in SI units; infinite for a value beyond `span`, minus infinite for a value before it.
    unit : str
        Its unit.
    digits : int
        Significant digits.
    span : tuple of (float, float)
        First and last value of the sweep for a censored value.
    """
    if value is not None and math.isinf(value) and math.isfinite(span[int(value > 0)]):
        return show_outside(value, span, unit)
    if value is None or not math.isfinite(value):
        return NOTHING
    if unit == "degC":
        return f"{_minus(f'{value:g}')}{_JOIN}°C"
    if unit.startswith("1/") or unit == _AREA:
        return f"{_minus(f'{value:.{digits}g}')}{_JOIN}{show_unit(unit)}"
    number, _, rest = units.show(value, "" if unit == "1" else unit, digits).partition(" ")
    if "e" in number and rest:
        number = f"{float(number):g}"
    return f"{_minus(number)}{_JOIN}{show_unit(rest)}".rstrip(_JOIN)


def show_value(value: Value, unit: str = "") -> str:
    """Value of a parameter: a number with its unit, or a word."""
    return value if isinstance(value, str) else show(float(value), unit)


def show_percent(fraction: float | None, digits: int = 3) -> str:
    """A fraction in percent."""
    if fraction is None or not math.isfinite(fraction):
        return NOTHING
    return "< 1e-9 %" if 0 < abs(fraction) < _NOISE else f"{_minus(f'{100 * fraction:.{digits}g}')}{_JOIN}%"


def show_outside(side: float, span: tuple[float, float], unit: str) -> str:
    """A censored value: ``> 30 ms`` if `side` is infinite, ``< 1 us`` if it is minus infinite; `span` is in `unit`."""
    return f">{_JOIN}{show(span[1], unit)}" if side > 0 else f"<{_JOIN}{show(span[0], unit)}"


def show_number(value: float | None, digits: int = 3) -> str:
    """A plain number; a dash if there is none."""
    return NOTHING if value is None or not math.isfinite(value) else _minus(f"{value:.{digits}g}")


def show_r2(value: float | None) -> str:
    """R2 with enough digits to distinguish it from 1."""
    if value is None or not math.isfinite(value):
        return NOTHING
    missing = 1 - value
    digits = 9 if missing <= 1e-9 else min(9, max(4, 1 - math.floor(math.log10(missing))))
    return _minus(f"{value:.{digits}f}")


def show_conditions(values: Mapping[str, Value], unit: Mapping[str, str]) -> str:
    """Conditions in one line: ``tt, 27 °C, v_in = 900 mV``."""
    bare = ("corner", "temp")
    shown = {name: show_value(value, unit.get(name, "")) for name, value in values.items()}
    return ", ".join(text if name in bare else f"{name}{_JOIN}={_JOIN}{text}" for name, text in shown.items())


def show_sweep(values: Floats, unit: str) -> str:
    """Ends and number of the values of a sweep, shape (n,), in SI units."""
    if values.dtype.kind not in "fiu":
        return ", ".join(map(str, values))
    if values.size <= _FEW:
        return ", ".join(show(float(v), unit) for v in values)
    return f"{show(values.min(), unit)} \N{HORIZONTAL ELLIPSIS} {show(values.max(), unit)}, {values.size} values"


def show_range(name: str, ends: tuple[float, float], unit: str) -> str:
    """Range of a quantity with `name`, `ends` and `unit`: ``0 V ≤ v_store ≤ 900 mV``."""
    return f"{show(ends[0], unit)} ≤ {name} ≤ {show(ends[1], unit)}"


def _minus(number: str) -> str:
    return number.replace("-", "\N{MINUS SIGN}", 1) if number.startswith("-") else number
