"""A table and a model -> the points of each fit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..declare.bench import Floats, Numbers
from ..declare.model import Model
from ..declare.pvt import PvtModel
from ..errors import DataError

Mask = NDArray[np.bool_]
SIGMA = "sigma"
"""Column of a table with the standard deviation of the output, if it is known."""
# Far above any voltage, current, charge, energy or time; its fourth power is still finite.
_LARGEST = 1e70
_NEAR = 1e-12
"""Voltages that differ by less [V] are the same: grids are computed."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The points of one fit: inputs and output as flat arrays, at given conditions.

    Attributes
    ----------
    inputs : dict of str to ndarray, shape (n,)
        Input -> values [SI unit].
    output : ndarray, shape (n,)
        Output [SI unit].
    conditions : dict of str to float or str
        Corner, temperature and every other value at which the points were taken.
    sigma : ndarray, shape (n,), optional
        Standard deviation of each output [SI unit], if the data are measured and it is known.
    threshold : ndarray, shape (n,), optional
        Measured value of the threshold of a `PvtModel` at the conditions of each point [unit of the threshold].
    """

    inputs: dict[str, Floats]
    output: Floats
    conditions: dict[str, float | str]
    sigma: Floats | None = None
    threshold: Floats | None = None

    @property
    def full_range(self) -> float:
        """Largest minus smallest output."""
        return float(np.ptp(self.output))

    def part(self, where: Mask | NDArray[np.intp]) -> "Selection":
        """Return some of the points.

        Parameters
        ----------
        where : ndarray, shape (n,) or (n_places,)
            Boolean mask, or the indices of the points; an index may occur several times.
        """
        return replace(
            self,
            inputs={name: x[where] for name, x in self.inputs.items()},
            output=self.output[where],
            sigma=_part(self.sigma, where),
            threshold=_part(self.threshold, where),
        )


def _part(values: Floats | None, where: Mask | NDArray[np.intp]) -> Floats | None:
    return None if values is None else values[where]


def select(model: Model, table: pd.DataFrame, dims: Sequence[str], params: Numbers) -> list[Selection]:
    """Split a flat table into the points of one fit per condition.

    Parameters
    ----------
    model : Model
        The model; rows at which it is not valid are left out.
    table : DataFrame
        One row per point [SI units]; failed points have a ``status`` other than "ok".
    dims : sequence of str
        Columns that were swept.
    params : mapping of str to float
        Value of every other parameter [SI unit]; the conditions of the model may depend on it.

    Returns
    -------
    list of Selection
        The points of each condition.

    Raises
    ------
    DataError
        If a column is missing or not finite, every point failed, the table has no row at the model's conditions, or
        an input or the output does not vary.
    """
    if missing := [name for name in (*model.inputs, model.output) if name not in table]:
        raise DataError(f"model {model.name} needs {', '.join(missing)}; the table has {', '.join(map(str, table))}")
    rows = table[table["status"] == "ok"] if "status" in table else table
    if rows.empty:
        raise DataError("every point of the table failed: there is nothing to fit")
    for name in (*dims, *model.inputs, model.output):
        _check_finite(rows, name)
    others = [name for name in dims if name not in model.inputs and name not in model.held_at]
    groups = rows.groupby(others, sort=False, dropna=False) if others else [((), rows)]
    return [_selection(model, group, dict(zip(others, key, strict=True)), params) for key, group in groups]


def _check_finite(rows: pd.DataFrame, name: str) -> None:
    column = rows[name]
    if not pd.api.types.is_numeric_dtype(column):
        return
    numbers = column.to_numpy(dtype=float)
    if lost := int((~np.isfinite(numbers)).sum()):
        raise DataError(f"{name} has {lost} values that are not numbers")
    if (largest := float(np.abs(numbers).max())) > _LARGEST:
        raise DataError(f"{name} reaches {largest:g}; the most that can be fitted is {_LARGEST:g}, in SI units")


def _at(model: Model, rows: pd.DataFrame, values: Numbers, held: Numbers) -> pd.DataFrame:
    """Rows at which the model is valid; a value without a column is that of `held`."""
    for name, value in values.items():
        have = rows[name] if name in rows else pd.Series(held.get(name, value), index=rows.index)
        near = np.isclose(have, value, rtol=1e-6, atol=1e-15)
        if not near.any():
            raise DataError(f"model {model.name} is valid at {name} = {value:g}; the table has {name} = {_some(have)}")
        rows = rows[near]
    return rows


def _between_rails(model: Model, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows whose voltages lie between the rails of a model over conditions."""
    if not isinstance(model, PvtModel):
        return rows
    for name in model.rails:
        low, high = model.limits(name, rows[model.supply].to_numpy(dtype=float))
        rows = rows[((rows[name] >= low - _NEAR) & (rows[name] <= high + _NEAR)).to_numpy()]
    return rows


def _some(column: "pd.Series[Any]") -> str:
    values = [f"{v:g}" if isinstance(v, float) else str(v) for v in column.unique()]
    return ", ".join(values[:6]) + (", ..." if len(values) > 6 else "")


def _selection(model: Model, group: pd.DataFrame, key: dict[str, Any], params: Numbers) -> Selection:
    numeric = {name: value for name, value in key.items() if not isinstance(value, str)}
    at = model.held_values({**params, **numeric})
    rows = _between_rails(model, _at(model, group, at, params))
    conditions = {**key, **{name: value for name, value in at.items() if name in rows}}
    for name in model.inputs:
        if rows[name].nunique() < 2:
            raise DataError(
                f"model {model.name} needs {name} to vary; the table has only {name} = {_some(rows[name])}, and a fit "
                "would be rank-deficient: coefficients that differ only in what it multiplies cannot be distinguished"
            )
    output = rows[model.output].to_numpy(dtype=float)
    if np.ptp(output) == 0:
        raise DataError(f"{model.output} is {output[0]:g} at every point: there is nothing to fit")
    plain = {name: value if isinstance(value, str) else float(value) for name, value in conditions.items()}
    return Selection(
        inputs={name: rows[name].to_numpy(dtype=float) for name in model.inputs},
        output=output,
        conditions=plain,
        sigma=rows[SIGMA].to_numpy(dtype=float) if SIGMA in rows else None,
        threshold=_threshold(model, rows),
    )


def _threshold(model: Model, rows: pd.DataFrame) -> Floats | None:
    """Measured thresholds of a model, if it has one and the table contains them."""
    threshold = model.threshold if isinstance(model, PvtModel) else None
    if threshold is None or threshold.coefficient not in rows:
        return None
    return rows[threshold.coefficient].to_numpy(dtype=float)
