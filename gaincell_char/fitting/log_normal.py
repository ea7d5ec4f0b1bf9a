"""Random numbers in the exponent of a coefficient, and the changes of the coefficient that they cause."""

import numpy as np

from ..declare.bench import Floats
from ..declare.model import RandomModel

_SMALLEST_FACTOR = 1e-6


def find_numbers(model: RandomModel, changes: Floats) -> Floats:
    """Random numbers of the samples, from the linear changes that they cause.

    An output that is proportional to a coefficient is linear in its relative change, whatever its size; the random
    number of a logarithmic change is the logarithm of the factor.

    Parameters
    ----------
    model : RandomModel
        Declaration of the random numbers.
    changes : ndarray, shape (n_samples, n_numbers)
        Change by each number, in the unit of the number.

    Returns
    -------
    ndarray, shape (n_samples, n_numbers)
        The numbers, in the unit of each.
    """
    logarithmic = [change.logarithmic for change in model.random.values()]
    factors = np.log1p(np.maximum(changes, _SMALLEST_FACTOR - 1))
    return np.where(logarithmic, factors, changes)


def changes_covariance(model: RandomModel, covariance: Floats) -> Floats:
    """Covariance of the changes of the coefficients, from that of the random numbers.

    Parameters
    ----------
    model : RandomModel
        Declaration of the random numbers, which are normal with mean 0.
    covariance : ndarray, shape (n_numbers, n_numbers)
        Their covariance, in the product of the units of both.

    Returns
    -------
    ndarray, shape (n_numbers, n_numbers)
        For two logarithmic changes (exp(c_ij) - 1) exp((c_ii + c_jj)/2), the covariance of log-normal numbers; for one
        c_ij exp(c_ii/2) with i the logarithmic one; else c_ij.  In the same units.  Aitchison and Brown, The Lognormal
        Distribution, 1957.
    """
    is_log = np.array([change.logarithmic for change in model.random.values()])
    mean = np.where(is_log, np.exp(np.diag(covariance) / 2), 1.0)
    both = np.logical_and.outer(is_log, is_log)
    return np.asarray(np.where(both, np.expm1(covariance), covariance) * np.outer(mean, mean))
