"""A table and a model -> coefficients fitted to all points, with their valid range and errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer, model_validator

from ..declare.bench import Numbers
from ..declare.model import Model
from ..declare.pvt import PvtModel
from ..errors import DataError, FitError
from ..storage.schema_fields import Conditions, Finite, Label, Name, NotNegative, Text
from .accuracy import CrossValidation, EndBlock, Errors, FreshErrors, LargestError, RowError, compute_errors
from .cross_validation import cross_validate
from .end_blocks import leave_out_ends
from .least_squares import Problem, Solution
from .points import Selection, select
from .reference_fit import fit_reference
from .row_errors import find_largest_row
from .threshold_law import beyond_threshold, fit_threshold_law

PUBLISHED, FITTED = "published", "fitted"
"""Forms of a model: the formula of a publication, and the formula with the smallest errors found."""
MANY_CONDITIONS = 4
"""Largest number of conditions of a model at which the ends of its range are left out."""
_MUCH_LARGER = 3.0
"""Ratio of errors at two conditions from which a search is repeated."""
_OPTIONAL = ("held_out", "end_blocks", "row_error", "largest")
"""Fields that a record without them does not name."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(_Record):
    """One coefficient.

    ``stderr`` is the standard error from the linearised least-squares problem.  Simulated data have no noise: their
    residual is the error of the model.  ``stderr`` then states how well the data determine the coefficient, and does
    not give a confidence interval.  For measured data with a given sigma it does.  It is None for a coefficient that
    was given, not fitted.
    """

    value: Finite
    stderr: Finite | None
    unit: Text
    doc: Text


class Fit(_Record):
    """A fitted model.

    Attributes
    ----------
    conditions : mapping
        Corner, temperature and every other value at which the data were taken.
    form : str
        ``"published"``: the formula of a publication; ``"fitted"``: the formula with the smallest errors found.
    valid_range : mapping of str to (low, high)
        Range of each input [SI unit] over which the errors were measured.
    full_range : float
        Largest minus smallest output [`unit`].
    covariance : list of lists
        Covariance of the fitted coefficients, in the order of `coefficients` without the given ones; empty for a model
        over conditions.
    fitted : Errors
        Errors at the points that the coefficients were fitted to, which are all points.
    cross_validation : CrossValidation
        Errors at rows and columns of the grid that were left out in turn; None if there are too few points.
    fresh : FreshErrors
        Errors at random points that were simulated after the fit; None for a table.
    end_blocks : tuple of EndBlock, optional
        Errors at the ends of the range of each input, left out in turn and extrapolated.
    row_error : RowError, optional
        Errors in the row of the grid in which they are largest relative to the range of that row.
    largest : LargestError, optional
        Largest error at any simulated point, including points at which it was searched for.
    held_out : Errors
        Only in a record of schema version 1: errors at every fourth point, which the coefficients were not fitted to.
    """

    model: Name
    form: Label
    equation: Text
    inputs: tuple[Name, ...]
    output: Name
    unit: Text
    conditions: Conditions
    coefficients: dict[Name, Estimate]
    covariance: list[list[Finite]]
    valid_range: dict[Name, tuple[Finite, Finite]]
    full_range: NotNegative
    fitted: Errors | None
    cross_validation: CrossValidation | None
    fresh: FreshErrors | None
    end_blocks: tuple[EndBlock, ...] | None = None
    row_error: RowError | None = None
    largest: LargestError | None = None
    held_out: Errors | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        free = sum(estimate.stderr is not None for estimate in self.coefficients.values())
        if self.covariance and not (len(self.covariance) == free and all(len(row) == free for row in self.covariance)):
            raise ValueError(f"the covariance of {free} fitted coefficients must have {free} rows of {free} numbers")
        if any(row[i] < 0 for i, row in enumerate(self.covariance)):
            raise ValueError("a variance on the diagonal of the covariance is negative")
        check_ranges(self.valid_range, self.inputs)
        if wrong := [name for name, (low, high) in self.valid_range.items() if low >= high]:
            raise ValueError(f"the valid range of {wrong[0]} does not end above its beginning")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        return {name: value for name, value in fields.items() if value is not None or name not in _OPTIONAL}

    @property
    def stated(self) -> Errors | None:
        """The error to expect: at fresh points, else of cross-validation, else at held-out or fitted points.

        Its ``worst`` is that of `largest`, if a larger error was found at another point.
        """
        errors = next((errors for errors in self._by_trust().values() if errors is not None), None)
        if errors is None or self.largest is None or abs(self.largest.worst) <= abs(errors.worst):
            return errors
        return errors.model_copy(update={"worst": self.largest.worst, "worst_at": self.largest.worst_at})

    @property
    def stated_on(self) -> str:
        """Name of the points of `stated`; empty if there are none."""
        return next((words for words, errors in self._by_trust().items() if errors is not None), "")

    def _by_trust(self) -> dict[str, Errors | None]:
        return {
            "fresh points": self.fresh,
            "cross-validation": self.cross_validation,
            "held-out points": self.held_out,
            "points of the fit": self.fitted,
        }

    def values(self) -> dict[str, float]:
        """Coefficient name -> value, as the keywords of the model function."""
        return {name: estimate.value for name, estimate in self.coefficients.items()}


