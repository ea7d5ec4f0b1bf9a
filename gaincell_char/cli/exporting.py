"""The command ``gaincell export``."""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.table import Table

from .. import export as exports
from .. import registry, si
from ..errors import CharError, DataError, ParameterError
from ..record import Record, read_record
from .console import OUT, note, table


def _formats() -> Table:
    rows = table("format", "what it is")
    for target in map(exports.load_target, exports.export_names()):
        rows.add_row(target.name, target.doc)
    return rows


def _list(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        OUT.print(_formats())
        context.exit()


def _record(name: str) -> Record:
    """A file, or TECH/CIRCUIT.STUDY of a packaged record."""
    if name.endswith(".json") or Path(name).is_file():
        return read_record(name)
    technology, slash, study = name.partition("/")
    if not slash or technology not in registry.record_sets():
        have = ", ".join(registry.record_sets())
        raise DataError(f"no record {name!r}; give a .json file, or TECH/CIRCUIT.STUDY with TECH one of {have}")
    return registry.load_record(technology, study)


def _conditions(texts: Sequence[str]) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise ParameterError(f"{text!r}: write NAME=VALUE")
        try:
            found[name] = si.parse(value)
        except CharError:
            found[name] = value
    return found


@click.command("export")
@click.argument("record")
@click.option("--to", "target", required=True, metavar="FORMAT", help="Format; --list shows all.")
@click.option("--out", default=".", show_default=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option("--model", help="Model to export; the best one that the format can express by default.")
@click.option("--at", multiple=True, metavar="NAME=VALUE", help="Condition of the fit, as corner=ss or temp=85.")
@click.option(
    "--companions", help="Packaged set or folder with other records that a format reads; the record's set by default."
)
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="Show all formats.")
def export(
    record: str, target: str, out: Path, model: str | None, at: Sequence[str], companions: str | None
) -> None:  # fmt: skip
    """Write RECORD, a .json file or TECH/CIRCUIT.STUDY of a packaged record, in the format of another tool.

    Every file says which record it was made from, the error of its fit, and what the format does not express.

    \b
    Example:  gaincell export gc28/gain_cell.pulse --to spice --out macro
              gaincell export gc28/gain_cell.dc --to csv --model ekv_2d
              gaincell export --list
    """
    found = _record(record)
    for path in exports.export(found, target, out, model=model, companions=companions, **_conditions(at)):
        note(str(path))


COMMANDS = (export,)
