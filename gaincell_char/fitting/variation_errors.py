"""How well random coefficients describe the copies of a circuit: share of the variance, and error of sigma."""

from collections.abc import Mapping

import numpy as np

from ..declare.bench import Floats
from ..declare.model import RandomModel
from ..errors import FitError
from .points import Mask

_HOLD_OUT_EVERY = 4
_FEWEST_TO_HOLD_OUT = 12
_LEAST_EXPLAINED, _LARGEST_SIGMA_ERROR = 0.5, 0.5
"""Share of the variance and error of sigma beyond both of which a random model is left out."""
_SMALLEST_SIGMA = 1e-3


def held_out(inputs: Mapping[str, Floats]) -> Mask:
    """Mask of the inputs that are held out of the fit: every fourth diagonal of their grid, without its corners.

    Inputs are arrays of shape (n_inputs,) in SI units; so is the mask, which is boolean.
    """
    codes = [np.unique(x, return_inverse=True)[1] for x in inputs.values()]
    total = np.asarray(sum(codes))
    if total.size < _FEWEST_TO_HOLD_OUT:
        return np.zeros(total.shape, dtype=bool)
    corner = np.logical_and.reduce([(code == 0) | (code == code.max()) for code in codes])
    return np.asarray((total % _HOLD_OUT_EVERY == _HOLD_OUT_EVERY // 2) & ~corner)


def find_explained(columns: Floats, deviations: Floats, held: Mask) -> float:
    """Share of the variance that the coefficients explain, at held-out inputs if there are any.

    Parameters
    ----------
    columns : ndarray, shape (n_inputs, n_coefficients)
        Change of the output by each coefficient [unit of the output / unit of the coefficient].
    deviations : ndarray, shape (n_samples, n_inputs)
        Output of every copy less that of the typical circuit [unit of the output].
    held : ndarray of bool, shape (n_inputs,)
        Boolean mask of the inputs that are held out, as `held_out` chooses them.
    """
    read, shown = (~held, held) if held.any() else (np.ones_like(held), np.ones_like(held))
    found = deviations[:, read] @ np.linalg.pinv(columns[read]).T
    rest = deviations[:, shown] - found @ columns[shown].T
    return float(1 - _sum_of_squares(rest) / _sum_of_squares(deviations[:, shown]))


def _sum_of_squares(values: Floats) -> float:
    """Sum of squares about the mean over the samples, which are the rows."""
    return float(np.sum((values - values.mean(axis=0)) ** 2))


def find_sigma_error(columns: Floats, found: Floats, deviations: Floats) -> float:
    """Largest relative difference over the inputs between sigma of the model and sigma of the simulation.

    Sigma of the model is from the first half of the samples, sigma of the simulation from the second half.
    Inputs at which the output varies by less than a thousandth of its largest sigma do not count.
    The halves are not interleaved, because every second Sobol point lies on the same side of the first variables.

    Parameters
    ----------
    columns : ndarray, shape (n_inputs, n_coefficients)
        Change of the output by each coefficient [unit of the output / unit of the coefficient].
    deviations : ndarray, shape (n_samples, n_inputs)
        Output of every copy less that of the typical circuit [unit of the output].
    found : ndarray, shape (n_samples, n_coefficients)
        Coefficients of every copy [unit of each coefficient].
    """
    half = len(deviations) // 2
    covariance = np.atleast_2d(np.cov(found[:half], rowvar=False))
    model_sigma = np.sqrt(np.einsum("ij,jk,ik->i", columns, covariance, columns))
    simulated_sigma = deviations[half:].std(axis=0, ddof=1)
    varies = simulated_sigma > _SMALLEST_SIGMA * simulated_sigma.max()
    if not varies.any():
        return float("nan")
    return float(np.abs(model_sigma[varies] / simulated_sigma[varies] - 1).max())


def check_errors(model: RandomModel, explained: float, sigma_error: float) -> None:
    """Refuse a model of an output that does not vary, and one that predicts neither its values nor its sigma.

    Parameters
    ----------
    model : RandomModel
        The random model.
    explained, sigma_error : float
        Results of `find_explained` and `find_sigma_error`, dimensionless.

    Raises
    ------
    FitError
        If the model is refused.
    """
    if not np.isfinite((explained, sigma_error)).all():
        raise FitError(f"{model.name}: {model.output} does not vary from sample to sample at some input")
    if explained < _LEAST_EXPLAINED and sigma_error > _LARGEST_SIGMA_ERROR:
        raise FitError(
            f"{model.name}: its random coefficients explain {100 * explained:.3g} % of the variance of {model.output}, "
            f"and its sigma is wrong by up to {100 * sigma_error:.3g} %; the circuit varies in other ways"
        )
