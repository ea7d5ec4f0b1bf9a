"""Any table -> a record: name columns, convert units, check values, fit models."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from ..declare.parameters import numbers
from ..errors import DataError
from ..fitting.fit import Fit
from ..fitting.record import Record
from ..storage.untrusted import LONGEST_TEXT, printable
from ..sweeping.arguments import check_words
from ..sweeping.axes import CONDITIONS
from ..sweeping.run import OK
from .clean_table import ModelTask, clean_table, find_declared, is_swept
from .fit_points import ModelFits, fit_points, name_simpler_models
from .reading import Reading
from .table_origin import FitRequest, Subject, find_parameters, find_subject, read_origin, state_provenance
from .table_source import Data, TableSource, read_source

_UNSTATED_TEMP_DEGC = 27.0
"""Temperature of a table without a column ``temp`` [degC]."""
_AS_IT_STANDS = Reading()


def fit_table(
    data: Data,
    *,
    circuit: str | None = None,
    bench: str | None = None,
    models: Sequence[str] = (),
    technology: str | None = None,
    reading: Reading = _AS_IT_STANDS,
) -> tuple[Record, list[str]]:
    """Fit models to a table of any source.

    Parameters
    ----------
    data : Path, str, DataFrame, Dataset or Table
        A file that `read_source` can read, or a table in memory.
    circuit, bench : str, optional
        Circuit and bench of the table, if it does not state them; by default the bench of `models`.
    models : sequence of str
        Models to fit, all of one bench; by default all models that the data determine.
    technology : str, optional
        Source of the data in the record, if the table does not state its technology; ``"measured"`` by default.
    reading : Reading
        Columns, units, and policies for invalid rows.

    Returns
    -------
    record : Record
        The fits.  ``provenance`` is taken from the attributes of the table.  If it has none, or `reading` is not the
        default, ``provenance.source`` names the file, its hash, and the changes to the table.
    remarks : list of str
        Points left out, averaged, or missing from the grid, and models left out.

    Raises
    ------
    ParameterError, DataError
        If a name is unknown, an argument contradicts the table, a column is missing, has another unit or implausible
        values, a policy refuses rows of the table, or the data determine no model or not a named one.
    """
    asked = FitRequest(circuit=circuit, bench=bench, models=check_words("models", models), technology=technology)
    source = read_source(data)
    return _fit_source(source, find_subject(source, asked), asked, reading)


def _fit_source(source: TableSource, subject: Subject, asked: FitRequest, reading: Reading) -> tuple[Record, list[str]]:
    origin = read_origin(source, subject, asked)
    renamed = _rename_columns(source, reading, subject)
    parameters = find_parameters(source, renamed, subject, origin, reading.fixed)
    if not asked.models:
        own = tuple(subject.circuit.stand_in(model, parameters) for model in subject.models)
        subject = replace(subject, models=own)
    frame, remarks = _leave_out_failed(renamed, source.where)
    tasks = _list_tasks(source, renamed, subject, reading)
    found = _fit_models(tasks, frame, {"temp": _UNSTATED_TEMP_DEGC, **numbers(parameters)}, named=bool(asked.models))
    if not found.fits or (asked.models and found.left_out):
        raise DataError(f"{source.where}: {'; '.join(found.left_out) or 'the bench has no models'}")
    remarks = list(dict.fromkeys([*remarks, *found.remarks]))
    said = "" if source.attrs and reading.is_plain else _describe(source, reading, remarks)
    record = Record(
        circuit=subject.circuit.name,
        bench=subject.bench.name,
        study=subject.bench.name,
        technology=origin.technology,
        parameters=parameters,
        fits=found.fits,
        provenance=state_provenance(source, origin, said, min(_count_used(found.fits), len(frame))),
    )
    return record, [*remarks, *(f"left out: {reason}" for reason in found.left_out)]


def _rename_columns(source: TableSource, reading: Reading, subject: Subject) -> pd.DataFrame:
    """Rename the columns to the names of the circuit; refuse a name that the table does not have."""
    frame = source.frame
    _check_names(reading, subject)
    asked = [*reading.columns.items(), *([("--sigma", reading.sigma)] if reading.sigma else [])]
    for ours, theirs in asked:
        if theirs not in frame:
            have = ", ".join(map(str, frame.columns))
            raise DataError(f"{source.where}: no column {theirs!r} for {ours}; it has {have}")
    taken = {ours: frame[theirs] for ours, theirs in reading.columns.items()}
    kept = [name for name in map(str, frame) if name not in {*taken, *reading.columns.values()}]
    renamed = pd.DataFrame({**{name: frame[name] for name in kept}, **taken})
    if unknown := reading.units.keys() - renamed.columns:
        raise DataError(f"{source.where}: units of {', '.join(sorted(unknown))}, which is not a column of the table")
    return renamed


def _check_names(reading: Reading, subject: Subject) -> None:
    """Refuse a name that the circuit does not declare: an option for it would have no effect."""
    for option, names in (("--map", reading.columns), ("--units", reading.units)):
        for name, value in names.items():
            if name not in CONDITIONS and find_declared(subject.circuit, subject.bench, name) is None:
                have = [*(output.name for output in subject.bench.outputs), *subject.circuit.params, *CONDITIONS]
                have += [*subject.bench.params, *([subject.bench.curve.name] if subject.bench.curve else [])]
                raise DataError(
                    f"{option} {name}={value}: {subject.circuit.name}, bench {subject.bench.name}, has no input, "
                    f"output or condition {name!r}; have {', '.join(have)}"
                )


def _list_dims(source: TableSource, frame: pd.DataFrame, subject: Subject, columns: Mapping[str, str]) -> list[str]:
    """Swept columns: those that the table names, then all others that can be swept."""
    ours = {theirs: name for name, theirs in columns.items()}
    said = [ours.get(name, name) for name in source.dims]
    known = [name for name in map(str, frame) if is_swept(subject.circuit, subject.bench, name)]
    if source.attrs and (
        unknown := [name for name in said if name not in known]
    ):  # in other tables, a dimension may be a row number
        raise DataError(
            f"{source.where}: column {unknown[0]} is not a parameter of {subject.circuit.name}, bench "
            f"{subject.bench.name}; name the columns with --map"
        )
    return [*(name for name in said if name in known), *(name for name in known if name not in said)]


def _leave_out_failed(frame: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Rows with status "ok", if there is a column ``status``; and a remark on the others."""
    if "status" not in frame:
        return frame, []
    good = frame["status"].astype(str).str.lower() == OK
    if not good.any():
        raise DataError(f"{where}: no row has status {OK!r}: there is nothing to fit")
    return frame[good], [f"{int((~good).sum())} rows whose status is not {OK!r} left out"] if not good.all() else []


