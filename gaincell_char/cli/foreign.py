"""What ``fit`` does with a table from elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import click

from .. import registry
from ..errors import DataError, ParameterError, RequestError
from ..storage import foreign_tables, tables
from ..workflows import clean_foreign, fit_foreign, fit_table
from . import listings, requests
from .console import OUT, note, say

_PAIRS = "OURS=THEIRS,..."
_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--map", "columns", metavar=_PAIRS, default="", help="Which column is what, as v_store=Vst,i_bl=Id."),
    click.option("--units", metavar="OURS=UNIT,...", default="", help="Units of columns, as i_bl=uA; SI if not given."),
    click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="What the table lacks, as vdd=1.2."),
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


def OPTIONS(command: Any) -> Any:  # noqa: N802  used as the other options are
    """Add every option of this kind to a command."""
    return reduce(lambda wrapped, option: option(wrapped), reversed(_OPTIONS), command)


def is_meant(context: click.Context, data: Path, elsewhere: Mapping[str, Any]) -> bool:
    """Whether a table is from elsewhere: its ending is none of ours, or one of these options says how to read it.

    Raises
    ------
    ParameterError
        If such an option is given for a file that only this program writes.
    """
    if data.suffix not in foreign_tables.ENDINGS:
        requests.refuse(
            context, tuple(elsewhere), f"a {data.suffix or 'nameless'} table is one that gaincell sweep wrote"
        )
        return False
    return data.suffix not in tables.FORMATS or requests.is_given(context, tuple(elsewhere))


def fit(
    data: Path,
    output: Path,
    models: Sequence[str],
    circuit: str | None,
    bench: str | None,
    elsewhere: Mapping[str, Any],
) -> None:
    """Fit, write the record, and print how well it went."""
    if not circuit or not models:
        raise RequestError(f"{data}: a table from elsewhere needs --circuit NAME and --model NAME")
    _check_belongs(data, circuit, bench)
    owner = registry.load_circuit(circuit)
    for model in map(owner.model, models):
        if bench is not None and owner.bench(bench).name != model.bench:
            raise ParameterError(f"--bench {bench}: model {model.name} is of bench {model.bench}")
    reading = clean_foreign.Reading(
        columns=_pairs(elsewhere["columns"]),
        units=_pairs(elsewhere["units"]),
        set_=requests.settings(owner, owner.model(models[0]).bench, elsewhere["settings"]),
        **{name: elsewhere[name] for name in ("sigma", "nan", "outliers", "duplicates")},
    )
    record, remarks = fit_foreign.fit_external(data, circuit, models, reading, technology=elsewhere["technology"])
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


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in requests.words(text, "--map") if text else ():
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not (name and equals and value):
            raise ParameterError(f"{pair!r}: write OURS=THEIRS, several with commas between them")
        if name in found:
            raise ParameterError(f"{name} is given twice")
        found[name] = value
    return found