def check_ranges(ranges: Mapping[str, object], inputs: Sequence[str]) -> None:
    """Raise `ValueError` unless every input has a range and no other name has one."""
    if set(ranges) != set(inputs):
        raise ValueError(f"valid ranges of {', '.join(ranges) or 'nothing'}; the inputs are {', '.join(inputs)}")


def fit_model(
    model: Model,
    selection: Selection,
    params: Numbers,
    unit: str,
    robust: float = 0.0,
    *,
    leave_out: bool = True,
    begin: Numbers | None = None,
) -> Fit:
    """Least-squares fit of a model to all points of one selection, its cross-validation, and its extrapolations.

    Parameters
    ----------
    model : Model
        The model to fit.
    selection : Selection
        The points, all at the same conditions.
    params : mapping of str to float
        Value of every parameter [SI unit]; start values of the coefficients are computed from it.
    unit : str
        Unit of the output.
    robust : float
        Residual, as a fraction of the full range, above which the weight of a residual decreases (soft L1);
        0 for plain least squares.
    leave_out : bool
        Whether the ends of the range are left out in turn, too.
    begin : mapping of str to float, optional
        As of `pose_problem`.

    Returns
    -------
    Fit
        The coefficients, with the errors at the points of the fit, of the cross-validation, and at the left-out ends.

    Raises
    ------
    FitError
        If an input has one value only, the optimiser stops early, or the data do not determine a coefficient.
    """
    if constant := [name for name, x in selection.inputs.items() if x.min() == x.max()]:
        raise FitError(f"model {model.name}: {constant[0]} has one value only; sweep it, or choose another model")
    problem = pose_problem(model, selection, params, begin)
    robust = robust or (model.robust if isinstance(model, PvtModel) else 0.0)
    points = problem.points
    solution = problem.fit(robust)
    values = problem.coefficients(solution)
    predicted = np.asarray(model(*points.inputs.values(), **values), dtype=float)
    return Fit(
        model=model.name,
        form=model.form,
        equation=model.equation,
        inputs=model.inputs,
        output=model.output,
        unit=unit,
        conditions=selection.conditions,
        coefficients=_estimates(model, problem, solution),
        covariance=_covariance(model, solution),
        valid_range={name: (float(x.min()), float(x.max())) for name, x in selection.inputs.items()},
        full_range=problem.full_range,
        fitted=compute_errors(points, predicted, problem.full_range),
        cross_validation=cross_validate(problem, values, robust),
        fresh=None,
        end_blocks=(leave_out_ends(problem, values, robust) or None) if leave_out else None,
        row_error=find_largest_row(points, predicted, problem.full_range),
    )


