"""A table and a model -> coefficients fitted to all points, with their valid range and errors."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer, model_validator

from ..declare.bench import Numbers
from ..declare.model import Model
from ..declare.pvt import PvtModel
from ..errors import DataError
from ..storage.schema_fields import Conditions, Finite, Label, Name, NotNegative, Text
from .accuracy import CrossValidation, EndBlock, Errors, FreshErrors, LargestError, RowError
from .cross_validation import cross_validate
from .end_blocks import leave_out_ends
from .least_squares import Solution
from .points import Selection, select
from .row_errors import find_largest_row
from .solve import LeftOut, Solved, solve_all, solve_model

PUBLISHED, FITTED = "published", "fitted"
"""Forms of a model: the formula of a publication, and the formula with the smallest errors found."""
MANY_CONDITIONS = 4
"""Largest number of conditions of a model at which the ends of its range are left out."""
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
    model: Model, selection: Selection, params: Numbers, unit: str, robust: float = 0.0, *, leave_out: bool = True
) -> Fit:
    """Least-squares fit of a model to all points of one selection, its cross-validation, and its extrapolations.

    Parameters
    ----------
    model, selection, params, robust
        As of `solve_model`.
    unit, leave_out
        As of `validate`.

    Returns
    -------
    Fit
        The coefficients, with the errors at the points of the fit, of the cross-validation, and at the left-out ends.

    Raises
    ------
    FitError
        As `solve_model` does.
    """
    return validate(solve_model(model, selection, params, robust), unit, leave_out=leave_out)


def validate(solved: Solved, unit: str, *, leave_out: bool = True) -> Fit:
    """Fit of a model that has been solved: its cross-validation, and its extrapolations.

    Parameters
    ----------
    solved : Solved
        The solution at all points.
    unit : str
        Unit of the output.
    leave_out : bool
        Whether the ends of the range are left out in turn, too.
    """
    problem, values, robust = solved.problem, solved.values, solved.robust
    model, inputs = problem.model, solved.selection.inputs
    return Fit(
        model=model.name,
        form=model.form,
        equation=model.equation,
        inputs=model.inputs,
        output=model.output,
        unit=unit,
        conditions=solved.selection.conditions,
        coefficients=_estimates(solved),
        covariance=_covariance(model, solved.solution),
        valid_range={name: (float(x.min()), float(x.max())) for name, x in inputs.items()},
        full_range=problem.full_range,
        fitted=solved.errors,
        cross_validation=cross_validate(problem, values, robust),
        fresh=None,
        end_blocks=(leave_out_ends(problem, values, robust) or None) if leave_out else None,
        row_error=find_largest_row(problem.points, solved.predicted, problem.full_range),
    )


def _covariance(model: Model, solution: Solution) -> list[list[float]]:
    """Covariance of a fit; that of the hundred coefficients of a model over conditions is not kept."""
    found: list[list[float]] = solution.covariance.tolist()
    return [] if isinstance(model, PvtModel) else found


def _estimates(solved: Solved) -> dict[str, Estimate]:
    """Every coefficient in the order of the model; a coefficient that was given has no standard error."""
    errors = dict(zip(solved.problem.free, np.sqrt(np.diag(solved.solution.covariance)).tolist(), strict=True))
    return {
        name: Estimate(value=solved.values[name], stderr=errors.get(name), unit=c.unit, doc=c.doc)
        for name, c in solved.problem.model.coefficients.items()
    }


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

    Only the solutions of `solve_all` are validated, which takes most of the time.
    """
    few = len(selections) <= MANY_CONDITIONS
    found = solve_all(model, selections, params)
    return [validate(one, unit, leave_out=few) if isinstance(one, Solved) else one for one in found]
