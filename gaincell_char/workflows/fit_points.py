"""Points of one model -> fits, with the policy for outliers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from pydantic import ValidationError

from ..declare.bench import Floats
from ..declare.datasheet import Study
from ..declare.model import Model
from ..errors import DataError, FitError
from ..fitting.fit import Fit, fit_model
from ..fitting.points import SIGMA, Selection, select
from ..storage.schema_fields import complaint
from .clean_table import ModelTask

_OUTLIER_SIGMAS = 5.0
"""Residual of an outlier, in robust standard deviations."""
_SIGMA_PER_MEDIAN = 1.4826
"""Ratio of the standard deviation of a normal quantity to the median of its magnitude."""


@dataclass(frozen=True, kw_only=True)
class ModelFits:
    """Fits of a model.

    Attributes
    ----------
    fits : list of Fit
        One fit per condition of the table.
    remarks : list of str
        Points that were left out.
    left_out : list of str
        Fits that failed, with the reasons.
    """

    fits: list[Fit] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def fit_points(ready: pd.DataFrame, task: ModelTask, params: Mapping[str, float]) -> ModelFits:
    """Fit a model to its points, at every condition of the table.

    Parameters
    ----------
    ready : DataFrame
        Points in SI units, from `clean_table`.
    task : ModelTask
        The model.
    params : mapping of str to float
        Values of the parameters that the table does not list [SI].

    Raises
    ------
    DataError
        If a value of the table is not valid in a record.
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
    """Models of the bench with fewer inputs, as the end of a sentence; empty if there are none."""
    models = task.circuit.models_of(Study(bench=task.bench.name))
    names = [model.name for model in models if len(model.inputs) < len(task.model.inputs)]
    return f"; fewer inputs: {', '.join(names)}" if names else ""


def _fit_selection(selection: Selection, task: ModelTask, params: Mapping[str, float]) -> tuple[Fit, int]:
    """Fit with the policy for outliers, and number of points left out.

    Outliers are determined from the residuals of a robust fit, because outliers distort a least-squares fit.
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
    """Robust standard deviation of residuals with mean 0, from the median of their magnitude.

    Rousseeuw and Croux, J. Am. Stat. Assoc. 88, 1273 (1993).
    """
    return _SIGMA_PER_MEDIAN * float(np.median(np.abs(residual)))
