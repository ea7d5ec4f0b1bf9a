"""A table and a model -> coefficients, where they hold, and how far off they are on points not used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, model_validator

from ..declare.bench import Floats, Numbers
from ..declare.model import Model
from ..errors import DataError, FitError
from ..storage.schema_fields import Conditions, Count, Finite, Label, Name, NotNegative, Text
from .least_squares import Problem, Solution
from .points import Mask, Selection, select

_HOLD_OUT_EVERY = 4
_FEWEST_TO_HOLD_OUT = 12


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(_Record):
    """One coefficient.

    ``stderr`` is that of the linearised least-squares problem.  Simulated data has no noise: the residual
    is the model's own error, so it says how well the data determine the coefficient and is no
    confidence interval.  Measured data with a given sigma has one.  None for a coefficient that was given, not fitted.
    """

    value: Finite
    stderr: Finite | None
    unit: Text
    doc: Text


class Errors(_Record):
    """How far a model is off on a set of points.

    ``rms`` and ``worst`` are in the unit of the output; ``nrmse`` is ``rms`` as a fraction of the
    output's full range; ``worst_at`` gives the inputs of the worst point; ``r2`` is None where the data do not vary.
    """

    n: Count
    rms: NotNegative
    nrmse: NotNegative
    worst: Finite
    worst_at: dict[Name, Finite]
    r2: Finite | None


class Fit(_Record):
    """A fitted model.

    Attributes
    ----------
    conditions : mapping
        Corner, temperature and every other value at which the data were taken.
    box : mapping of str to (low, high)
        Range of each input over which the errors were measured.
    full_range : float
        Largest minus smallest output.
    covariance : list of lists
        Of the fitted coefficients, in the order of `coefficients` without the given ones.
    fitted, held_out : Errors
        On the points the fit used, and on those it did not see.
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
    box: dict[Name, tuple[Finite, Finite]]
    full_range: NotNegative
    fitted: Errors | None
    held_out: Errors | None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        free = sum(estimate.stderr is not None for estimate in self.coefficients.values())
        if self.covariance and not (len(self.covariance) == free and all(len(row) == free for row in self.covariance)):
            raise ValueError(f"the covariance of {free} fitted coefficients takes {free} rows of {free} numbers")
        if any(row[i] < 0 for i, row in enumerate(self.covariance)):
            raise ValueError("a variance on the diagonal of the covariance is negative")
        if set(self.box) != set(self.inputs):
            raise ValueError(
                f"the box names {', '.join(self.box) or 'nothing'}; the inputs are {', '.join(self.inputs)}"
            )
        if wrong := [name for name, (low, high) in self.box.items() if low >= high]:
            raise ValueError(f"the box of {wrong[0]} does not end above its beginning")
        return self

    def values(self) -> dict[str, float]:
        """Coefficient name -> value, as the model function takes them."""
        return {name: estimate.value for name, estimate in self.coefficients.items()}


def fit_model(model: Model, selection: Selection, params: Numbers, unit: str, robust: float = 0.0) -> Fit:
    """Least-squares fit of a model to one selection.

    With `robust` above 0, residuals larger than that part of the full range count less and less (soft L1).

    Every fourth point, counted along each input so that the box's corners stay in, is kept from the fit
    and used to state its error.

    Raises
    ------
    FitError
        If the optimiser stops early or the data do not determine a coefficient.
    """
    if constant := [name for name, x in selection.inputs.items() if x.min() == x.max()]:
        raise FitError(f"model {model.name}: {constant[0]} has one value only; sweep it, or choose another model")
    held = held_out(selection.inputs)
    numeric = {name: value for name, value in selection.conditions.items() if not isinstance(value, str)}
    problem = Problem(model, selection.part(~held), selection.full_range, {**params, **numeric})
    solution = problem.solve_linear() if model.linear and not robust else problem.solve(robust)
    coefficients = _estimates(model, problem, solution)
    values = {name: estimate.value for name, estimate in coefficients.items()}
    predicted = np.asarray(model(*selection.inputs.values(), **values), dtype=float)
    return Fit(
        model=model.name,
        form=model.form,
        equation=model.equation,
        inputs=model.inputs,
        output=model.output,
        unit=unit,
        conditions=selection.conditions,
        coefficients=coefficients,
        covariance=solution.covariance.tolist(),
        box={name: (float(x.min()), float(x.max())) for name, x in selection.inputs.items()},
        full_range=selection.full_range,
        fitted=compute_errors(selection, predicted, ~held),
        held_out=compute_errors(selection, predicted, held),
    )


def _estimates(model: Model, problem: Problem, solution: Solution) -> dict[str, Estimate]:
    """Every coefficient in the order of the model; one that was given has no standard error."""
    errors = dict(zip(problem.free, np.sqrt(np.diag(solution.covariance)).tolist(), strict=True))
    values = {**problem.given, **dict(zip(problem.free, solution.values.tolist(), strict=True))}
    return {
        name: Estimate(value=values[name], stderr=errors.get(name), unit=c.unit, doc=c.doc)
        for name, c in model.coefficients.items()
    }


def held_out(inputs: Mapping[str, Floats]) -> Mask:
    """Mask of the points a fit does not see: every fourth diagonal of the grid the inputs lie on, its corners kept."""
    codes = [np.unique(x, return_inverse=True)[1] for x in inputs.values()]
    total = np.asarray(sum(codes))
    if total.size < _FEWEST_TO_HOLD_OUT:
        return np.zeros(total.shape, dtype=bool)
    corner = np.logical_and.reduce([(code == 0) | (code == code.max()) for code in codes])
    return np.asarray((total % _HOLD_OUT_EVERY == _HOLD_OUT_EVERY // 2) & ~corner)


def compute_errors(selection: Selection, predicted: Floats, where: Mask) -> Errors | None:
    """Compare a prediction with the data at the points of a mask; None if there are none."""
    if not where.any():
        return None
    observed = selection.output[where]
    error = predicted[where] - observed
    worst = int(np.abs(error).argmax())
    rms = float(np.sqrt(np.mean(error**2)))
    spread = float(np.sum((observed - observed.mean()) ** 2))
    return Errors(
        n=error.size,
        rms=rms,
        nrmse=rms / selection.full_range,
        worst=float(error[worst]),
        worst_at={name: float(x[where][worst]) for name, x in selection.inputs.items()},
        r2=1 - float(np.sum(error**2)) / spread if spread else None,
    )


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A fit that could not be made, and why; at one condition, or, if the table does not allow the model, at all."""

    model: str
    reason: str

    def __str__(self) -> str:
        """The reason."""
        return self.reason


def fit_all(
    models: Sequence[Model], table: pd.DataFrame, dims: Sequence[str], params: Numbers, units: Mapping[str, str]
) -> tuple[list[Fit], list[LeftOut]]:
    """Fit every model at every condition of a table.

    Returns
    -------
    fits : list of Fit
        What could be fitted.
    left_out : list of LeftOut
        Why the others could not, one by one.
    """
    fits: list[Fit] = []
    left_out: list[LeftOut] = []
    for model in models:
        try:
            selections = select(model, table, dims, params)
        except DataError as error:
            left_out.append(LeftOut(model=model.name, reason=str(error)))
            continue
        for selection in selections:
            try:
                fits.append(fit_model(model, selection, params, units[model.output]))
            except FitError as error:
                at = ", ".join(f"{name} = {value}" for name, value in selection.conditions.items())
                left_out.append(LeftOut(model=model.name, reason=f"{error} (at {at})" if at else str(error)))
    return fits, left_out