def _list_tasks(source: TableSource, frame: pd.DataFrame, subject: Subject, reading: Reading) -> list[ModelTask]:
    """One task per model."""
    dims = _list_dims(source, frame, subject, reading.columns)
    return [
        ModelTask(
            model=model, circuit=subject.circuit, bench=subject.bench, dims=dims, reading=reading, where=source.where
        )
        for model in subject.models
    ]


def _fit_models(
    tasks: Sequence[ModelTask], frame: pd.DataFrame, params: Mapping[str, float], *, named: bool
) -> ModelFits:
    """Fit every model at every condition of the table; if models were `named`, a failure names simpler ones."""
    found = ModelFits()
    for task in tasks:
        if missing := task.explain_missing(frame):
            found.left_out.append(missing)
            continue
        ready, remarks = clean_table(frame, task)
        one = fit_points(ready, task, params)
        found.fits.extend(one.fits)
        found.remarks.extend([*remarks, *one.remarks])
        simpler = name_simpler_models(task) if named and not one.fits else ""
        found.left_out.extend(f"{reason}{simpler}" for reason in one.left_out)
    return found


def _count_used(fits: Sequence[Fit]) -> int:
    """Largest number of points that a model was fitted to."""
    return max(fit.fitted.n for fit in fits if fit.fitted)


def _describe(source: TableSource, reading: Reading, remarks: Sequence[str]) -> str:
    return printable("; ".join([source.describe(), json.dumps(reading.describe()), *remarks]))[:LONGEST_TEXT]
