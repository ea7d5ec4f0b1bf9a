"""The command ``gaincell export``."""

import os
from collections.abc import Mapping
from pathlib import Path

import click
from rich.table import Table

from .. import exporting as exports
from .. import registry, units
from ..errors import DataError, ParameterError
from ..fitting.record import Record
from ..storage import tables
from . import command_options
from .assignments import assignments
from .console import OUT, note, table


def _formats() -> Table:
    rows = table("format", "description")
    for target in map(exports.load_target, exports.export_names()):
        rows.add_row(target.name, target.doc)
    return rows


def _list(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        OUT.print(_formats())
        context.exit()


def _record(name: str) -> Record:
    """Record in a file, or packaged record TECH/CIRCUIT.STUDY."""
    if name.endswith(".json") or os.path.isfile(name):  # noqa: PTH113  accepts a name that is no valid path
        return registry.checked_record(name)
    technology, slash, study = name.partition("/")
    if not slash or technology not in registry.record_sets():
        have = ", ".join(registry.record_sets())
        raise DataError(f"no record {name!r}; give a .json file, or TECH/CIRCUIT.STUDY with TECH one of {have}")
    return registry.load_record(technology, study)


def _conditions(texts: Mapping[str, str]) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for name, value in texts.items():
        try:
            found[name] = units.parse(value)
        except ParameterError:
            found[name] = value
    return found


@click.command("export", cls=command_options.Command)
@click.argument("record")
@click.option("--to", "target", required=True, metavar="FORMAT", help="Format; see --list.")
@click.option(
    "-o", "--out", default=".", show_default=True, type=click.Path(path_type=Path), help="Folder to write to."
)
@click.option("--model", help="Model to export; by default the best model that the format can express.")
@assignments("--at", help="Condition of the fit, for example corner=ss or temp=85.")
@click.option(
    "--companions", help="Packaged set or folder with other records the format needs; the record's set by default."
)
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="List all formats.")
def export(
    record: str, target: str, out: Path, model: str | None, at: Mapping[str, str], companions: str | None
) -> None:
    """Write RECORD, a .json file or a packaged record TECH/CIRCUIT.STUDY, in the format of another tool.

    Every file states its source record, the error of the fit, and the parts of the model that it leaves out.

    \b
    Example:  gaincell export gc28/gain_cell.pulse --to spice --out macro
              gaincell export gc28/gain_cell.dc --to csv --model ekv_2d
              gaincell export --list
    """
    chosen = exports.load_target(target)
    if companions is not None and not chosen.needs_others:
        raise ParameterError(f"--companions has no effect here: {target} needs no other record")
    tables.check_folder(out)
    for path in exports.export(_record(record), target, out, model=model, companions=companions, at=_conditions(at)):
        note(str(path))


COMMANDS = (export,)
