"""Named values with a unit, a meaning and a range."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .. import units
from ..errors import ParameterError
from ..storage.untrusted import shown
from .arithmetic import evaluate_number

Value = float | str
"""A number in SI units, or the word of a `Choice`."""
Values = Mapping[str, Value]
"""Parameter name -> value."""
Numbers = Mapping[str, float]
"""Numeric parameter name -> value in SI units."""


@dataclass(frozen=True, kw_only=True)
class Number:
    """A numeric parameter.

    Attributes
    ----------
    default : float or str
        The value, or a SPICE expression of other parameters (``"supply/2"``): of those with a number as their default,
        and of those declared before this one.
    unit, doc : str
        SI unit and one-line meaning.
    low, high : float
        Legal range, ends included.
    """

    default: float | str
    unit: str
    doc: str
    low: float = -math.inf
    high: float = math.inf

    def parse(self, name: str, text: str) -> float:
        """Return the value of a text such as ``450m``, or raise `ParameterError` if it is none or out of range."""
        try:
            value = units.parse(text, self.unit)
        except ParameterError as error:
            raise ParameterError(f"{name}: {error}") from None
        return self.check(name, value)

    def check(self, name: str, value: Value) -> float:
        """Return the value, or raise `ParameterError` unless ``low <= value <= high``."""
        if isinstance(value, str):
            return self.parse(name, value)
        if not self.low <= value <= self.high or math.isinf(value):
            given, allowed = f"{value:g} {self.unit}".rstrip(), f"[{self.low:g}, {self.high:g}] {self.unit}".rstrip()
            raise ParameterError(f"{name} = {given} ({self.doc}) is outside {allowed}")
        return float(value)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A parameter that is one word out of a few; it is part of the netlist's text.

    Without options it is a threshold flavour of the technology.
    """

    default: str
    options: tuple[str, ...]
    doc: str
    unit: str = ""

    def parse(self, name: str, text: str) -> str:
        """Read the text a user typed."""
        return self.check(name, text)

    def check(self, name: str, value: Value) -> str:
        """Return the value, or raise `ParameterError` unless it is one of the options."""
        if self.options and value not in self.options:
            raise ParameterError(f"{name} = {value} ({self.doc}) is not one of {', '.join(self.options)}")
        if not re.fullmatch(r"[a-z][a-z0-9_]{,63}", str(value)):
            raise ParameterError(f"{name} = {shown(str(value))} ({self.doc}) must be a word in lower case")
        return str(value)


Parameter = Number | Choice


class Params(Mapping[str, Parameter]):
    """An immutable table of parameters; ``a | b`` joins two tables that share no name.

    An unknown name is a `ParameterError` that lists the known ones, not a `KeyError`.
    """

    def __init__(self, **parameters: Parameter) -> None:
        self._table: Mapping[str, Parameter] = parameters

    def __getitem__(self, name: str) -> Parameter:
        try:
            return self._table[name]
        except KeyError:
            raise ParameterError(f"no parameter {name!r}; have {', '.join(sorted(self))}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._table

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def __or__(self, other: "Params") -> "Params":
        if both := self.keys() & other.keys():
            raise ParameterError(f"declared twice: {', '.join(sorted(both))}")
        return Params(**self._table, **other._table)

    def check(self, values: Values) -> dict[str, Value]:
        """Return `values` checked against the table; unknown names are refused."""
        return {name: self[name].check(name, value) for name, value in values.items()}

    def resolve(self, overrides: Values) -> dict[str, Value]:
        """Value of every parameter: the override where there is one, else the default.

        Raises
        ------
        ParameterError
            If an override names no parameter or lies outside its range.
        """
        values = self.check(overrides)
        known = numbers(values)
        rules: dict[str, str] = {}
        for name, parameter in self.items():
            if name in values:
                continue
            if isinstance(parameter, Choice):
                values[name] = parameter.default
            elif isinstance(parameter.default, str):
                rules[name] = parameter.default
            else:
                values[name] = known[name] = float(parameter.default)
        for name, rule in rules.items():
            value = evaluate_number(rule, known, f"default of {name}")
            values[name] = known[name] = float(self[name].check(name, value))
        return {name: values[name] for name in self}


def number(default: float | str, unit: str, doc: str, *, low: float = -math.inf, high: float = math.inf) -> Number:
    """Declare a numeric parameter: `default`, `unit`, `doc`, `low` and `high` are those of `Number`."""
    return Number(default=default, unit=unit, doc=doc, low=low, high=high)


def flavour(default: str, doc: str) -> Choice:
    """Declare a parameter that is one of the technology's flavours."""
    return Choice(default=default, options=(), doc=doc)


def choice(default: str, options: tuple[str, ...], doc: str) -> Choice:
    """Declare a parameter that is one word out of `options`: `default` unless given; `doc` is its meaning."""
    return Choice(default=default, options=options, doc=doc)


def numbers(values: Mapping[str, Value]) -> dict[str, float]:
    """Return the numeric entries, as plain floats."""
    return {name: float(value) for name, value in values.items() if not isinstance(value, str)}


def words(values: Mapping[str, Value]) -> dict[str, str]:
    """Return the entries that are words."""
    return {name: value for name, value in values.items() if isinstance(value, str)}
