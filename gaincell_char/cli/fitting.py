"""The command ``fit``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from ..errors import RequestError
from ..storage import tables
from ..workflows import reading as policies
from ..workflows.fit_table import fit_table
from . import command_options, listings
from .assignments import Assignments, assignments
from .console import OUT, note, say

_PAIRS = Assignments("OURS=THEIRS", several=True)


@click.command("fit", cls=command_options.Command)
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The record to write, a .json file."
)
@click.option("--model", "models", multiple=True, help="Model to fit; every one that the data determine by default.")
@click.option("--circuit", help="Circuit the data belong to, if the file does not say.")
@click.option("--bench", help="Bench the data belong to, if the file does not say; that of --model by default.")
@click.option(
    "--map",
    "columns",
    metavar="OURS=THEIRS,...",
    default="",
    type=_PAIRS,
    help="Which column is what, as v_store=Vst,i_bl=Id.",
)
@click.option(
    "--units", metavar="OURS=UNIT,...", default="", type=_PAIRS, help="Units of columns, as i_bl=uA; SI if not given."
)
@assignments("--set", "settings", help="What the table does not say, as vdd=1.2.")
@click.option("--sigma", metavar="COLUMN", default="", help="Standard deviation of the output, point by point.")
@click.option(
    "--nan",
    type=click.Choice(policies.NAN),
    default="refuse",
    show_default=True,
    help="Rows without a number.",
)
@click.option(
    "--outliers",
    type=click.Choice(policies.OUTLIERS),
    default="keep",
    show_default=True,
    help="Points five robust standard deviations off: fit, weigh down, or leave out.",
)
@click.option(
    "--duplicates",
    type=click.Choice(policies.DUPLICATES),
    default="refuse",
    show_default=True,
    help="Points that stand there twice.",
)
@click.option("--from", "technology", help="What the record calls its source, if the file does not say.")
def fit_(
    data: Path,
    output: Path,
    models: Sequence[str],
    circuit: str | None,
    bench: str | None,
    columns: Mapping[str, str],
    units: Mapping[str, str],
    settings: Mapping[str, str],
    sigma: str,
    nan: str,
    outliers: str,
    duplicates: str,
    technology: str | None,
) -> None:
    """Fit compact models to DATA: a table that gaincell sweep wrote, or one from elsewhere.

    A table from elsewhere needs --circuit, --bench or --model, and --map: which of its columns is what.
    NetCDF, CSV, Parquet, .npz and .npy, raw files of ngspice and LTspice.

    \b
    Example:  gaincell fit current.csv -o current.json
              gaincell fit lab.csv -o lab.json --circuit gain_cell --model cubic \\
                --map v_store=Vst,i_bl=Id --units v_store=mV,i_bl=uA
    """
    if output.suffix != ".json":
        raise RequestError(f"{output}: a record is a .json file")
    tables.check_writable(output)
    reading = policies.Reading(
        columns=columns,
        units=units,
        fixed=settings,
        sigma=sigma,
        nan=nan,
        outliers=outliers,
        duplicates=duplicates,
    )
    record, remarks = fit_table(
        data, circuit=circuit, bench=bench, models=models, technology=technology, reading=reading
    )
    for remark in remarks:
        say(remark)
    tables.write_text(output, record.to_json())
    OUT.print(listings.fits(record))
    note(f"record in {output}")


COMMANDS = (fit_,)
