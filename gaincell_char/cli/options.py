"""Options that several commands have; what is wrong with one is said before anything starts."""

from pathlib import Path

import click

from .. import registry
from ..pool import check_timeout


def _timeout(_context: click.Context, _parameter: click.Parameter, value: float) -> float:
    return check_timeout(value)


TECH = click.option(
    "--tech", default=registry.DEFAULT_TECHNOLOGY, show_default=True, help="Technology: name or folder."
)
WORKERS = click.option("--workers", type=click.IntRange(1, 256), help="Simulator processes; one per core by default.")
TIMEOUT = click.option(
    "--timeout", default=60.0, show_default=True, callback=_timeout, help="Seconds after which a run is ended."
)
SET = click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Hold a parameter at a value.")
NETLIST = click.option(
    "--netlist", type=click.Path(path_type=Path), help="A file that defines the circuit's subcircuit, instead of ours."
)
AXIS = click.option(
    "--axis", "axes", multiple=True, metavar="NAME=SPEC", help="START:STOP:COUNT, START:STOP:COUNT:log or V1,V2."
)
CORNERS = click.option("--corner", default="tt", show_default=True, help="Process corners, as tt,ff,ss.")
TEMPS = click.option("--temp", default="27", show_default=True, help="Temperatures in degC, as 27,85.")
OPTION = click.option(
    "--option", "simulator_options", multiple=True, metavar="NAME=VALUE", help="Simulator option, as reltol=1e-6."
)
INTERRUPTS = click.pass_obj
"""The command receives the `Interrupts` that are in force."""
