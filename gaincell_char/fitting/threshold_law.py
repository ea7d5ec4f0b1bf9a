"""First stage of a fit over conditions: the law of a measured threshold, by linear least squares."""

from collections.abc import Mapping

import numpy as np

from ..declare.bench import Floats, Numbers
from ..declare.pvt import PvtModel, Threshold
from ..errors import FitError
from .points import Selection


def fit_threshold_law(model: PvtModel, threshold: Threshold, points: Selection, params: Numbers) -> dict[str, float]:
    """Fit the dependence of a measured threshold on temperature and supply.

    Parameters
    ----------
    model : PvtModel
        The model over conditions.
    threshold : Threshold
        Its threshold.
    points : Selection
        Points with measured thresholds; each condition counts once.
    params : mapping of str to float
        Parameters [SI unit], from which the supply at the reference is computed.

    Returns
    -------
    dict of str to float
        Every coefficient of the law [unit of each coefficient].

    Raises
    ------
    FitError
        If the threshold is unknown at a condition, or there are too few conditions.
    """
    name, law = threshold.coefficient, model.laws[threshold.coefficient]
    columns = [points.inputs[condition] for condition in model.conditions]
    where, first = np.unique(np.column_stack(columns), axis=0, return_index=True)
    measured = _measured(points)[first]
    if not np.isfinite(measured).all():
        temp, supply = where[~np.isfinite(measured)][0]
        at = f"{model.conditions[0]} = {temp:g} degC, {model.supply} = {supply:g} V"
        raise FitError(f"model {model.name}: {name} is not known at {at}")
    terms = [name, *(f"{name}_{suffix}" for suffix in law.names)]
    reference = model.coefficients[model.reference].start_value(params)
    matrix = np.stack([_column(model, name, term, terms, where, reference) for term in terms], axis=1)
    size = np.linalg.norm(matrix, axis=0)
    scaled, _, rank, _ = np.linalg.lstsq(matrix / size, measured)
    if rank < len(terms):
        raise FitError(f"model {model.name}: {len(where)} conditions do not determine the {len(terms)} terms of {name}")
    return dict(zip(terms, (scaled / size).tolist(), strict=True))


def _column(model: PvtModel, name: str, term: str, terms: list[str], where: Floats, reference: float) -> Floats:
    """Threshold at every condition if one coefficient of its law is 1 and the others are 0."""
    unit: Mapping[str, float] = {other: float(other == term) for other in terms}
    found = {suffix: unit[f"{name}_{suffix}"] for suffix in model.laws[name].names}
    temp, supply = where.T
    value = model.laws[name].apply(unit[name], found, temp, supply - reference)
    return np.asarray(np.broadcast_to(value, temp.shape), dtype=float)


def _measured(points: Selection) -> Floats:
    """Measured threshold at the conditions of each point; NaN if it is not known."""
    return np.full(points.output.size, np.nan) if points.threshold is None else points.threshold


def beyond_threshold(threshold: Threshold, points: Selection) -> Selection:
    """Points with an output other than 0 whose distance from the measured threshold is at least its margin."""
    distance = np.abs(points.inputs[threshold.input] - _measured(points))
    return points.part((distance >= threshold.margin) & (points.output != 0))
