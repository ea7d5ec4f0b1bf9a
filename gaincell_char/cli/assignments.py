"""Options whose value is NAME=VALUE."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

import click

from ..errors import ParameterError
from .requests import words

if TYPE_CHECKING:
    _ParamType = click.ParamType[dict[str, str], str | Mapping[str, str]]
else:
    _ParamType = click.ParamType  # not generic before click 8.4
Command = TypeVar("Command", bound=Callable[..., object] | click.Command)
"""A command, or a function that becomes one."""


class Assignments(_ParamType):
    """Option type NAME=VALUE; the value is a mapping of names to values.

    Parameters
    ----------
    form : str
        Notation of one assignment, the metavar of the option.
    several : bool
        Whether one word may contain several assignments, with commas between them.
    """

    name = "assignments"

    def __init__(self, form: str = "NAME=VALUE", *, several: bool = False) -> None:
        self.form, self.several = form, several

    def convert(
        self,
        value: str | Mapping[str, str],
        param: click.Parameter | None,
        ctx: click.Context | None,  # noqa: ARG002  click's interface
    ) -> dict[str, str]:
        """Read one word of the command line.

        Parameters
        ----------
        value : str or mapping of str to str
            The word; a mapping is returned unchanged.
        param, ctx : click.Parameter, click.Context
            The option, named in errors; and its context, not used.

        Raises
        ------
        ParameterError
            If a part is not of the form NAME=VALUE, or a name is given twice.
        """
        if isinstance(value, Mapping):
            return dict(value)
        if not self.several:
            return _join([self._read(value)])
        option = param.opts[0] if param else self.form
        return _join(self._read(part) for part in (words(value, option) if value else ()))

    def _read(self, text: str) -> dict[str, str]:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            hint = ", or several with commas between them" if self.several else ""
            raise ParameterError(f"{text!r} is not an assignment: write {self.form}{hint}")
        return {name: value}


def assignments(*names: str, help: str) -> Callable[[Command], Command]:
    """Option NAME=VALUE that may be repeated; the command receives one mapping of names to values."""
    kind = Assignments()
    return click.option(*names, multiple=True, metavar=kind.form, type=kind, callback=_merge, help=help)


def _merge(_context: click.Context, _parameter: click.Parameter, values: Iterable[dict[str, str]]) -> dict[str, str]:
    return _join(values)


def _join(parts: Iterable[dict[str, str]]) -> dict[str, str]:
    """Merge mappings.

    Raises
    ------
    ParameterError
        If two mappings contain the same name.
    """
    found: dict[str, str] = {}
    for part in parts:
        for name, value in part.items():
            if name in found:
                raise ParameterError(f"{name} is given twice")
            found[name] = value
    return found
