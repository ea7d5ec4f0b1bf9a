"""Extrapolation of a model: the end of the range of each input is left out and predicted by a fit to the rest."""

from collections.abc import Iterator, Mapping

import numpy as np

from ..declare.bench import Floats, Numbers
from ..errors import FitError
from .accuracy import EndBlock, Errors, compute_errors
from .cross_validation import predict_block
from .least_squares import Problem
from .points import Mask

SHARE = 6
"""One in this number of the values of an input is left out at each end of its range."""
_FEWEST_VALUES = 4


def ends(inputs: Mapping[str, Floats]) -> Iterator[tuple[str, Mask]]:
    """Each input twice, with the masks of the points in the lower and in the upper sixth of its values.

    An input with fewer than four values gives no block: without an end of it, two values would remain.  `inputs` are
    arrays of shape (n,) in SI units; so are the masks, which are boolean.
    """
    for name, x in inputs.items():
        values, codes = np.unique(x, return_inverse=True)
        if values.size < _FEWEST_VALUES:
            continue
        count = max(1, round(values.size / SHARE))
        yield name, codes < count
        yield name, codes >= values.size - count


def leave_out_ends(problem: Problem, fitted: Numbers, robust: float = 0.0) -> tuple[EndBlock, ...]:
    """Leave out each block of `ends` in turn, fit the model to the other points, and predict the block.

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
    tuple of EndBlock
        Two per input, lower end first; errors are relative to the full range of all points.
    """
    found = []
    for name, block in ends(problem.points.inputs):
        x = problem.points.inputs[name][block]
        errors = _extrapolate(problem, block, fitted, robust)
        found.append(EndBlock(input=name, low=float(x.min()), high=float(x.max()), errors=errors))
    return tuple(found)


def _extrapolate(problem: Problem, block: Mask, fitted: Numbers, robust: float) -> Errors | None:
    try:
        predicted = predict_block(problem, block, fitted, robust)
    except FitError:
        return None
    return compute_errors(problem.points.part(block), predicted, problem.full_range)
