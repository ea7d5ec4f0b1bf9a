"""Somebody else's table -> the points of one model: numbers in SI units, in range, each point once."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..declare.bench import Bench, Curve, Output
from ..declare.circuit import Circuit
from ..declare.model import Model
from ..declare.parameters import Choice, Number, Values
from ..errors import DataError, ParameterError
from ..fitting.points import SIGMA
from ..storage.foreign_tables import check_temps, numeric
from ..sweeping.axes import CONDITIONS
from ..units import parse

NAN, OUTLIERS, DUPLICATES = ("refuse", "drop"), ("keep", "robust", "drop"), ("refuse", "mean", "keep")
_PREFIXES = ("m", "u", "n", "p", "f", "a")
"""SI prefixes that a column in another unit than SI is likely to have."""


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
class ForeignFit:
    """One model that is fitted to a foreign table, and what the table's columns mean to it."""

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


def clean_table(frame: pd.DataFrame, task: ForeignFit) -> tuple[pd.DataFrame, list[str]]:
    """Return numbers in SI units, in range, each point once; and what was left out for that.

    Raises
    ------
    DataError
        If a column is missing, has another unit or implausible values, or a policy refuses what the table holds.
    """
    columns = _columns(frame, task)
    if unknown := task.reading.units.keys() - frame.columns:
        raise DataError(f"{task.where}: units of {', '.join(sorted(unknown))}, which is no column of the table")
    ready, remarks = _without_nan(_to_numbers(frame, columns, task), task)
    ready = _to_si(ready, task)
    for name in columns:
        _check_range(ready, name, task)
    inputs = [name for name in columns if name != task.model.output]
    ready, more = _each_once(ready, inputs, task)
    return ready, [*remarks, *more, *_missing_points(ready, task.model)]


def _to_numbers(frame: pd.DataFrame, columns: list[str], task: ForeignFit) -> pd.DataFrame:
    """Some columns, and the standard deviation if there is one, as numbers; words where words belong."""
    ready = pd.DataFrame({name: frame[name] for name in columns})
    if task.reading.sigma:
        ready[SIGMA] = frame.get(task.reading.sigma, np.nan)
    for name in ready:
        if name != "corner" and not isinstance(task.declared(str(name)), Choice):
            ready[name] = numeric(ready[name], str(name), task.where)
    return ready


def _to_si(ready: pd.DataFrame, task: ForeignFit) -> pd.DataFrame:
    """The same in SI units; the standard deviation is in the unit of the output."""
    ready = ready.copy()
    for name, unit in task.reading.units.items():
        if name in ready:
            factor = _factor(name, unit, task)
            ready[name] = ready[name] * factor
            if name == task.model.output and task.reading.sigma:
                ready[SIGMA] = ready[SIGMA] * factor
    if task.reading.sigma and not (ready[SIGMA] > 0).all():
        raise DataError(f"{task.where}: {task.reading.sigma}, the standard deviation, has to be above 0 everywhere")
    return ready


def _columns(frame: pd.DataFrame, task: ForeignFit) -> list[str]:
    """Those that matter: inputs and output, and every parameter or condition that the table lists."""
    wanted = [*task.model.inputs, task.model.output]
    if missing := [name for name in wanted if name not in frame]:
        raise DataError(
            f"{task.where}: model {task.model.name} needs {', '.join(missing)}; the table has "
            f"{', '.join(map(str, frame.columns))}; say which column it is with --map {missing[0]}=COLUMN"
        )
    others = [str(name) for name in frame if str(name) in CONDITIONS or task.declared(str(name)) is not None]
    return [*wanted, *(name for name in others if name not in wanted)]


def _without_nan(ready: pd.DataFrame, task: ForeignFit) -> tuple[pd.DataFrame, list[str]]:
    bad = ~np.isfinite(ready.select_dtypes("number").to_numpy()).all(axis=1)
    if not bad.any():
        return ready, []
    first = int(np.flatnonzero(bad)[0]) + 1
    if task.reading.nan == "refuse":
        raise DataError(
            f"{task.where}: {int(bad.sum())} rows have no number, the first is row {first}; --nan drop leaves them out"
        )
    return ready.loc[~bad], [f"{int(bad.sum())} rows without a number left out"]


def _factor(name: str, unit: str, task: ForeignFit) -> float:
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


def _check_range(ready: pd.DataFrame, name: str, task: ForeignFit) -> None:
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


def _each_once(ready: pd.DataFrame, inputs: list[str], task: ForeignFit) -> tuple[pd.DataFrame, list[str]]:
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
