"""The search of a model at one or several selections of points: problems, solutions, and how well they fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..declare.bench import Floats, Numbers
from ..declare.model import Model
from ..declare.pvt import PvtModel
from ..errors import FitError
from .accuracy import Errors, compute_errors
from .least_squares import Problem, Solution
from .points import Selection
from .reference_fit import fit_reference
from .threshold_law import beyond_threshold, fit_threshold_law

_MUCH_LARGER = 3.0
"""Ratio of errors at two conditions from which a search is repeated."""
_STEPS = 300
"""Largest number of steps from the declared starts if there is a solution; most searches take less."""


@dataclass(frozen=True, kw_only=True)
class Solved:
    """A model with its solution at all points of a selection, not yet validated.

    Attributes
    ----------
    selection : Selection
        The points, all at the same conditions.
    problem : Problem
        Their least-squares problem.
    solution : Solution
        Its solution.
    robust : float
        Residual [full range] above which the weight of a residual decreased; 0 for plain least squares.
    """

    selection: Selection
    problem: Problem
    solution: Solution
    robust: float

    @cached_property
    def values(self) -> dict[str, float]:
        """Coefficient name -> value [unit of the coefficient]."""
        return self.problem.coefficients(self.solution)

    @cached_property
    def predicted(self) -> Floats:
        """Output of the model at the points of the problem [unit of the output], shape (n,)."""
        inputs = self.problem.points.inputs.values()
        return np.asarray(self.problem.model(*inputs, **self.values), dtype=float)

    @cached_property
    def errors(self) -> Errors:
        """Errors at the points of the problem."""
        return compute_errors(self.problem.points, self.predicted, self.problem.full_range)


def solve_model(
    model: Model,
    selection: Selection,
    params: Numbers,
    robust: float = 0.0,
    *,
    begin: Numbers | None = None,
    most_steps: int | None = None,
) -> Solved:
    """Least-squares fit of a model to all points of one selection.

    Parameters
    ----------
    model : Model
        The model to fit.
    selection : Selection
        The points, all at the same conditions.
    params : mapping of str to float
        Value of every parameter [SI unit]; start values of the coefficients are computed from it.
    robust : float
        Residual, as a fraction of the full range, above which the weight of a residual decreases (soft L1);
        0 for plain least squares.
    begin : mapping of str to float, optional
        As of `pose_problem`.
    most_steps : int, optional
        Steps after which a nonlinear search ends without a solution.

    Raises
    ------
    FitError
        If an input has one value only, the optimiser stops early, or the data do not determine a coefficient.
    """
    if constant := [name for name, x in selection.inputs.items() if x.min() == x.max()]:
        raise FitError(f"model {model.name}: {constant[0]} has one value only; sweep it, or choose another model")
    problem = pose_problem(model, selection, params, begin)
    robust = robust or (model.robust if isinstance(model, PvtModel) else 0.0)
    return Solved(selection=selection, problem=problem, solution=problem.fit(robust, most_steps), robust=robust)


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


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A model without a fit, and the reason: at one condition, or at all if the table does not suit the model."""

    model: str
    reason: str

    def __str__(self) -> str:
        """The reason."""
        return self.reason


def solve_all(model: Model, selections: Sequence[Selection], params: Numbers) -> list[Solved | LeftOut]:
    """Solution of a model at every selection, or the reason why there is none.

    The least squares of a nonlinear model may have several local minima.  Every selection is therefore searched from
    the best solution of those before it and from the declared starts, and those that failed or have a much larger
    error than the best of all are searched from that, too; the smallest error counts.

    Parameters
    ----------
    model : Model
        The model to fit.
    selections : sequence of Selection
        Points, each at conditions of its own.
    params : mapping of str to float
        Value of every parameter [SI unit]; start values of the coefficients are computed from it.
    """

    def search(selection: Selection, begin: Numbers | None = None, most_steps: int | None = None) -> Solved | LeftOut:
        try:
            return solve_model(model, selection, params, begin=begin, most_steps=most_steps)
        except FitError as error:
            at = ", ".join(f"{name} = {value}" for name, value in selection.conditions.items())
            return LeftOut(model=model.name, reason=f"{error} (at {at})" if at else str(error))

    if model.linear:
        return [search(selection) for selection in selections]
    found: list[Solved | LeftOut] = []
    begun: list[Solved | None] = []
    for selection in selections:
        begun.append(before := _best(found))
        near = search(selection, before.values) if before else None
        own = search(selection, most_steps=_STEPS if isinstance(near, Solved) else None)
        found.append(min(own, near, key=_error) if near else own)
    if (best := _best(found)) is None:
        return found
    limit = _MUCH_LARGER * _error(best)
    for i, selection in enumerate(selections):
        if _error(found[i]) > limit and begun[i] is not best:
            # Of two failures the reason of the first is the one that a reader can act on.
            found[i] = min(found[i], search(selection, best.values), key=_error)
    return found


def _best(found: Sequence[Solved | LeftOut]) -> Solved | None:
    """The solution with the smallest error; None if there is none."""
    return min((one for one in found if isinstance(one, Solved)), key=_error, default=None)


def _error(one: Solved | LeftOut) -> float:
    """Rms error at the fitted points [full range]; infinity if a solution is missing."""
    return one.errors.nrmse if isinstance(one, Solved) else np.inf
