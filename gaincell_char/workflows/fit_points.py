"""Points of one model -> its fits, by the policy for outliers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from pydantic import ValidationError

from ..declare.bench import Floats
from ..declare.model import Model
from ..errors import DataError, FitError
from ..fitting.fit import Fit, fit_model
from ..fitting.points import SIGMA, Selection, select
from ..storage.schema_fields import complaint
from .clean_table import ModelTask

_OUTLIER_SIGMAS = 5.0
"""A point is an outlier this many robust standard deviations off."""
_SIGMA_PER_MEDIAN = 1.4826
"""Standard deviation of a normal quantity, over the median of its size."""


@dataclass(frozen=True, kw_only=True)
class ModelFits:
    """Fits, one per condition of a table; what was left out of them; and the fits that could not be made, with why."""

    fits: list[Fit] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def fit_points(ready: pd.DataFrame, task: ModelTask, params: Mapping[str, float]) -> ModelFits:
    """Fit a model to its points, at every condition of the table.

    Parameters
    ----------
    ready : DataFrame
        From `clean_table`.
    params : mapping
        Value of every parameter that the table does not list.

    Raises
    ------
    DataError
        If something in the table cannot stand in a record.
    """
    found = ModelFits()
    dims = [str(name) for name in ready if name not in (task.model.output, SIGMA)]
    try:
        selections = select(task.model, ready, dims, params)
    except DataError as error:
        found.left_out.append(str(error))
        return found
    for selection in selections:
        try:
            fit, n_outliers = _fit_selection(selection, task, params)
        except FitError as error:
            at = ", ".join(f"{name} = {value}" for name, value in selection.conditions.items())
            found.left_out.append(f"{error} (at {at})" if at else str(error))
            continue
        except ValidationError as error:
            raise DataError(f"{task.where}: {complaint(error)}") from None
        found.fits.append(fit)
        if n_outliers:
            found.remarks.append(f"{n_outliers} outliers left out of {task.model.name}")
    return found


def name_simpler_models(task: ModelTask) -> str:
    """Name the models of the bench that have fewer inputs, as the end of a sentence; nothing if there are none."""
    models = (model for model in task.circuit.models if model.bench == task.bench.name)
    names = [model.name for model in models if len(model.inputs) < len(task.model.inputs)]
    return f"; fewer inputs: {', '.join(names)}" if names else ""


def _fit_selection(selection: Selection, task: ModelTask, params: Mapping[str, float]) -> tuple[Fit, int]:
    """The fit by the policy for outliers, and how many points are left out.

    Least squares bends towards an outlier: which points are outliers is decided against a fit that does not.
    """
    unit = task.bench.output(task.model.output).unit
    plain = fit_model(task.model, selection, params, unit)
    if task.reading.outliers == "keep":
        return plain, 0
    sigma = _robust_sigma(_residual(plain, task.model, selection))
    if sigma == 0:
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
