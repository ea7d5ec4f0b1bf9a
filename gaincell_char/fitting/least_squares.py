"""Least squares of one model: unknowns in units of their scale, residuals in units of the full range."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import scipy

from ..declare.bench import Floats, Numbers
from ..declare.model import Model
from ..errors import FitError
from .points import Mask, Selection

# The error of a finite-difference Jacobian of second order is about 1e-10 of its largest column.
_RANK_TOLERANCE = 1e-9
_LINEAR_RANK_TOLERANCE = 1e-11
# The error of one of first order is about 1e-8 of it.
_SHORT_RANK_TOLERANCE = 1e-7
# With the default tolerances of SciPy, coefficients differ from the solution by 1e-7.
_WHOLE_SEARCH: Mapping[str, Any] = {"jac": "3-point", "ftol": 1e-13, "xtol": 1e-11, "gtol": 1e-15, "max_nfev": 3000}
_SHORT_SEARCH: Mapping[str, Any] = {"jac": "2-point", "ftol": 1e-7, "xtol": 1e-7, "gtol": 1e-9, "max_nfev": 1000}
_STEP = 1e-5
"""Step of a derivative, in units of the scale of a coefficient."""
_STEPS_USED_UP = 0
"""Status of a result of `scipy.optimize.least_squares` after its largest number of steps."""
_FAR = 1e3
"""Residual [full range] of a point at which the model is not a number."""
_UNDETERMINED_SHARE = 0.1
"""Messages name coefficients with at least this part of the largest share in an undetermined direction."""


@dataclass(frozen=True, kw_only=True)
class Solution:
    """Fitted values and their covariance, in the order of `Problem.free`.

    Attributes
    ----------
    values : ndarray, shape (n_free,)
        Fitted coefficients [unit of each coefficient].
    covariance : ndarray, shape (n_free, n_free)
        Covariance [product of the units of both coefficients].
    """

    values: Floats
    covariance: Floats


class Problem:
    """A model with free coefficients, and the points it is fitted to.

    Parameters
    ----------
    model : Model
        The model to fit.
    points : Selection
        Points of the fit.
    full_range : float
        Largest minus smallest output of all points [unit of the output].
    params : mapping of str to float
        Parameters [SI unit], from which start values are computed.
    start : mapping of str to float, optional
        Coefficients near the solution, at which a short nonlinear search begins.
    known : mapping of str to float, optional
        Coefficients that have been measured and are not fitted.
    begin : mapping of str to float, optional
        Coefficients at which a whole search begins instead of their starts.

    Attributes
    ----------
    model, points, full_range
        The arguments of the same names.
    free : list of str
        Coefficients that are fitted.
    given : mapping of str to float
        Coefficients that are not fitted.
    weight : ndarray, shape (n,)
        Weight of the residual of each point.

    Raises
    ------
    FitError
        If there are too few points.
    """

    def __init__(
        self,
        model: Model,
        points: Selection,
        full_range: float,
        params: Numbers,
        start: Numbers | None = None,
        known: Numbers | None = None,
        begin: Numbers | None = None,
    ) -> None:
        self.model, self.points, self.full_range, self._params = model, points, full_range, params
        self._short, self._known = start is not None, known or {}
        declared = {name: coefficient.start_value(params) for name, coefficient in model.coefficients.items()}
        fixed = {name: declared[name] for name, coefficient in model.coefficients.items() if coefficient.fixed}
        self.given = {**fixed, **self._known}
        self.free = [name for name in declared if name not in self.given]
        unknown = [model.coefficients[name] for name in self.free]
        typical = np.array([declared[name] for name in self.free])
        first = {**declared, **(begin or {}), **(start or {})}
        self._start = np.array([first[name] for name in self.free])
        self._low = np.array([coefficient.low for coefficient in unknown])
        self._high = np.array([coefficient.high for coefficient in unknown])
        self._scale = np.array([c.scale or abs(s) or 1.0 for c, s in zip(unknown, typical, strict=True)])
        self.weight, self._variance = _weights(points, full_range, model.relative_from)
        if points.output.size <= len(self.free):
            raise FitError(
                f"model {model.name} has {len(self.free)} coefficients for {points.output.size} points; widen the sweep"
            )

    def without(self, block: Mask, start: Numbers) -> "Problem":
        """Return the same problem without some of its points, for a short search from a given start.

        Parameters
        ----------
        block : ndarray of bool, shape (n,)
            Boolean mask of the points to leave out.
        start : mapping of str to float
            Coefficients near the solution.

        Raises
        ------
        FitError
            If too few points are left.
        """
        part = Problem(self.model, self.points.part(~block), self.full_range, self._params, start, self._known)
        if self.model.linear:
            base, columns = self._linear_terms
            part._linear_terms = base[~block], columns[~block]
        return part

    def fit(self, robust: float = 0.0, most_steps: int | None = None) -> Solution:
        """Solution by `solve_linear` if the model is linear and `robust` is 0, else by `solve`, with their errors."""
        return self.solve_linear() if self.model.linear and not robust else self.solve(robust, most_steps)

    def coefficients(self, solution: Solution) -> dict[str, float]:
        """Name -> value of every coefficient, first those that are not fitted."""
        return {**self.given, **dict(zip(self.free, solution.values.tolist(), strict=True))}

    def linearise(self, values: Numbers) -> tuple[Floats, Floats, Floats]:
        """Linear problem near a solution.

        Parameters
        ----------
        values : mapping of str to float
            Coefficients [unit of each].

        Returns
        -------
        scaled : ndarray, shape (n_free,)
            The coefficients in units of their scales.
        predicted : ndarray, shape (n,)
            Output of the model [full range].
        jacobian : ndarray, shape (n, n_free)
            Its derivative by each of `scaled` [full range]; exact for a linear model.
        """
        scaled = np.array([values[name] for name in self.free]) / self._scale
        if self.model.linear:
            base, columns = self._linear_terms
            return scaled, (base + columns @ scaled) / self.full_range, columns / self.full_range
        steps = _STEP * np.eye(scaled.size)
        differences = [self._predict(scaled + step) - self._predict(scaled - step) for step in steps]
        jacobian = np.stack(differences, axis=1) / (2 * _STEP * self.full_range)
        return scaled, self._predict(scaled) / self.full_range, jacobian

    def solve(self, robust: float = 0.0, most_steps: int | None = None) -> Solution:
        """Nonlinear least squares.

        Parameters
        ----------
        robust : float
            Residual [full range] above which the weight of a residual decreases (soft L1); 0 for plain least squares.
        most_steps : int, optional
            Steps after which the search ends without a solution.

        Raises
        ------
        FitError
            If the optimiser stops early or the points do not determine a coefficient.
        """
        try:
            result = self._search(robust, most_steps)
        except (ValueError, ArithmeticError) as error:  # the residual is infinite at the start
            raise FitError(f"model {self.model.name} cannot be fitted to these numbers: {error}") from None
        if not result.success or not np.isfinite(self._residual(result.x)).all():
            raise FitError(f"model {self.model.name}: the optimiser stopped early: {result.message}")
        jacobian = np.asarray(result.jac)
        self._check_rank(jacobian, _SHORT_RANK_TOLERANCE if self._short else _RANK_TOLERANCE)
        return self._solution(result.x, jacobian, result.fun)

    def _search(self, robust: float, most_steps: int | None) -> Any:
        """Result of the optimiser; a residual that is not a number counts as a large one, so the search avoids it.

        The trust region reflective algorithm approaches a solution at a bound in ever smaller steps; if it uses up its
        steps, dogbox, which moves along the bound, continues where it stopped.
        """
        start = self._start / self._scale
        if not np.isfinite(self._residual(start)).all():
            raise ValueError("the model is not a number where the search begins")
        limit = {} if most_steps is None else {"max_nfev": most_steps}
        result = self._least_squares(start, "trf", robust, limit)
        if result.status == _STEPS_USED_UP and not limit:
            return self._least_squares(result.x, "dogbox", robust, limit)
        return result

    def _least_squares(
        self, start: Floats, method: Literal["trf", "dogbox"], robust: float, limit: Mapping[str, int]
    ) -> Any:
        return scipy.optimize.least_squares(
            self._finite_residual,
            start,
            method=method,
            bounds=(self._low / self._scale, self._high / self._scale),
            x_scale="jac",
            loss="soft_l1" if robust else "linear",
            f_scale=robust or 1.0,
            **{"workers": self._residual_of_each, **(_SHORT_SEARCH if self._short else _WHOLE_SEARCH), **limit},
        )

    def solve_linear(self) -> Solution:
        """Exact solution for a model that is linear in its coefficients.

        Raises
        ------
        FitError
            If the points do not determine a coefficient.
        """
        base, columns = self._linear_terms
        jacobian = columns / self.full_range
        self._check_rank(jacobian, _LINEAR_RANK_TOLERANCE)
        jacobian = jacobian * self.weight[:, None]
        norm = np.linalg.norm(jacobian, axis=0)
        target = self.weight * (self.points.output - base) / self.full_range
        scaled = np.linalg.lstsq(jacobian / norm, target)[0] / norm
        return self._solution(scaled, jacobian, self._residual(scaled))

    @cached_property
    def _linear_terms(self) -> tuple[Floats, Floats]:
        """Output of a linear model without its free coefficients, and the output per scale of each of them."""
        base = self._predict(np.zeros(len(self.free)))
        columns = [self._predict(unit) - base for unit in np.eye(len(self.free))]
        return base, np.stack(columns, axis=1)

    def _predict(self, scaled: Floats) -> Floats:
        scale = self._scale.reshape(-1, *(1,) * (scaled.ndim - 1))
        values = dict(zip(self.free, scaled * scale, strict=True))
        # A step of the search may reach coefficients at which the model is not a number; the residual is then large.
        with np.errstate(all="ignore"):
            return np.asarray(self.model(*self.points.inputs.values(), **values, **self.given), dtype=float)

    def _residual(self, scaled: Floats) -> Floats:
        return np.asarray(self.weight * (self._predict(scaled) - self.points.output) / self.full_range)

    def _finite_residual(self, scaled: Floats) -> Floats:
        return np.nan_to_num(self._residual(scaled), nan=_FAR, posinf=_FAR, neginf=_FAR)

    def _residual_of_each(self, residual: Callable[[Floats], Floats], steps: Iterable[Floats]) -> list[Floats]:
        """Residual of each step of a Jacobian, as `map` gives them, but in one call of the model.

        At a few hundred points most of the time of a call does not depend on their number.
        A model that takes numbers only is called once a step.
        """
        scaled = np.array(list(steps))
        try:
            together = self._finite_residual(scaled.T[:, :, None])
        except (TypeError, ValueError):
            together = np.empty(0)
        if together.shape == (len(scaled), self.points.output.size):
            return list(together)
        return [residual(step) for step in scaled]

    def _check_rank(self, jacobian: Floats, tolerance: float) -> None:
        """Refuse points that do not determine a coefficient: the Jacobian with normalised columns lacks full rank."""
        if not np.isfinite(jacobian).all():
            raise FitError(f"model {self.model.name} is not a number at some of the points, or near them")
        norm = np.linalg.norm(jacobian, axis=0)
        flat = [name for name, size in zip(self.free, norm, strict=True) if size == 0]
        if not flat:
            try:
                _, sizes, directions = np.linalg.svd(jacobian / norm, full_matrices=False)
            except np.linalg.LinAlgError as error:  # LAPACK gives up on some matrices without full rank
                raise FitError(f"model {self.model.name}: the data do not determine it: {error}") from None
            if sizes[-1] >= tolerance * sizes[0]:
                return
            null = np.abs(directions[-1])
            least = _UNDETERMINED_SHARE * null.max()
            flat = [name for name, share in zip(self.free, null, strict=True) if share > least]
        raise FitError(
            f"model {self.model.name}: the data do not determine {', '.join(flat)}; "
            "widen the sweep or choose a simpler model"
        )

    def _solution(self, scaled: Floats, jacobian: Floats, residual: Floats) -> Solution:
        """Values, and the covariance of the linearised problem.

        Seber and Wild, Nonlinear Regression, 1989, section 2.1.
        """
        norm = np.linalg.norm(jacobian, axis=0)
        inverse = np.linalg.pinv(jacobian / norm)
        variance = self._variance or float(residual @ residual) / (residual.size - len(self.free))
        scale = self._scale / norm
        covariance = np.asarray(inverse @ inverse.T * variance * np.outer(scale, scale))
        return Solution(values=scaled * self._scale, covariance=covariance)


def _weights(points: Selection, full_range: float, relative_from: float) -> tuple[Floats, float | None]:
    """Weight of each residual, and the variance of a weighted residual if the sigma of the data is known.

    Weights are about 1, so residuals stay in units of the full range; the variance is in the square of that unit.
    """
    if points.sigma is not None:
        typical = float(np.sqrt(np.mean(points.sigma**2)))
        return np.asarray(typical / points.sigma), (typical / full_range) ** 2
    if relative_from == 0:
        return np.ones(points.output.size), None
    size = np.hypot(points.output, relative_from * full_range)
    return np.asarray(np.sqrt(np.mean(size**2)) / size), None
