"""A table and a model -> coefficients, where they hold, and how far off they are on points not used."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, model_validator
from scipy.optimize import least_squares

from ..declare.bench import Floats, Numbers
from ..declare.model import Coefficient, Model
from ..errors import DataError, FitError
from ..storage.untrusted import Conditions, Count, Finite, Label, Name, NotNegative, Text
from .points import Selection, select

_HOLD_OUT_EVERY = 4
_FEWEST_TO_HOLD_OUT = 12
# Finite-difference Jacobians are good to about 1e-10 of their largest column.
_RANK_TOLERANCE = 1e-9
_LINEAR_RANK_TOLERANCE = 1e-11


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
    train = {name: x[~held] for name, x in selection.inputs.items()}
    problem = _Problem(
        model,
        train,
        selection.output[~held],
        selection.full_range,
        {**params, **_numeric(selection)},
        None if selection.sigma is None else selection.sigma[~held],
    )
    theta, jacobian, residual = problem.solve_linear() if model.linear and not robust else problem.solve(robust)
    covariance = problem.covariance(jacobian, residual)
    coefficients = problem.coefficients(theta, covariance)
    predicted = np.asarray(
        model.function(*selection.inputs.values(), **{k: e.value for k, e in coefficients.items()}),
        dtype=float,
    )
    return Fit(
        model=model.name,
        form=model.form,
        equation=model.equation,
        inputs=model.inputs,
        output=model.output,
        unit=unit,
        conditions=selection.conditions,
        coefficients=coefficients,
        covariance=covariance.tolist(),
        box={name: (float(x.min()), float(x.max())) for name, x in selection.inputs.items()},
        full_range=selection.full_range,
        fitted=errors(selection, predicted, ~held),
        held_out=errors(selection, predicted, held),
    )


def _numeric(selection: Selection) -> dict[str, float]:
    return {name: value for name, value in selection.conditions.items() if not isinstance(value, str)}


def held_out(inputs: Mapping[str, Floats]) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Mask of the points a fit does not see: every fourth diagonal of the grid the inputs lie on, its corners kept."""
    codes = [np.unique(x, return_inverse=True)[1] for x in inputs.values()]
    total = np.asarray(sum(codes))
    if total.size < _FEWEST_TO_HOLD_OUT:
        return np.zeros(total.shape, dtype=bool)
    corner = np.logical_and.reduce([(code == 0) | (code == code.max()) for code in codes])
    return np.asarray((total % _HOLD_OUT_EVERY == _HOLD_OUT_EVERY // 2) & ~corner)


def errors(selection: Selection, predicted: Floats, where: Any) -> Errors | None:
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


class _Problem:
    """The optimiser's view of a fit: scaled unknowns, residuals in units of full range."""

    def __init__(
        self,
        model: Model,
        inputs: Mapping[str, Floats],
        output: Floats,
        full_range: float,
        params: Numbers,
        sigma: Floats | None = None,
    ) -> None:
        # Weights of about 1: the residual stays in units of full range, and noise of known size has that variance.
        typical = full_range if sigma is None else float(np.sqrt(np.mean(sigma**2)))
        self.weight = np.ones(output.size) if sigma is None else np.asarray(typical / sigma)
        self.variance = None if sigma is None else (typical / full_range) ** 2
        self.model, self.inputs, self.output, self.full_range = (
            model,
            tuple(inputs.values()),
            output,
            full_range,
        )
        start = {name: _start(c, params) for name, c in model.coefficients.items()}
        self.given = {name: start[name] for name, c in model.coefficients.items() if c.fixed}
        self.free = [name for name in start if name not in self.given]
        unknown = [model.coefficients[name] for name in self.free]
        self.start = np.array([start[name] for name in self.free])
        self.low = np.array([c.low for c in unknown])
        self.high = np.array([c.high for c in unknown])
        self.scale = np.array([c.scale or abs(s) or 1.0 for c, s in zip(unknown, self.start, strict=True)])
        if output.size <= len(self.free):
            raise FitError(
                f"model {model.name} has {len(self.free)} coefficients for {output.size} points; widen the sweep"
            )

    def predict(self, scaled: Floats) -> Floats:
        values = dict(zip(self.free, scaled * self.scale, strict=True))
        return np.asarray(self.model.function(*self.inputs, **values, **self.given), dtype=float)

    def residual(self, scaled: Floats) -> Floats:
        return np.asarray(self.weight * (self.predict(scaled) - self.output) / self.full_range)

    def solve(self, robust: float = 0.0) -> tuple[Floats, Floats, Floats]:
        """Nonlinear least squares; scipy's default tolerances stop coefficients 1e-7 short."""
        try:
            result = least_squares(
                self.residual,
                self.start / self.scale,
                bounds=(self.low / self.scale, self.high / self.scale),
                jac="3-point",
                x_scale="jac",
                ftol=1e-13,
                xtol=1e-11,
                gtol=1e-15,
                max_nfev=3000,
                loss="soft_l1" if robust else "linear",
                f_scale=robust or 1.0,
            )
        except (ValueError, ArithmeticError) as error:  # the residual is infinite where the search begins
            raise FitError(f"model {self.model.name} cannot be fitted to these numbers: {error}") from None
        if not result.success or not np.isfinite(result.fun).all():
            raise FitError(f"model {self.model.name}: the optimiser stopped early: {result.message}")
        jacobian = np.asarray(result.jac)
        self._check_rank(jacobian, _RANK_TOLERANCE)
        return result.x, jacobian, result.fun

    def solve_linear(self) -> tuple[Floats, Floats, Floats]:
        """Exact solution for a model that is linear in its coefficients."""
        base = self.predict(np.zeros(len(self.free)))
        jacobian = np.stack([self.predict(u) - base for u in np.eye(len(self.free))], axis=1) / self.full_range
        self._check_rank(jacobian, _LINEAR_RANK_TOLERANCE)
        jacobian = jacobian * self.weight[:, None]
        norm = np.linalg.norm(jacobian, axis=0)
        theta = np.linalg.lstsq(jacobian / norm, self.weight * (self.output - base) / self.full_range)[0] / norm
        return theta, jacobian, self.residual(theta)

    def _check_rank(self, jacobian: Floats, tolerance: float) -> None:
        if not np.isfinite(jacobian).all():
            raise FitError(f"model {self.model.name} is not a number at some of the points, or near them")
        norm = np.linalg.norm(jacobian, axis=0)
        flat = [name for name, size in zip(self.free, norm, strict=True) if size == 0]
        if not flat:
            _, sizes, directions = np.linalg.svd(jacobian / norm, full_matrices=False)
            if sizes[-1] >= tolerance * sizes[0]:
                return
            null = np.abs(directions[-1])
            flat = [name for name, share in zip(self.free, null, strict=True) if share > 0.1 * null.max()]
        raise FitError(
            f"model {self.model.name}: the data do not determine {', '.join(flat)}; "
            "widen the sweep or choose a simpler model"
        )

    def covariance(self, jacobian: Floats, residual: Floats) -> Floats:
        norm = np.linalg.norm(jacobian, axis=0)
        inverse = np.linalg.pinv(jacobian / norm)
        variance = self.variance or float(residual @ residual) / (residual.size - len(self.free))
        scale = self.scale / norm
        return np.asarray(inverse @ inverse.T * variance * np.outer(scale, scale))

    def coefficients(self, scaled: Floats, covariance: Floats) -> dict[str, Estimate]:
        found = dict(zip(self.free, zip(scaled * self.scale, np.sqrt(np.diag(covariance)), strict=True), strict=True))
        given = {name: (value, None) for name, value in self.given.items()}
        return {
            name: Estimate(value=float(value), stderr=None if stderr is None else float(stderr), unit=c.unit, doc=c.doc)
            for name, c in self.model.coefficients.items()
            for value, stderr in [{**found, **given}[name]]
        }


def _start(coefficient: Coefficient, params: Numbers) -> float:
    start: float | Callable[[Numbers], float] = coefficient.start
    return float(start(params)) if callable(start) else float(start)


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
