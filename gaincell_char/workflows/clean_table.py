"""A table and a model -> the points of that model: numbers in SI units, in range, each point once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..declare.bench import Bench, Curve, Output
from ..declare.circuit import Circuit
from ..declare.model import Model
from ..declare.parameters import Choice, Number
from ..errors import DataError, ParameterError
from ..fitting.points import SIGMA
from ..storage.foreign_tables import check_temps, numeric
from ..sweeping.axes import CONDITIONS
from ..units import parse
from .reading import Reading

_PREFIXES = ("m", "u", "n", "p", "f", "a")
"""SI prefixes that a column in another unit than SI is likely to have."""


def find_declared(circuit: Circuit, bench: Bench, name: str) -> Number | Choice | Curve | Output | None:
    """What the declaration of a bench says of a column; None if it says nothing, or names a condition."""
    if bench.curve is not None and name == bench.curve.name:
        return bench.curve
    if output := next((output for output in bench.outputs if output.name == name), None):
        return output
    params = circuit.params | bench.params
    # An unknown name is an error of its own to Params, so .get does not do.
    return params[name] if name in params else None  # noqa: SIM401


def is_swept(circuit: Circuit, bench: Bench, name: str) -> bool:
    """Whether a column contains a condition, a parameter or the bench's curve, which a point can be taken at."""
    declared = find_declared(circuit, bench, name)
    return name in CONDITIONS or not (declared is None or isinstance(declared, Output))


@dataclass(frozen=True, kw_only=True)
class ModelTask:
    """One model that is fitted to a table, and what the table's columns mean to it; ``dims`` are those swept."""

    model: Model
    circuit: Circuit
    bench: Bench
    dims: Sequence[str]
    reading: Reading
    where: str

    def declared(self, name: str) -> Number | Choice | Curve | Output | None:
        """What a column is, by our name for it."""
        return find_declared(self.circuit, self.bench, name)

    def explain_missing(self, frame: pd.DataFrame) -> str:
        """Say which columns of the model a table lacks; nothing if it has them all."""
        missing = [name for name in (*self.model.inputs, self.model.output) if name not in frame]
        if not missing:
            return ""
        return (
            f"model {self.model.name} needs {', '.join(missing)}; the table has "
            f"{', '.join(map(str, frame.columns))}; say which column it is with --map {missing[0]}=COLUMN"
        )


def clean_table(frame: pd.DataFrame, task: ModelTask) -> tuple[pd.DataFrame, list[str]]:
    """Return numbers in SI units, in range, each point once; and what was left out for that.

    Every column of the model must be there.

    Raises
    ------
    DataError
        If a column has another unit or implausible values, or a policy refuses what the table contains.
    """
    model = task.model
    columns = list(dict.fromkeys([*model.inputs, model.output, *task.dims]))
    ready, remarks = _without_nan(_to_numbers(frame, columns, task), task)
    ready = _to_si(ready, task)
    for name in columns:
        _check_range(ready, name, task)
    ready, more = _each_once(ready, [name for name in columns if name != model.output], task)
    return ready, [*remarks, *more, *_missing_points(ready, model)]


def _to_numbers(frame: pd.DataFrame, columns: list[str], task: ModelTask) -> pd.DataFrame:
    """Some columns, and the standard deviation if there is one, as numbers; words where words belong."""
    ready = pd.DataFrame({name: frame[name] for name in columns})
    if task.reading.sigma:
        ready[SIGMA] = frame.get(task.reading.sigma, np.nan)
    for name in ready:
        if name != "corner" and not isinstance(task.declared(str(name)), Choice):
            ready[name] = numeric(ready[name], str(name), task.where)
    return ready


def _to_si(ready: pd.DataFrame, task: ModelTask) -> pd.DataFrame:
    """The same in SI units; the standard deviation is in the unit of the output."""
    ready = ready.copy()
    for name, unit in task.reading.units.items():
        if name in ready:
            factor = _factor(name, unit, task)
            ready[name] = ready[name] * factor
            if name == task.model.output and task.reading.sigma:
                ready[SIGMA] = ready[SIGMA] * factor
    if task.reading.sigma and not (ready[SIGMA] > 0).all():
        raise DataError(f"{task.where}: {task.reading.sigma}, the standard deviation, must be above 0 everywhere")
    return ready


def _without_nan(ready: pd.DataFrame, task: ModelTask) -> tuple[pd.DataFrame, list[str]]:
    bad = ~np.isfinite(ready.select_dtypes("number").to_numpy()).all(axis=1)
    if not bad.any():
        return ready, []
    first = int(ready.index[bad][0]) + 1
    if task.reading.nan == "refuse":
        raise DataError(
            f"{task.where}: {int(bad.sum())} rows have no number, the first is row {first}; --nan drop leaves them out"
        )
    return ready.loc[~bad], [f"{int(bad.sum())} rows without a number left out"]


def _factor(name: str, unit: str, task: ModelTask) -> float:
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


def _check_range(ready: pd.DataFrame, name: str, task: ModelTask) -> None:
    """Refuse values that no such circuit has; a wrong unit is why, more often than not."""
    declared = task.declared(name)
    if name == "temp":
        check_temps(ready[name], task.where)
    if declared is None or isinstance(declared, Choice) or ready.empty:
        return
    if isinstance(declared, Output):
        low, high = -declared.plausible_max, declared.plausible_max
        why = "more than any such circuit gives"
    else:
        low, high = declared.low, declared.high
        why = f"outside [{low:g}, {high:g}] {declared.unit}"
    least, largest = float(ready[name].min()), float(ready[name].max())
    if low <= least and largest <= high:
        return
    far = least if least < low else largest
    guess = next((p for p in _PREFIXES if low <= far * parse(f"1{p}") <= high), "")
    hint = f"; did you mean --units {name}={guess}{declared.unit}?" if guess and declared.unit else ""
    raise DataError(f"{task.where}: {name} reaches {far:g} {declared.unit} ({declared.doc}), {why}{hint}")


def _each_once(ready: pd.DataFrame, inputs: list[str], task: ModelTask) -> tuple[pd.DataFrame, list[str]]:
    """Deal with points that the table lists more than once."""
    again = ready.duplicated(inputs, keep=False)
    varies = all(ready[name].nunique() > 1 for name in task.model.inputs)  # where one does not, `select` says so
    if not (again.any() and varies) or task.reading.duplicates == "keep":
        return ready, []
    n = int(ready.duplicated(inputs).sum())
    if task.reading.duplicates == "refuse":
        first = ready[again].iloc[0]
        at = ", ".join(f"{name} = {_show(first[name])}" for name in inputs)
        raise DataError(
            f"{task.where}: {n} points stand there twice, the first at {at}; --duplicates mean averages, keep fits all"
        )
    groups = ready.groupby(inputs, sort=False, as_index=False)
    averaged = pd.DataFrame(groups.mean(numeric_only=True))
    if SIGMA in ready:
        count = pd.DataFrame(groups.size())["size"].to_numpy()
        averaged[SIGMA] = averaged[SIGMA] / np.sqrt(count)
    return averaged, [f"{n} repeated points averaged with the ones they repeat"]


def _show(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _missing_points(ready: pd.DataFrame, model: Model) -> list[str]:
    """Say what a grid lacks; scattered points are no grid."""
    sizes = [ready[name].nunique() for name in model.inputs]
    whole, have = math.prod(sizes), len(ready[list(model.inputs)].drop_duplicates())
    if len(sizes) < 2 or have == whole or have < 0.5 * whole:
        return []
    return [f"the grid of {' x '.join(map(str, sizes))} points lacks {whole - have}"]
