"""What users type, read into what a plan takes."""

from collections.abc import Sequence

import click
from click.core import ParameterSource

from .. import units
from ..declare.circuit import Circuit
from ..declare.parameters import Value
from ..errors import ParameterError
from ..sweep.axes import parse_axis


def settings(circuit: Circuit, bench: str, texts: Sequence[str]) -> dict[str, Value]:
    """Read every NAME=VALUE of ``--set``."""
    params = circuit.params | circuit.bench(bench).params
    return {name: params[name].parse(name, value) for name, value in assignments(texts).items()}


def assignments(texts: Sequence[str]) -> dict[str, str]:
    """Read every NAME=VALUE.

    Raises
    ------
    ParameterError
        If one has another form, or a name is given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise ParameterError(f"{text!r}: write NAME=VALUE")
        if name in found:
            raise ParameterError(f"{name} is given twice")
        found[name] = value
    return found


def refuse(context: click.Context, names: Sequence[str], why: str) -> None:
    """Raise `ParameterError` if one of these options was given: it would have no effect, and `why` says so."""
    for parameter in context.command.params:
        if parameter.name in names and is_given(context, (parameter.name,)):
            raise ParameterError(f"{parameter.opts[0]} has no effect here: {why}")


def is_given(context: click.Context, names: Sequence[str]) -> bool:
    """Whether one of these options was given on the command line."""
    return any(context.get_parameter_source(name) == ParameterSource.COMMANDLINE for name in names)


def axes(circuit: Circuit, bench: str, texts: Sequence[str]) -> dict[str, Sequence[Value]]:
    """Read every ``--axis``."""
    chosen = circuit.bench(bench)
    axes: dict[str, Sequence[Value]] = {}
    for text in texts:
        name, values = parse_axis(text, circuit.params | chosen.params, chosen.curve)
        if name in axes:
            raise ParameterError(f"axis {name} is given twice")
        axes[name] = values
    return axes


def options(texts: Sequence[str]) -> dict[str, float]:
    """Read every NAME=VALUE of ``--option``."""
    return {name: units.parse(value) for name, value in assignments(texts).items()}


def percent(text: str) -> float:
    """Read ``0.05%`` as a fraction."""
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
    """Read a comma-separated list of temperatures [degC]."""
    return [units.parse(word, "degC") for word in words(text, "--temp")]
