"""The command ``fit``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..errors import RequestError
from ..storage import tables
from ..workflows import fit_table
from . import command_options, foreign, listings, requests
from .console import OUT, note, say


@click.command("fit", cls=command_options.Command)
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The record to write, a .json file."
)
@click.option("--model", "models", multiple=True, help="Model to fit; every one that the data determine by default.")
@click.option("--circuit", help="Circuit the data belong to, if the file does not say.")
@click.option("--bench", help="Bench the data belong to, if the file does not say.")
@foreign.OPTIONS
@click.pass_context
def fit_(
    context: click.Context,
    /,
    data: Path,
    output: Path,
    models: Sequence[str],
    circuit: str | None,
    bench: str | None,
    **elsewhere: Any,
) -> None:
    """Fit compact models to DATA: a table that gaincell sweep wrote, or one from elsewhere.

    Measurements and other simulators' tables need --circuit, --model and --map: which of their columns is what.
    CSV, Parquet, .npz and .npy, raw files of ngspice and LTspice.

    \b
    Example:  gaincell fit current.csv -o current.json
              gaincell fit lab.csv -o lab.json --circuit gain_cell --model cubic \\
                --map v_store=Vst,i_bl=Id --units v_store=mV,i_bl=uA
    """
    if output.suffix != ".json":
        raise RequestError(f"{output}: a record is a .json file")
    tables.check_writable(output)
    if foreign.is_meant(context, data):
        options = requests.choose(foreign.ForeignOptions, elsewhere)
        foreign.fit(data, output, models, circuit, bench, options)
        return
    table = tables.read_table(data)
    record, left_out = fit_table.fit_table(table, data, circuit=circuit, bench=bench, models=models)
    for reason in left_out:
        say(f"left out: {reason}")
    tables.write_text(output, record.to_json())
    OUT.print(listings.fits(record))
    note(f"record in {output}")


COMMANDS = (fit_,)
