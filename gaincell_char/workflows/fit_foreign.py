"""Somebody else's table -> a record like any other: columns named, units converted, ranges checked, models fitted."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from .. import __version__, registry
from ..declare.bench import Bench, Curve, Floats, Output
from ..declare.circuit import Circuit
from ..declare.model import Model
from ..declare.parameters import Choice, Number, Values, numbers
from ..errors import DataError, ParameterError
from ..fitting.fit import Fit, fit_model
from ..fitting.points import SIGMA, Selection, select
from ..fitting.record import Provenance, Record
from ..storage.foreign_tables import check_temps, numeric, read_columns
from ..storage.tables import shown_path
from ..storage.untrusted import LONGEST_TEXT, check_source, printable
from ..sweep.axes import CONDITIONS
from ..sweep.run import OK
from ..units import parse

NAN, OUTLIERS, DUPLICATES = ("refuse", "drop"), ("keep", "robust", "drop"), ("refuse", "mean", "keep")
_FAR = 5.0
"""A point is an outlier this many robust standard deviations off, 1.4826 median |residual| each."""
_ROOM = 27.0
"""Temperature [degC] of a table that lists none."""
_PREFIXES = ("m", "u", "n", "p", "f", "a")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a foreign table is to be read.

    Attributes
    ----------
    columns : mapping of str to str
        Our name -> theirs, for inputs, output, conditions and parameters; the rest keep their names.
    units : mapping of str to str
        Our name -> the unit their column is in, as ``"uA"``; SI otherwise.
    set_ : mapping
        Value of parameters that the table does not list: supply, levels.
    sigma : str
        Their column with the standard deviation of the output, in the output's unit.
    nan, outliers, duplicates : str
        What to do with them: one of `NAN`, `OUTLIERS`, `DUPLICATES`.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    set_: Values = field(default_factory=dict)
    sigma: str = ""
    nan: str = "refuse"
    outliers: str = "keep"
    duplicates: str = "refuse"

    def __post_init__(self) -> None:
        for name, allowed in (("nan", NAN), ("outliers", OUTLIERS), ("duplicates", DUPLICATES)):
            if getattr(self, name) not in allowed:
                raise ParameterError(f"{name} = {getattr(self, name)!r} is not one of {', '.join(allowed)}")


@dataclass(frozen=True, kw_only=True)
class _Task:
    """One model, and what its columns mean."""

    model: Model
    circuit: Circuit
    bench: Bench
    reading: Reading
    where: str

    def declared(self, name: str) -> Number | Choice | Curve | Output | None:
        """What a column is, by our name for it."""
        if name == self.model.output:
            return self.bench.output(name)
        if self.bench.curve is not None and name == self.bench.curve.name:
            return self.bench.curve
        params = self.circuit.params | self.bench.params
        # An unknown name is an error of its own to Params, so .get does not do.
        return params[name] if name in params else None  # noqa: SIM401


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
    frame, left_out = _without_failed(_renamed(read, reading, where), where)
    fixed = (owner.params | bench.params).resolve(reading.set_)
    fits, remarks = list[Fit](), left_out
    for model in chosen:
        task = _Task(model=model, circuit=owner, bench=bench, reading=reading, where=where)
        ready, said_of_table = _cleaned(frame, task)
        found, said_of_fit = _fitted(ready, task, {"temp": _ROOM, **numbers(fixed)})
        fits += found
        remarks = list(dict.fromkeys([*remarks, *said_of_table, *said_of_fit]))
    used = min(max(sum(e.n for e in (fit.fitted, fit.held_out) if e) for fit in fits), len(frame))
    record = Record(
        circuit=circuit,
        bench=bench.name,
        study=bench.name,
        technology=technology,
        parameters={name: value for name, value in fixed.items() if name not in frame},
        fits=fits,
        provenance=Provenance(
            source=_source(data, reading, remarks),
            package=f"gaincell-char {__version__}",
            n_points=len(read),
            n_ok=used,
            n_failed=len(read) - used,
        ),
    )
    return record, remarks


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


def _cleaned(frame: pd.DataFrame, task: _Task) -> tuple[pd.DataFrame, list[str]]:
    """Numbers in SI units, in range, each point once; and what was left out for that."""
    columns = _columns(frame, task)
    if unknown := task.reading.units.keys() - frame.columns:
        raise DataError(f"{task.where}: units of {', '.join(sorted(unknown))}, which is no column of the table")
    ready = pd.DataFrame({name: frame[name] for name in columns})
    if task.reading.sigma:
        ready[SIGMA] = frame.get(task.reading.sigma, np.nan)
    for name in ready:
        if name != "corner" and not isinstance(task.declared(str(name)), Choice):
            ready[name] = numeric(ready[name], str(name), task.where)
    ready, remarks = _without_nan(ready, task)
    for name, unit in task.reading.units.items():
        if name in columns:
            factor = _factor(name, unit, task)
            ready[name] = ready[name] * factor
            if name == task.model.output and task.reading.sigma:
                ready[SIGMA] = ready[SIGMA] * factor
    if task.reading.sigma and not (ready[SIGMA] > 0).all():
        raise DataError(f"{task.where}: {task.reading.sigma}, the standard deviation, has to be above 0 everywhere")
    for name in columns:
        _check_range(ready, name, task)
    inputs = [name for name in columns if name != task.model.output]
    ready, more = _each_once(ready, inputs, task)
    return ready, [*remarks, *more, *_missing_points(ready, task.model)]


def _columns(frame: pd.DataFrame, task: _Task) -> list[str]:
    """Those that matter: inputs and output, and every parameter or condition that the table lists."""
    wanted = [*task.model.inputs, task.model.output]
    if missing := [name for name in wanted if name not in frame]:
        raise DataError(
            f"{task.where}: model {task.model.name} needs {', '.join(missing)}; the table has "
            f"{', '.join(map(str, frame.columns))}; say which column it is with --map {missing[0]}=COLUMN"
        )
    others = [str(name) for name in frame if str(name) in CONDITIONS or task.declared(str(name)) is not None]
    return [*wanted, *(name for name in others if name not in wanted)]


def _without_nan(ready: pd.DataFrame, task: _Task) -> tuple[pd.DataFrame, list[str]]:
    bad = ~np.isfinite(ready.select_dtypes("number").to_numpy()).all(axis=1)
    if not bad.any():
        return ready, []
    first = int(np.flatnonzero(bad)[0]) + 1
    if task.reading.nan == "refuse":
        raise DataError(
            f"{task.where}: {int(bad.sum())} rows have no number, the first is row {first}; --nan drop leaves them out"
        )
    return ready.loc[~bad], [f"{int(bad.sum())} rows without a number left out"]


def _factor(name: str, unit: str, task: _Task) -> float:
    """SI units per `unit`."""
    declared = task.declared(name)
    base = "" if declared is None else declared.unit
    if unit == base:
        return 1.0
    try:
        return parse(f"1{unit}", base)
    except ParameterError:
        raise DataError(
            f"--units {name}={unit}: {name} is in {base or '1'}; write for example {name}=m{base}"
        ) from None


def _check_range(ready: pd.DataFrame, name: str, task: _Task) -> None:
    """Refuse values that no such circuit has; a wrong unit is why, more often than not."""
    declared = task.declared(name)
    if name == "temp":
        check_temps(ready[name], task.where)
    if declared is None or isinstance(declared, Choice) or ready.empty:
        return
    output = isinstance(declared, Output)
    low, high = (
        (-declared.plausible_max, declared.plausible_max)
        if isinstance(declared, Output)
        else (declared.low, declared.high)
    )
    ends = float(ready[name].min()), float(ready[name].max())
    if low <= ends[0] and ends[1] <= high:
        return
    far = ends[0] if ends[0] < low else ends[1]
    guess = next((p for p in _PREFIXES if low <= far * parse(f"1{p}") <= high), "")
    hint = f"; did you mean --units {name}={guess}{declared.unit}?" if guess and declared.unit else ""
    why = "more than any such circuit gives" if output else f"outside [{low:g}, {high:g}] {declared.unit}"
    raise DataError(f"{task.where}: {name} reaches {far:g} {declared.unit} ({declared.doc}), {why}{hint}")


def _each_once(ready: pd.DataFrame, inputs: list[str], task: _Task) -> tuple[pd.DataFrame, list[str]]:
    """Deal with points that the table lists more than once."""
    again = ready.duplicated(inputs, keep=False)
    if not again.any() or task.reading.duplicates == "keep":
        return ready, []
    n = int(ready.duplicated(inputs).sum())
    if task.reading.duplicates == "refuse":
        first = ready[again].iloc[0]
        at = ", ".join(
            f"{name} = {first[name]:g}" if name != "corner" else f"corner = {first[name]}" for name in inputs
        )
        raise DataError(
            f"{task.where}: {n} points stand there twice, the first at {at}; --duplicates mean averages, keep fits all"
        )
    groups = ready.groupby(inputs, sort=False, as_index=False)
    averaged = pd.DataFrame(groups.mean(numeric_only=True))
    if SIGMA in ready:
        count = pd.DataFrame(groups.size())["size"].to_numpy()
        averaged[SIGMA] = averaged[SIGMA] / np.sqrt(count)
    return averaged, [f"{n} repeated points averaged with the ones they repeat"]


def _missing_points(ready: pd.DataFrame, model: Model) -> list[str]:
    """Say what a grid lacks; scattered points are no grid."""
    sizes = [ready[name].nunique() for name in model.inputs]
    whole, have = math.prod(sizes), len(ready[list(model.inputs)].drop_duplicates())
    if len(sizes) < 2 or have == whole or have < 0.5 * whole:
        return []
    return [f"the grid of {' x '.join(map(str, sizes))} points lacks {whole - have}"]


def _fitted(ready: pd.DataFrame, task: _Task, params: Mapping[str, float]) -> tuple[list[Fit], list[str]]:
    dims = [str(name) for name in ready if name not in (task.model.output, SIGMA)]
    try:
        selections = select(task.model, ready, dims, params)
    except DataError as error:
        simpler = [
            m.name for m in task.circuit.models if m.bench == task.bench.name and len(m.inputs) < len(task.model.inputs)
        ]
        raise DataError(f"{error}; fewer inputs: {', '.join(simpler)}" if simpler else str(error)) from None
    fits: list[Fit] = []
    remarks: list[str] = []
    unit = task.bench.output(task.model.output).unit
    for selection in selections:
        first = fit_model(task.model, selection, params, unit)
        scatter = _residual(first, task.model, selection)
        scale = 1.4826 * float(np.median(np.abs(scatter)))
        if task.reading.outliers == "keep" or scale == 0:
            fits.append(first)
        elif task.reading.outliers == "robust":
            fits.append(fit_model(task.model, selection, params, unit, robust=scale / selection.full_range))
        else:
            # Least squares bends towards an outlier: who is one is decided against a fit that does not.
            firm = fit_model(task.model, selection, params, unit, robust=scale / selection.full_range)
            scatter = _residual(firm, task.model, selection)
            fine = np.abs(scatter) <= _FAR * 1.4826 * float(np.median(np.abs(scatter)))
            fits.append(fit_model(task.model, _part(selection, fine), params, unit))
            if not fine.all():
                remarks.append(f"{int((~fine).sum())} outliers left out of {task.model.name}")
    return fits, remarks


def _residual(fit: Fit, model: Model, selection: Selection) -> Floats:
    predicted = np.asarray(model.function(*selection.inputs.values(), **fit.values()), dtype=float)
    return np.asarray(predicted - selection.output)


def _part(selection: Selection, where: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> Selection:
    return replace(
        selection,
        inputs={name: x[where] for name, x in selection.inputs.items()},
        output=selection.output[where],
        sigma=None if selection.sigma is None else selection.sigma[where],
    )
