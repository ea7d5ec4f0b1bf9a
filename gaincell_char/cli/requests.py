"""Values of options -> arguments of a plan."""

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
    """Return an instance of a dataclass of options; `given` contains the values of all options of a command."""
    return kind(**{field.name: given[field.name] for field in fields(kind)})


def settings(circuit: Circuit, bench: str, texts: Mapping[str, str]) -> dict[str, Value]:
    """Read the values of ``--set``.

    Parameters
    ----------
    circuit : Circuit
        Declares the parameters.
    bench : str
        Name of the bench, which declares more.
    texts : mapping of str to str
        Name -> value, as typed.

    Raises
    ------
    ParameterError
        If a name is unknown, or a value has the wrong type or is out of range.
    """
    params = circuit.params | circuit.bench(bench).params
    return {name: params[name].parse(name, value) for name, value in texts.items()}


def refuse(context: click.Context, names: Sequence[str], why: str) -> None:
    """Reject options that would have no effect.

    Parameters
    ----------
    context : click.Context
        Context of the command.
    names : sequence of str
        Options to reject.
    why : str
        Reason, the end of the message.

    Raises
    ------
    ParameterError
        If one of these options was given.
    """
    for parameter in context.command.params:
        if parameter.name in names and is_given(context, (parameter.name,)):
            raise ParameterError(f"{parameter.opts[0]} has no effect here: {why}")


def is_given(context: click.Context, names: Sequence[str]) -> bool:
    """Whether any of these options was given on the command line."""
    return any(context.get_parameter_source(name) == ParameterSource.COMMANDLINE for name in names)


def axes(circuit: Circuit, bench: str, texts: Sequence[str]) -> dict[str, Sequence[Value]]:
    """Read every ``--axis``.

    Parameters
    ----------
    circuit : Circuit
        Declares the parameters.
    bench : str
        Name of the bench.
    texts : sequence of str
        ``NAME=SPEC``, as typed.

    Raises
    ------
    ParameterError
        If an axis cannot be parsed, names no parameter, or is given twice.
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
        If a value is not a number.
    """
    return {name: units.parse(value) for name, value in texts.items()}


def percent(text: str) -> float:
    """Read ``0.05%`` as a fraction.

    Raises
    ------
    ParameterError
        If it is not a percentage between 0 and 100.
    """
    number = text.strip().removesuffix("%")
    value = units.parse(number) / 100
    if not text.strip().endswith("%") or not 0 < value < 1:
        raise ParameterError(f"{text!r} is not a percentage between 0% and 100%; write for example 0.05%")
    return value


def words(text: str, option: str) -> list[str]:
    """Split the comma-separated value of an option.

    Raises
    ------
    ParameterError
        If an item is empty.
    """
    found = [word.strip() for word in text.split(",")]
    if not all(found):
        raise ParameterError(f"{option} {text!r} contains an empty value; write values with one comma between them")
    return found


def temps(text: str) -> list[float]:
    """Read a comma-separated list of temperatures [degC].

    Raises
    ------
    ParameterError
        If an item is empty or not a temperature.
    """
    return [units.parse(word, "degC") for word in words(text, "--temp")]
