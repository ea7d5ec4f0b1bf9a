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

_COLUMNS, _UNITS = Assignments("NAME=COLUMN", several=True), Assignments("NAME=UNIT", several=True)


@click.command("fit", cls=command_options.Command)
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The record to write, a .json file."
)
@click.option("--model", "models", multiple=True, help="Model to fit; by default all models that the data determine.")
@click.option("--circuit", help="Circuit of the data, if the file does not state it.")
@click.option("--bench", help="Bench of the data, if the file does not state it; by default the bench of --model.")
@click.option(
    "--map",
    "columns",
    metavar="NAME=COLUMN,...",
    default="",
    type=_COLUMNS,
    help="Column of each input and output, as v_store=Vst,i_bl=Id.",
)
@click.option(
    "--units", metavar="NAME=UNIT,...", default="", type=_UNITS, help="Units of columns, as i_bl=uA; SI by default."
)
@assignments("--set", "settings", help="Parameter that the file does not state, as vdd=1.2.")
@click.option("--sigma", metavar="COLUMN", default="", help="Column with the standard deviation of the output.")
@click.option(
    "--nan",
    type=click.Choice(policies.NAN),
    default="refuse",
    show_default=True,
    help="Rows without a number: refuse the table, or omit the rows.",
)
@click.option(
    "--outliers",
    type=click.Choice(policies.OUTLIERS),
    default="keep",
    show_default=True,
    help="Points with a residual above five robust standard deviations: use, give less weight, or omit.",
)
@click.option(
    "--duplicates",
    type=click.Choice(policies.DUPLICATES),
    default="refuse",
    show_default=True,
    help="Repeated points: refuse the table, average, or use all.",
)
@click.option(
    "--from", "technology", help="Source of the data in the record, if the file does not state its technology."
)
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
    """Fit compact models to DATA, a table of gaincell sweep or of any other source.

    Other tables need --circuit, --bench or --model, and --map with the column of each input and output.
    Formats: NetCDF, CSV, Parquet, .npz, .npy, raw files of ngspice and LTspice.

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
