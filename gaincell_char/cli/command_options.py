"""Options shared by several commands, and the parser of every command.

Invalid options are rejected before any simulation starts.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
from click.types import FloatParamType, IntParamType

from .. import registry
from ..errors import ParameterError
from ..spice.ngspice import LIBRARY_PATH
from ..spice.pool import check_timeout
from ..storage.untrusted import printable
from .assignments import assignments


class Command(click.Command):
    """A command with stricter checks than click's: no empty values, no non-ASCII digits, no repeated options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words of a command line.

        Raises
        ------
        ParameterError
            If a value is empty, a number contains digits other than 0 to 9, or an option with one value is repeated.
        """
        if not ctx.resilient_parsing:
            values, _, order = self.make_parser(ctx).parse_args(list(args))
            _check_once(order)
            for parameter, text in _texts(self.params, values):
                _check_text(parameter, text)
        return super().parse_args(ctx, args)


class Group(Command, click.Group):
    """A group of commands of class `Command`."""

    command_class = Command
    group_class = type


def _check_once(order: Sequence[click.Parameter]) -> None:
    seen = set[str | None]()
    for parameter in order:
        if isinstance(parameter, click.Option) and not (parameter.multiple or parameter.is_flag or parameter.count):
            if parameter.name in seen:
                raise ParameterError(f"{_name(parameter)} is given twice; give it once")
            seen.add(parameter.name)


def _texts(
    parameters: Sequence[click.Parameter], values: Mapping[str, object]
) -> Iterator[tuple[click.Parameter, str]]:
    """Every value, as typed."""
    for parameter in parameters:
        value = values.get(parameter.name or "")
        for text in value if isinstance(value, list | tuple) else [value]:
            if isinstance(text, str) and not (isinstance(parameter, click.Option) and parameter.is_flag):
                yield parameter, text


def _check_text(parameter: click.Parameter, text: str) -> None:
    if not text.strip():
        needless = isinstance(parameter, click.Option) and not parameter.required
        raise ParameterError(f"{_name(parameter)} is empty; give a value{', or omit the option' if needless else ''}")
    # int() and float() read digits of any script, and underscores between them.
    if isinstance(parameter.type, IntParamType | FloatParamType) and not (text.isascii() and "_" not in text):
        raise ParameterError(f"{_name(parameter)} {text}: write a number with the digits 0 to 9")


def _name(parameter: click.Parameter) -> str:
    return max(parameter.opts, key=len) if isinstance(parameter, click.Option) else parameter.human_readable_name


def _timeout(_context: click.Context, _parameter: click.Parameter, value: float) -> float:
    return check_timeout(value)


def _use_library(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    """Let every simulator of the command load a library: option and variable name it in one way."""
    if path is None:
        return
    try:
        with path.open("rb") as file:
            found = file.read(4)
    except OSError as error:
        why = "is a folder" if path.is_dir() else f"cannot be read ({error.strerror})"
        raise ParameterError(f"--ngspice {printable(str(path))} {why}; {_LIBRARY_WANTED}") from None
    if found not in _LIBRARY_MAGIC:
        raise ParameterError(f"--ngspice {printable(str(path))} is not a shared library; {_LIBRARY_WANTED}")
    context.with_resource(_named_library(path.parent.resolve() / path.name))


@contextlib.contextmanager
def _named_library(path: Path) -> Iterator[None]:
    """Set the variable that names the library, and restore it at the end of the command."""
    before = os.environ.get(LIBRARY_PATH)
    os.environ[LIBRARY_PATH] = str(path)
    try:
        yield
    finally:
        if before is None:
            del os.environ[LIBRARY_PATH]
        else:
            os.environ[LIBRARY_PATH] = before


_LIBRARY_WANTED = "give the library of ngspice itself, such as /usr/lib/libngspice.so.0"
_LIBRARY_MAGIC = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
"""First bytes of a shared library: ELF, Mach-O of one architecture, Mach-O of several."""

TECH = click.option(
    "--tech", default=registry.DEFAULT_TECHNOLOGY, show_default=True, help="Technology: name or folder."
)
WORKERS = click.option("--workers", type=click.IntRange(1, 256), help="Simulator processes; one per core by default.")
TIMEOUT = click.option(
    "--timeout", default=60.0, show_default=True, callback=_timeout, help="Time limit of one simulation [s]."
)
NGSPICE = click.option(
    "--ngspice",
    metavar="PATH",
    type=click.Path(path_type=Path),
    callback=_use_library,
    expose_value=False,
    help="Library of ngspice, a file libngspice.so.0; by default the one that is found.",
)
SET = assignments("--set", "settings", help="Set a parameter to a fixed value.")
NETLIST = click.option(
    "--netlist", type=click.Path(path_type=Path), help="Netlist file to use instead of the built-in subcircuit."
)
AXIS = click.option(
    "--axis", "axes", multiple=True, metavar="NAME=SPEC", help="START:STOP:COUNT, START:STOP:COUNT:log or V1,V2."
)
CORNERS = click.option("--corner", default="tt", show_default=True, help="Process corners, as tt,ff,ss.")
TEMPS = click.option("--temp", default="27", show_default=True, help="Temperatures in degC, as 27,85.")
OPTION = assignments("--option", "simulator_options", help="Simulator option, as reltol=1e-6.")
INTERRUPTS = click.pass_obj
"""Passes the active `Interrupts` to the command."""
