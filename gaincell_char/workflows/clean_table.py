"""A table and a model -> points of the model: numbers in SI units, within the declared range, without duplicates."""

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
    """Declaration of the column `name` of a table of `bench` of `circuit`; None if undeclared, or a condition."""
    if bench.curve is not None and name == bench.curve.name:
        return bench.curve
    if output := next((output for output in bench.outputs if output.name == name), None):
        return output
    params = circuit.params | bench.params
    # Params raises its own error for an unknown name, so .get cannot be used.
    return params[name] if name in params else None  # noqa: SIM401


def is_swept(circuit: Circuit, bench: Bench, name: str) -> bool:
    """Whether the column `name` of a table of `bench` of `circuit` can be swept: condition, parameter or curve."""
    declared = find_declared(circuit, bench, name)
    return name in CONDITIONS or not (declared is None or isinstance(declared, Output))


@dataclass(frozen=True, kw_only=True)
class ModelTask:
    """A model to fit to a table.

    Attributes
    ----------
    dims : sequence of str
        Columns of the table that were swept.
    reading : Reading
        Interpretation of the table.
    where : str
        Name of the table, for messages.
    """

    model: Model
    circuit: Circuit
    bench: Bench
    dims: Sequence[str]
    reading: Reading
    where: str

    def declared(self, name: str) -> Number | Choice | Curve | Output | None:
        """Declaration of a column; see `find_declared`."""
        return find_declared(self.circuit, self.bench, name)

    def explain_missing(self, frame: pd.DataFrame) -> str:
        """Reason why a table has too few columns for the model; empty if it has all."""
        missing = [name for name in (*self.model.inputs, self.model.output) if name not in frame]
        if not missing:
            return ""
        return (
            f"model {self.model.name} needs {', '.join(missing)}; the table has "
            f"{', '.join(map(str, frame.columns))}; name the column with --map {missing[0]}=COLUMN"
        )


def clean_table(frame: pd.DataFrame, task: ModelTask) -> tuple[pd.DataFrame, list[str]]:
    """Convert the columns of a model to SI units, check their ranges, and remove rows without numbers and duplicates.

    Parameters
    ----------
    frame : DataFrame
        The table; it must contain every column of the model.
    task : ModelTask
        The model.

    Returns
    -------
    ready : DataFrame
        Numbers in SI units, one row per point.
    remarks : list of str
        Removed or averaged rows, and points that the grid lacks.

    Raises
    ------
    DataError
        If a unit does not fit, a value is implausible, or the table contains rows that a policy refuses.
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
    """Numeric columns, and the standard deviation if there is one; corners and choices remain words."""
    ready = pd.DataFrame({name: frame[name] for name in columns})
    if task.reading.sigma:
        ready[SIGMA] = frame.get(task.reading.sigma, np.nan)
    for name in ready:
        if name != "corner" and not isinstance(task.declared(str(name)), Choice):
            ready[name] = numeric(ready[name], str(name), task.where)
    return ready


def _to_si(ready: pd.DataFrame, task: ModelTask) -> pd.DataFrame:
    """Convert to SI units; the standard deviation has the unit of the output."""
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
            f"{task.where}: {int(bad.sum())} rows contain no number, the first is row {first}; --nan drop omits them"
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
    """Refuse values outside the declared range; the usual reason is a wrong unit."""
    declared = task.declared(name)
    if name == "temp":
        check_temps(ready[name], task.where)
    if declared is None or isinstance(declared, Choice) or ready.empty:
        return
    if isinstance(declared, Output):
        low, high = -declared.plausible_max, declared.plausible_max
        why = "outside the plausible range"
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
    """Apply the policy for points that the table contains more than once."""
    again = ready.duplicated(inputs, keep=False)
    varies = all(ready[name].nunique() > 1 for name in task.model.inputs)  # if one does not, `select` refuses the table
    if not (again.any() and varies) or task.reading.duplicates == "keep":
        return ready, []
    n = int(ready.duplicated(inputs).sum())
    if task.reading.duplicates == "refuse":
        first = ready[again].iloc[0]
        at = ", ".join(f"{name} = {_show(first[name])}" for name in inputs)
        raise DataError(
            f"{task.where}: {n} rows repeat a point, the first at {at}; --duplicates mean averages them, keep fits all"
        )
    groups = ready.groupby(inputs, sort=False, as_index=False)
    averaged = pd.DataFrame(groups.mean(numeric_only=True))
    if SIGMA in ready:
        count = pd.DataFrame(groups.size())["size"].to_numpy()
        averaged[SIGMA] = averaged[SIGMA] / np.sqrt(count)
    return averaged, [f"{n} repeated points averaged"]


def _show(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _missing_points(ready: pd.DataFrame, model: Model) -> list[str]:
    """Number of points that a grid lacks, as a remark; none for scattered points."""
    sizes = [ready[name].nunique() for name in model.inputs]
    whole, have = math.prod(sizes), len(ready[list(model.inputs)].drop_duplicates())
    if len(sizes) < 2 or have == whole or have < 0.5 * whole:
        return []
    return [f"the grid of {' x '.join(map(str, sizes))} points lacks {whole - have}"]
