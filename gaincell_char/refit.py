"""A table from a file -> a record: the fits of the main job, on data that come from elsewhere."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import registry
from .circuit import Bench, Circuit
from .errors import DataError
from .fit import fit_all
from .netlist import numbers
from .plan import CONDITIONS
from .record import Record, make_record
from .store import Table


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
        If the table does not say what it is, nothing can be fitted to it, or a model that was asked for cannot.
    """
    owner = registry.load_circuit(_belongs(circuit, table, "circuit", where))
    chosen = owner.bench(_belongs(bench, table, "bench", where))
    attrs = {**_unknown_origin(owner, chosen), **table.attrs}
    params = numbers(json.loads(attrs["parameters"]))
    dims = table.dims or tuple(name for name in map(str, table.frame) if _is_dim(name, owner, chosen))
    units = {output.name: output.unit for output in chosen.outputs}
    wanted = [owner.model(name) for name in models] or [m for m in owner.models if m.bench == chosen.name]
    fits, left_out = fit_all(wanted, table.frame, dims, params, units)
    if not fits or (models and left_out):
        raise DataError(f"{where}: {'; '.join(left_out) or 'the bench has no models'}")
    return make_record(attrs=attrs, study=chosen.name, fits=fits, numerics={}), left_out


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
        "circuit": circuit.name, "bench": bench.name, "technology": "", "technology_digest": "", "plan_digest": "",
        "parameters": json.dumps(values), "options": "{}", "simulator": "", "package": "",
        "n_points": 0, "n_ok": 0, "n_failed": 0,
    }  # fmt: skip
