"""A table from a file -> a record: the fits of the main job, on data that come from elsewhere."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from .. import registry
from ..declare.bench import Bench
from ..declare.circuit import Circuit
from ..declare.parameters import Choice, numbers
from ..errors import DataError
from ..fitting.fit import fit_all
from ..fitting.record import Origin, Record, make_record
from ..storage.foreign_tables import check_temps, numeric
from ..storage.tables import Table, shown_path
from ..storage.untrusted import printable
from ..sweeping.axes import CONDITIONS


def fit_table(
    table: Table, where: Path, *, circuit: str | None, bench: str | None, models: Sequence[str]
) -> tuple[Record, list[str]]:
    """Fit a table that was read from a file.

    Parameters
    ----------
    where : Path
        The file, for messages.
    circuit, bench : str, optional
        What the table belongs to, if it does not say.
    models : sequence of str
        Models to fit; all that the data determine if empty.

    Returns
    -------
    record : Record
        Everything that was fitted.
    left_out : list of str
        Why the other models were not.

    Raises
    ------
    DataError
        If the table does not say what it is, or says something else than is asked for; if nothing can be fitted to
        it, or a model that was asked for cannot.
    """
    check_belongs(table, where, circuit=circuit, bench=bench)
    owner = registry.load_circuit(_belongs(circuit, table, "circuit", where))
    chosen = owner.bench(_belongs(bench, table, "bench", where))
    origin = Origin.from_attrs({**_unknown_origin(owner, chosen), **table.attrs}, shown_path(where))
    params = numbers(origin.parameters)
    dims = table.dims or tuple(name for name in map(str, table.frame) if _is_dim(name, owner, chosen))
    if unknown := [name for name in dims if not _is_dim(name, owner, chosen)]:
        raise DataError(
            f"{shown_path(where)}: column {unknown[0]} is no parameter of {owner.name}, bench {chosen.name}; "
            "say which column is what with --map"
        )
    units = {output.name: output.unit for output in chosen.outputs}
    wanted = [owner.model(name) for name in models] or [m for m in owner.models if m.bench == chosen.name]
    frame = _checked(table.frame, {*dims, *units}, owner, chosen, shown_path(where))
    fits, left_out = fit_all(wanted, frame, dims, params, units)
    if not fits or (models and left_out):
        raise DataError(f"{shown_path(where)}: {'; '.join(map(str, left_out)) or 'the bench has no models'}")
    return make_record(origin=origin, study=chosen.name, fits=fits, numerics={}), [str(one) for one in left_out]


def _checked(frame: pd.DataFrame, names: Collection[str], circuit: Circuit, bench: Bench, where: str) -> pd.DataFrame:
    """The table with numbers where numbers belong."""
    words = {"corner", *(name for name, p in (circuit.params | bench.params).items() if isinstance(p, Choice))}
    checked = {
        str(name): numeric(frame[name], str(name), where) if name in names and name not in words else frame[name]
        for name in frame
    }
    check_temps(checked.get("temp"), where)
    return pd.DataFrame(checked)


def check_belongs(table: Table, where: Path, **asked: str | None) -> None:
    """Raise `DataError` if a table says that it belongs to another circuit or bench than is asked for."""
    for what, name in asked.items():
        there = table.attrs.get(what)
        if name and there and str(there) != name:
            raise DataError(
                f"--{what} {name}: {shown_path(where)} is of {what} {printable(str(there))}; leave --{what} out, or "
                "choose another table"
            )


def _belongs(said: str | None, table: Table, what: str, where: Path) -> str:
    found = said or table.attrs.get(what)
    if not found:
        raise DataError(f"{where} does not say which {what} it belongs to; add --{what} NAME")
    return str(found)


def _is_dim(name: str, circuit: Circuit, bench: Bench) -> bool:
    curve = bench.curve.name if bench.curve else ""
    return name in CONDITIONS or name in (circuit.params | bench.params) or name == curve


def _unknown_origin(circuit: Circuit, bench: Bench) -> dict[str, Any]:
    """Attributes of a table that brings none: the circuit's defaults, and no simulator."""
    values = (circuit.params | bench.params).resolve({})
    return {
        "circuit": circuit.name,
        "bench": bench.name,
        "technology": "",
        "technology_digest": "",
        "plan_digest": "",
        "parameters": json.dumps(values),
        "options": "{}",
        "simulator": "",
        "package": "",
        "n_points": 0,
        "n_ok": 0,
        "n_failed": 0,
    }
