"""Somebody else's table -> a record like any other: columns named, units converted, ranges checked, models fitted."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from .. import __version__, registry
from ..declare.bench import Bench, Floats
from ..declare.circuit import Circuit
from ..declare.model import Model
from ..declare.parameters import numbers
from ..errors import DataError, ParameterError
from ..fitting.fit import Fit, fit_model
from ..fitting.points import SIGMA, Selection, select
from ..fitting.record import Provenance, Record
from ..storage.foreign_tables import read_columns
from ..storage.tables import shown_path
from ..storage.untrusted import LONGEST_TEXT, check_source, printable
from ..sweeping.run import OK
from .clean_foreign import ForeignFit, Reading, clean_table

_OUTLIER_SIGMAS = 5.0
"""A point is an outlier this many robust standard deviations off."""
_SIGMA_PER_MEDIAN = 1.4826
"""Standard deviation of a normal quantity, over the median of its size."""
_UNSTATED_TEMP_DEGC = 27.0
"""Temperature of a table that lists none."""


def fit_external(
    data: Path | pd.DataFrame, circuit: str, models: Sequence[str], reading: Reading, *, technology: str = "measured"
) -> tuple[Record, list[str]]:
    """Fit models to a table from elsewhere.

    Parameters
    ----------
    data : Path or DataFrame
        A file as `read_columns` reads it, or a table.
    models : sequence of str
        Models of the circuit, all of one bench.
    technology : str
        What the record says the data are from.

    Returns
    -------
    record : Record
        The fits; ``provenance.source`` names the file, its hash, and what was done to the table.
    remarks : list of str
        What a reader should know: points left out, averaged, or missing from the grid.

    Raises
    ------
    DataError, FitError
        If a column is missing, has another unit or implausible values, a policy refuses what the table holds, or the
        data do not determine a model.
    """
    owner = registry.load_circuit(circuit)
    chosen, bench = _of_one_bench(owner, models)
    _check_source(technology)
    read, where = (read_columns(data), shown_path(data)) if isinstance(data, Path) else (data, "table")
    frame, remarks = _without_failed(_renamed(read, reading, where), where)
    fixed = (owner.params | bench.params).resolve(reading.set_)
    tasks = [ForeignFit(model=model, circuit=owner, bench=bench, reading=reading, where=where) for model in chosen]
    fits, remarks = _fit_all(tasks, frame, {"temp": _UNSTATED_TEMP_DEGC, **numbers(fixed)}, remarks)
    record = Record(
        circuit=circuit,
        bench=bench.name,
        study=bench.name,
        technology=technology,
        parameters={name: value for name, value in fixed.items() if name not in frame},
        fits=fits,
        provenance=_provenance(_source(data, reading, remarks), len(read), min(_most_used(fits), len(frame))),
    )
    return record, remarks


def _fit_all(
    tasks: Sequence[ForeignFit], frame: pd.DataFrame, params: Mapping[str, float], remarks: Sequence[str]
) -> tuple[list[Fit], list[str]]:
    """Every fit, and each remark once."""
    fits: list[Fit] = []
    said = list(remarks)
    for task in tasks:
        ready, said_of_table = clean_table(frame, task)
        found, said_of_fit = _fit(ready, task, params)
        fits += found
        said += [*said_of_table, *said_of_fit]
    return fits, list(dict.fromkeys(said))


def _most_used(fits: Sequence[Fit]) -> int:
    """Largest number of points that a fit used."""
    return max(fit.fitted.n for fit in fits if fit.fitted)


def _provenance(source: str, n_points: int, n_used: int) -> Provenance:
    return Provenance(
        source=source,
        package=f"gaincell-char {__version__}",
        n_points=n_points,
        n_ok=n_used,
        n_failed=n_points - n_used,
    )


def _check_source(name: str) -> None:
    try:
        check_source(name)
    except ValueError as error:
        raise ParameterError(f"the source of the data: {error}") from None


def _without_failed(frame: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
    """The rows of points that did not fail, by a column ``status``; and what is left out."""
    if "status" not in frame:
        return frame, []
    good = frame["status"].astype(str).str.lower() == OK
    if not good.any():
        raise DataError(f"{where}: no row has status {OK!r}: there is nothing to fit")
    return frame[good], [f"{int((~good).sum())} rows whose status is not {OK!r} left out"] if not good.all() else []


def _of_one_bench(circuit: Circuit, names: Sequence[str]) -> tuple[list[Model], Bench]:
    chosen = [circuit.model(name) for name in names]
    if len({model.bench for model in chosen}) != 1:
        have = f"have {', '.join(m.name for m in circuit.models)}"
        said = ", ".join(f"{m.name} is of {m.bench}" for m in chosen) or have
        raise DataError(f"{circuit.name}: name models of one bench; {said}")
    return chosen, circuit.bench(chosen[0].bench)


def _source(data: Path | pd.DataFrame, reading: Reading, remarks: Sequence[str]) -> str:
    what = "a table in memory"
    if isinstance(data, Path):
        what = f"{printable(data.name)}, sha256 {hashlib.sha256(data.read_bytes()).hexdigest()}"
    said = {
        "columns": dict(reading.columns),
        "units": dict(reading.units),
        "sigma": reading.sigma,
        "nan": reading.nan,
        "outliers": reading.outliers,
        "duplicates": reading.duplicates,
    }
    return printable("; ".join([what, json.dumps(said), *remarks]))[:LONGEST_TEXT]


def _renamed(frame: pd.DataFrame, reading: Reading, where: str) -> pd.DataFrame:
    asked = [*reading.columns.items(), *([("--sigma", reading.sigma)] if reading.sigma else [])]
    for ours, theirs in asked:
        if theirs not in frame:
            raise DataError(f"{where}: no column {theirs!r} for {ours}; it has {', '.join(map(str, frame.columns))}")
    taken = set(reading.columns.values())
    named = {str(name): frame[name] for name in frame if str(name) not in {*reading.columns, *taken}}
    return pd.DataFrame({**named, **{ours: frame[theirs] for ours, theirs in reading.columns.items()}})


def _fit(ready: pd.DataFrame, task: ForeignFit, params: Mapping[str, float]) -> tuple[list[Fit], list[str]]:
    """One fit per condition of the table, and what was left out of it."""
    dims = [str(name) for name in ready if name not in (task.model.output, SIGMA)]
    try:
        selections = select(task.model, ready, dims, params)
    except DataError as error:
        simpler = ", ".join(_simpler_models(task))
        raise DataError(f"{error}; fewer inputs: {simpler}" if simpler else str(error)) from None
    fits: list[Fit] = []
    remarks: list[str] = []
    for selection in selections:
        fit, n_outliers = _fit_selection(selection, task, params)
        fits.append(fit)
        if n_outliers:
            remarks.append(f"{n_outliers} outliers left out of {task.model.name}")
    return fits, remarks


def _simpler_models(task: ForeignFit) -> list[str]:
    models = (model for model in task.circuit.models if model.bench == task.bench.name)
    return [model.name for model in models if len(model.inputs) < len(task.model.inputs)]


def _fit_selection(selection: Selection, task: ForeignFit, params: Mapping[str, float]) -> tuple[Fit, int]:
    """The fit by the policy for outliers, and how many points are left out.

    Least squares bends towards an outlier: which points are outliers is decided against a fit that does not.
    """
    unit = task.bench.output(task.model.output).unit
    plain = fit_model(task.model, selection, params, unit)
    sigma = _robust_sigma(_residual(plain, task.model, selection))
    if task.reading.outliers == "keep" or sigma == 0:
        return plain, 0
    robust = fit_model(task.model, selection, params, unit, robust=sigma / selection.full_range)
    if task.reading.outliers == "robust":
        return robust, 0
    residual = _residual(robust, task.model, selection)
    kept = np.abs(residual) <= _OUTLIER_SIGMAS * _robust_sigma(residual)
    return fit_model(task.model, selection.part(kept), params, unit), int((~kept).sum())


def _residual(fit: Fit, model: Model, selection: Selection) -> Floats:
    predicted = np.asarray(model(*selection.inputs.values(), **fit.values()), dtype=float)
    return np.asarray(predicted - selection.output)


def _robust_sigma(residual: Floats) -> float:
    """Standard deviation of normal residuals about 0, by the median of their size, which few outliers do not move.

    Rousseeuw and Croux, J. Am. Stat. Assoc. 88, 1273 (1993).
    """
    return _SIGMA_PER_MEDIAN * float(np.median(np.abs(residual)))
