"""Cross-validation: whole rows and columns of a grid are left out in turn and predicted by a fit to the rest."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ..declare.bench import Floats, Numbers
from ..errors import FitError
from .accuracy import CrossValidation, compute_errors
from .least_squares import Problem
from .points import Mask

MOST_BLOCKS = 12
"""Largest number of blocks of one input."""
_FEWEST_VALUES = 3


def blocks(inputs: Mapping[str, Floats]) -> Iterator[Mask]:
    """Masks of the points that are left out together: those with one value of one input.

    An input with more than `MOST_BLOCKS` values, as in a table of scattered points, is divided into that many groups
    of neighbouring values.  An input with fewer than three values gives no block: without one of two values it
    would not vary.  Inputs are arrays of shape (n,) in SI units; so are the masks, which are boolean.
    """
    for x in inputs.values():
        values, codes = np.unique(x, return_inverse=True)
        if values.size < _FEWEST_VALUES:
            continue
        for group in np.array_split(np.arange(values.size), min(values.size, MOST_BLOCKS)):
            yield (codes >= group[0]) & (codes <= group[-1])


def cross_validate(problem: Problem, fitted: Numbers, robust: float = 0.0) -> CrossValidation | None:
    """Leave out each block of `blocks` in turn, fit the model to the other points, and predict the block.

    A block at an end of the range is extrapolated and counts like every other block, so a model that fits well may
    have larger errors here than between the points.  The result does not depend on random numbers.

    Parameters
    ----------
    problem : Problem
        The problem with all points.
    fitted : mapping of str to float
        Its fitted coefficients, at which each nonlinear refit begins.
    robust : float
        The same as in `Problem.solve`.

    Returns
    -------
    CrossValidation or None
        None if there is no block, or if the points without any one block are too few for the model.
    """
    left_out = list(blocks(problem.points.inputs))
    where: list[NDArray[np.intp]] = []
    predicted: list[Floats] = []
    for block in left_out:
        try:
            prediction = predict_block(problem, block, fitted, robust)
        except FitError:
            continue
        where.append(np.flatnonzero(block))
        predicted.append(prediction)
    if not where:
        return None
    points = problem.points.part(np.concatenate(where))
    errors = compute_errors(points, np.concatenate(predicted), problem.full_range)
    return CrossValidation(**errors.model_dump(), n_blocks=len(left_out), n_failed=len(left_out) - len(where))


def predict_block(problem: Problem, block: Mask, fitted: Numbers, robust: float = 0.0) -> Floats:
    """Output at the points of a block, predicted by a fit to all other points.

    Parameters
    ----------
    problem : Problem
        The problem with all points.
    block : ndarray of bool, shape (n,)
        Mask of the points that are left out and predicted.
    fitted : mapping of str to float
        Coefficients at which a nonlinear refit begins.
    robust : float
        The same as in `Problem.solve`.

    Returns
    -------
    ndarray, shape (n_block,)
        The prediction [unit of the output].

    Raises
    ------
    FitError
        If the other points do not determine the model, or it gives no number at a point of the block.
    """
    refit = problem.without(block, fitted)
    values = refit.coefficients(refit.fit(robust))
    with np.errstate(all="ignore"):
        predicted = np.asarray(problem.model(*problem.points.part(block).inputs.values(), **values), dtype=float)
    if not np.isfinite(predicted).all():
        raise FitError(f"model {problem.model.name} is not a number at a point that was left out")
    return predicted
