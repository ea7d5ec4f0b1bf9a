"""Conversion between numbers and text with SPICE scale factors and units."""

import math
import re

from .errors import ParameterError

# ngspice manual, section 2.1.3 (naming conventions): scale factors, case does not matter.
_POWER = {
    "t": 12,
    "g": 9,
    "meg": 6,
    "k": 3,
    "": 0,
    "m": -3,
    "u": -6,
    "µ": -6,
    "μ": -6,
    "n": -9,
    "p": -12,
    "f": -15,
    "a": -18,
}
_MIL = 25.4e-6
_PREFIX = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_NUMBER = re.compile(r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,4})?)([a-zµμ%]*)\s*", re.IGNORECASE | re.ASCII)


def parse(text: str, unit: str = "") -> float:
    """Read a number with an optional SPICE scale factor and an optional unit.

    ``5f``, ``5fF``, ``0.45``, ``450mV``, ``1meg`` and ``15ns`` are read as in SPICE, except that a unit other than
    `unit` is an error instead of being ignored.

    Raises
    ------
    ParameterError
        If the text is not a number, has another unit, or is ambiguous (``1F`` for a value in farads).
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ParameterError(f"{text!r} is not a number; write it like 0.45, 450m or 450mV")
    digits, letters = match.groups()
    if letters in ("A", "F"):
        if letters != unit:
            raise ParameterError(f"{text!r} is in {letters}" + (f", expected {unit}" if unit else ", expected no unit"))
        raise ParameterError(
            f"{text!r} could be {digits} {unit} or, to SPICE, {digits} {letters.lower()} (a scale factor); "
            f"write {digits} or {digits}{letters.lower()}{unit}"
        )
    for scale in (letters[:3].lower(), letters[:1].lower(), ""):
        if scale not in (*_POWER, "mil") or letters[len(scale) :] not in ("", unit):
            continue
        mantissa, _, power = digits.lower().partition("e")
        # Not a product: 3 * 1e-15 differs from 3e-15 in the last bit.
        return float(digits) * _MIL if scale == "mil" else float(f"{mantissa}e{int(power or 0) + _POWER[scale]}")
    raise ParameterError(f"{text!r}: unknown unit {letters!r}" + (f", expected {unit}" if unit else ""))


def show(value: float, unit: str = "", digits: int = 4) -> str:
    """Write a number with an engineering prefix: ``1.2e-12, "C"`` gives ``1.2 pC``.

    Numbers without a unit, percentages and compound units that begin with a 1 (``1/V``) get no prefix.

    Parameters
    ----------
    value : float
        The number, in SI units.
    unit : str
        Its unit.
    digits : int
        Significant digits.
    """
    plain = unit in ("", "1", "%") or unit.startswith("1/")
    if plain or value == 0 or not math.isfinite(value):
        return f"{value:.{digits}g} {'' if unit == '1' else unit}".rstrip()
    rounded = float(f"{value:.{digits}g}")
    exponent = min(max(3 * math.floor(math.log10(abs(rounded)) / 3 + 1e-12), -18), 12)
    return f"{rounded / 10**exponent:.12g} {_PREFIX[exponent]}{unit}"
