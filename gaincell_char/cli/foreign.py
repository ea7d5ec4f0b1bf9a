"""What ``fit`` does with a table from elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import click

from .. import registry
from ..errors import DataError, ParameterError, RequestError
from ..storage import foreign_tables, tables
from ..workflows import clean_foreign, fit_foreign, fit_table
from . import listings, requests
from .assignments import Assignments, Command, assignments
from .console import OUT, note, say

_PAIRS = Assignments("OURS=THEIRS", several=True)
_OPTIONS = (
    click.option(
        "--map",
        "columns",
        metavar="OURS=THEIRS,...",
        default="",
        type=_PAIRS,
        help="Which column is what, as v_store=Vst,i_bl=Id.",
    ),
    click.option(
        "--units",
        metavar="OURS=UNIT,...",
        default="",
        type=_PAIRS,
        help="Units of columns, as i_bl=uA; SI if not given.",
    ),
    assignments("--set", "settings", help="What the table lacks, as vdd=1.2."),
    click.option("--sigma", metavar="COLUMN", default="", help="Standard deviation of the output, point by point."),
    click.option(
        "--nan",
        type=click.Choice(clean_foreign.NAN),
        default="refuse",
        show_default=True,
        help="Rows without a number.",
    ),
    click.option(
        "--outliers",
        type=click.Choice(clean_foreign.OUTLIERS),
        default="keep",
        show_default=True,
        help="Points five robust standard deviations off: fit, weigh down, or leave out.",
    ),
    click.option(
        "--duplicates",
        type=click.Choice(clean_foreign.DUPLICATES),
        default="refuse",
        show_default=True,
        help="Points that stand there twice.",
    ),
    click.option("--from", "technology", default="measured", help="What the record calls its source."),
)


def OPTIONS(command: Command) -> Command:  # noqa: N802  used as the other options are
    """Add every option of this kind to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, kw_only=True)
class ForeignOptions:
    """Values of these options: ``columns`` maps our names to theirs, ``units`` our names to units."""

    columns: Mapping[str, str]
    units: Mapping[str, str]
    settings: Mapping[str, str]
    sigma: str
    nan: str
    outliers: str
    duplicates: str
    technology: str


def is_meant(context: click.Context, data: Path) -> bool:
    """Whether a table is from elsewhere: its ending is none of ours, or one of these options says how to read it.

    Raises
    ------
    ParameterError
        If such an option is given for a file that only this program writes.
    """
    names = tuple(field.name for field in fields(ForeignOptions))
    if data.suffix not in foreign_tables.ENDINGS:
        requests.refuse(context, names, f"a {data.suffix or 'nameless'} table is one that gaincell sweep wrote")
        return False
    return data.suffix not in tables.FORMATS or requests.is_given(context, names)


def fit(
    data: Path,
    output: Path,
    models: Sequence[str],
    circuit: str | None,
    bench: str | None,
    options: ForeignOptions,
) -> None:
    """Fit, write the record, and print how well it went.

    Raises
    ------
    RequestError
        If circuit or model is not named, or something cannot be read or written.
    ParameterError
        If a name is unknown, or a value of another kind or out of range.
    DataError
        If the table contains something else than the models need.
    """
    if not circuit or not models:
        raise RequestError(f"{data}: a table from elsewhere needs --circuit NAME and --model NAME")
    _check_belongs(data, circuit, bench)
    owner = registry.load_circuit(circuit)
    for model in map(owner.model, models):
        if bench is not None and owner.bench(bench).name != model.bench:
            raise ParameterError(f"--bench {bench}: model {model.name} is of bench {model.bench}")
    reading = clean_foreign.Reading(
        columns=options.columns,
        units=options.units,
        set_=requests.settings(owner, owner.model(models[0]).bench, options.settings),
        sigma=options.sigma,
        nan=options.nan,
        outliers=options.outliers,
        duplicates=options.duplicates,
    )
    record, remarks = fit_foreign.fit_external(data, circuit, models, reading, technology=options.technology)
    for remark in remarks:
        say(remark)
    tables.write_text(output, record.to_json())
    OUT.print(listings.fits(record))
    note(f"record in {output}")


def _check_belongs(data: Path, circuit: str, bench: str | None) -> None:
    """Refuse what contradicts a table that gaincell sweep wrote, if it is one."""
    if data.suffix not in tables.FORMATS:
        return
    try:
        table = tables.read_table(data)
    except DataError:  # a table from elsewhere, which has a reader of its own
        return
    fit_table.check_belongs(table, data, circuit=circuit, bench=bench)
