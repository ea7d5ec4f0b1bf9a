"""Where the search of a fit over conditions begins: the fit of the nominal model at one condition."""

import numpy as np

from ..declare.bench import Numbers
from ..declare.law import T_0
from ..declare.pvt import PvtModel
from ..errors import FitError
from .least_squares import Problem
from .points import Selection


def fit_reference(model: PvtModel, points: Selection, full_range: float, params: Numbers) -> dict[str, float]:
    """Fit the nominal model at the temperature nearest to 27 degC and the middle supply.

    Parameters
    ----------
    model : PvtModel
        The model over conditions.
    points : Selection
        Points at all conditions.
    full_range : float
        Largest minus smallest output of all points [unit of the output].
    params : mapping of str to float
        Parameters [SI unit], from which start values are computed.

    Returns
    -------
    dict of str to float
        Coefficients of the nominal model [unit of each coefficient]; none if it cannot be fitted there.
    """
    temp, supply = (points.inputs[name] for name in model.conditions)
    values = np.unique(supply)
    at = float(temp[np.abs(temp - T_0).argmin()]), float(values[len(values) // 2])
    own = points.part((temp == at[0]) & (supply == at[1]))
    known = {} if model.threshold is None or own.threshold is None else {model.threshold.coefficient: own.threshold[0]}
    there = Selection(
        inputs={name: own.inputs[name] for name in model.nominal.inputs}, output=own.output, conditions=own.conditions
    )
    scope = {**params, **dict(zip(model.conditions, at, strict=True))}
    try:
        problem = Problem(model.nominal, there, full_range, scope, known=known)
        return problem.coefficients(problem.fit())
    except FitError:
        return {}