def pose_problem(model: Model, selection: Selection, params: Numbers, begin: Numbers | None = None) -> Problem:
    """Least-squares problem of a model at all points of one selection.

    A measured threshold of a model over conditions is not fitted, and the points near it are left out.

    Parameters
    ----------
    model, selection, params
        As of `fit_model`.
    begin : mapping of str to float, optional
        Coefficients at which a nonlinear search begins; those of the nominal model at one condition by default.

    Raises
    ------
    FitError
        If there are too few points, or a threshold is not known at every condition.
    """
    numeric = {name: value for name, value in selection.conditions.items() if not isinstance(value, str)}
    # A model over conditions begins its search in their middle.
    middle = {name: float(np.median(np.unique(x))) for name, x in selection.inputs.items()}
    scope, known, full_range = {**middle, **params, **numeric}, dict[str, float](), selection.full_range
    if isinstance(model, PvtModel) and model.threshold is not None and selection.threshold is not None:
        known = fit_threshold_law(model, model.threshold, selection, scope)
        selection = beyond_threshold(model.threshold, selection)
    if begin is None and isinstance(model, PvtModel) and not model.linear:
        begin = fit_reference(model, selection, full_range, scope)
    return Problem(model, selection, full_range, scope, known=known, begin=begin)


def _covariance(model: Model, solution: Solution) -> list[list[float]]:
    """Covariance of a fit; that of the hundred coefficients of a model over conditions is not kept."""
    found: list[list[float]] = solution.covariance.tolist()
    return [] if isinstance(model, PvtModel) else found


def _estimates(model: Model, problem: Problem, solution: Solution) -> dict[str, Estimate]:
    """Every coefficient in the order of the model; a coefficient that was given has no standard error."""
    errors = dict(zip(problem.free, np.sqrt(np.diag(solution.covariance)).tolist(), strict=True))
    values = problem.coefficients(solution)
    return {
        name: Estimate(value=values[name], stderr=errors.get(name), unit=c.unit, doc=c.doc)
        for name, c in model.coefficients.items()
    }


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A model without a fit, and the reason: at one condition, or at all if the table does not suit the model."""

    model: str
    reason: str

    def __str__(self) -> str:
        """The reason."""
        return self.reason


def fit_all(
    models: Sequence[Model], table: pd.DataFrame, dims: Sequence[str], params: Numbers, units: Mapping[str, str]
) -> tuple[list[Fit], list[LeftOut]]:
    """Fit every model at every condition of a table.

    If a model has more than four conditions, the ends of its range are not left out.

    Parameters
    ----------
    models : sequence of Model
        The models to fit.
    table : DataFrame
        One row per point, as in `points.select`.
    dims : sequence of str
        Columns that were swept.
    params : mapping of str to float
        Value of every other parameter [SI unit].
    units : mapping of str to str
        Unit of every output.

    Returns
    -------
    fits : list of Fit
        The fits, by model and condition.
    left_out : list of LeftOut
        A reason for every fit that could not be made.
    """
    fits: list[Fit] = []
    left_out: list[LeftOut] = []
    for model in models:
        try:
            selections = select(model, table, dims, params)
        except DataError as error:
            left_out.append(LeftOut(model=model.name, reason=str(error)))
            continue
        found = _fit_selections(model, selections, params, units[model.output])
        fits += [one for one in found if isinstance(one, Fit)]
        left_out += [one for one in found if isinstance(one, LeftOut)]
    return fits, left_out


def _fit_selections(model: Model, selections: Sequence[Selection], params: Numbers, unit: str) -> list[Fit | LeftOut]:
    """Fit of a model to every selection, or the reason why there is none.

    A search that fails, or whose error is much larger than the smallest, is repeated from the solution of the smallest.
    """
    few = len(selections) <= MANY_CONDITIONS

    def search(selection: Selection, begin: Numbers | None = None) -> Fit | LeftOut:
        try:
            return fit_model(model, selection, params, unit, leave_out=few, begin=begin)
        except FitError as error:
            at = ", ".join(f"{name} = {value}" for name, value in selection.conditions.items())
            return LeftOut(model=model.name, reason=f"{error} (at {at})" if at else str(error))

    found = [search(selection) for selection in selections]
    best = min((one for one in found if isinstance(one, Fit)), key=_error, default=None)
    if best is None or model.linear:
        return found
    limit = _MUCH_LARGER * _error(best)
    pairs = zip(found, selections, strict=True)
    # Of two failures the reason of the first is the one that a reader can act on.
    return [one if _error(one) <= limit else min(one, search(at, best.values()), key=_error) for one, at in pairs]


def _error(one: Fit | LeftOut) -> float:
    """Rms error at the fitted points [full range]; infinity if a fit is missing."""
    return one.fitted.nrmse if isinstance(one, Fit) and one.fitted is not None else np.inf
