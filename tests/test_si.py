"""Numbers as people type them, and as they are shown."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaincell_char import units
from gaincell_char.errors import ParameterError

POWERS = {"T": 12, "G": 9, "meg": 6, "k": 3, "": 0, "m": -3, "u": -6, "µ": -6, "n": -9, "p": -12, "f": -15, "a": -18}
UNITS = ("", "V", "A", "F", "s", "m", "Hz", "Ohm", "degC", "%", "V^2")
NUMBERS = st.one_of(
    st.integers(-(10**9), 10**9).map(str),
    st.floats(-1e6, 1e6).map(lambda value: f"{value:.6g}"),
    st.floats(1e-30, 1e30).map(repr),
    st.sampled_from([".5", "5.", "+3", "-0", "1E3", "2e-3"]),
)


@given(NUMBERS, st.sampled_from(list(POWERS)), st.sampled_from(["", "s", "V", "Hz"]), st.sampled_from([str, str.upper]))
def test_every_number_with_every_suffix_is_the_number_that_python_reads(number, suffix, unit, case):
    mantissa, _, power = number.lower().partition("e")
    expected = float(f"{mantissa}e{int(power or 0) + POWERS[suffix]}")
    assert units.parse(f"{number}{suffix}{unit}", unit) == expected
    # To SPICE case does not matter.  A and F alone could be units, and are asked about; a large mu is a Greek M.
    if not (case is str.upper and (suffix == "µ" or (suffix in ("a", "f") and not unit))):
        assert units.parse(f" {number}{case(suffix)}{unit} ", unit) == expected


@given(st.one_of(st.text(max_size=12), st.from_regex(r"[0-9.+\-eE]{1,8}[a-zA-Zµ%Ω]{0,6}")), st.sampled_from(UNITS))
def test_whatever_is_typed_is_a_number_or_a_parameter_error(text, unit):
    try:
        value = units.parse(text, unit)
    except ParameterError:
        return
    assert isinstance(value, float)
    assert not math.isnan(value)


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(UNITS))
def test_what_python_writes_is_read_back_exactly(value, unit):
    assert units.parse(repr(value), unit) == value


@given(st.floats(1e-17, 1e14).flatmap(lambda v: st.sampled_from([v, -v])), st.sampled_from(["V", "s", "Hz", "Ohm"]))
def test_what_is_shown_is_read_back_to_the_digits_shown(value, unit):
    shown = units.show(value, unit).replace("M", "meg").replace(" ", "")
    assert units.parse(shown, unit) == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "unit", "sentence"),
    [
        ("1F", "F", r"'1F' could be 1 F or, to SPICE, 1 f \(a scale factor\); write 1 or 1fF"),
        ("1A", "A", r"'1A' could be 1 A or, to SPICE, 1 a \(a scale factor\); write 1 or 1aA"),
        ("1A", "V", "'1A' is in A, expected V"),
        ("1F", "", "'1F' is in F, expected no unit"),
        ("1mA", "V", "'1mA': unknown unit 'mA', expected V"),
        ("1x", "", "'1x': unknown unit 'x'$"),
        ("0.9 V", "V", "'0.9 V' is not a number; write it like 0.45, 450m or 450mV"),
        ("1,5", "V", "is not a number"),
        ("1e99999", "V", "is not a number"),
        ("\N{ARABIC-INDIC DIGIT THREE}", "V", "is not a number"),
    ],
)
def test_what_could_be_misread_is_refused(text, unit, sentence):
    with pytest.raises(ParameterError, match=sentence):
        units.parse(text, unit)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("450mV", "V", 0.45),
        ("3f", "F", 3e-15),
        ("5fF", "F", 5e-15),
        ("1aF", "F", 1e-18),
        ("1M", "Hz", 1e-3),
        ("1MEG", "Hz", 1e6),
        ("2mil", "m", 50.8e-6),
        ("2m", "m", 2e-3),
        ("2mm", "m", 2e-3),
        ("15n", "s", 15e-9),
        ("1\N{MICRO SIGN}s", "s", 1e-6),
        ("1\N{GREEK SMALL LETTER MU}s", "s", 1e-6),
        ("-40", "degC", -40.0),
    ],
)
def test_suffixes_mean_what_they_mean_to_spice(text, unit, value):
    assert units.parse(text, unit) == value
