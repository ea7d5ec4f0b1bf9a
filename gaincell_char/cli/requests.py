"""What users type, read into what a plan takes."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from .. import units
from ..declare.circuit import Circuit
from ..declare.parameters import Value
from ..errors import ParameterError
from ..sweeping.axes import parse_axis

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Options = TypeVar("Options", bound=DataclassInstance)


def choose(kind: "type[Options]", given: Mapping[str, Any]) -> "Options":
    """Return a dataclass of options, with those values of a command that are its fields."""
    return kind(**{field.name: given[field.name] for field in fields(kind)})


def settings(circuit: Circuit, bench: str, texts: Mapping[str, str]) -> dict[str, Value]:
    """Read the values of ``--set``.

    Raises
    ------
    ParameterError
        If a name is unknown, or a value of another kind or out of range.
    """
    params = circuit.params | circuit.bench(bench).params
    return {name: params[name].parse(name, value) for name, value in texts.items()}


def refuse(context: click.Context, names: Sequence[str], why: str) -> None:
    """Refuse options that would have no effect; `why` says what makes them useless.

    Raises
    ------
    ParameterError
        If one of them was given.
    """
    for parameter in context.command.params:
        if parameter.name in names and is_given(context, (parameter.name,)):
            raise ParameterError(f"{parameter.opts[0]} has no effect here: {why}")


def is_given(context: click.Context, names: Sequence[str]) -> bool:
    """Whether one of these options was given on the command line."""
    return any(context.get_parameter_source(name) == ParameterSource.COMMANDLINE for name in names)


def axes(circuit: Circuit, bench: str, texts: Sequence[str]) -> dict[str, Sequence[Value]]:
    """Read every ``--axis``.

    Raises
    ------
    ParameterError
        If one has another form, names no parameter, or names one that another has named.
    """
    chosen = circuit.bench(bench)
    axes: dict[str, Sequence[Value]] = {}
    for text in texts:
        name, values = parse_axis(text, circuit.params | chosen.params, chosen.curve)
        if name in axes:
            raise ParameterError(f"axis {name} is given twice")
        axes[name] = values
    return axes


def options(texts: Mapping[str, str]) -> dict[str, float]:
    """Read the values of ``--option``.

    Raises
    ------
    ParameterError
        If one is no number.
    """
    return {name: units.parse(value) for name, value in texts.items()}


def percent(text: str) -> float:
    """Read ``0.05%`` as a fraction.

    Raises
    ------
    ParameterError
        If it is no percentage between 0 and 100.
    """
    number = text.strip().removesuffix("%")
    value = units.parse(number) / 100
    if not text.strip().endswith("%") or not 0 < value < 1:
        raise ParameterError(f"{text!r}: write a percentage, for example 0.05%")
    return value


def words(text: str, option: str) -> list[str]:
    """Split the comma-separated value of an option.

    Raises
    ------
    ParameterError
        If a place in it is empty.
    """
    found = [word.strip() for word in text.split(",")]
    if not all(found):
        raise ParameterError(f"{option} {text!r}: write values with one comma between them")
    return found


def temps(text: str) -> list[float]:
    """Read a comma-separated list of temperatures [degC].

    Raises
    ------
    ParameterError
        If a place in it is empty or no temperature.
    """
    return [units.parse(word, "degC") for word in words(text, "--temp")]
