"""Errors of a model: at the points of its fit, at points left out, at points simulated after the fit."""

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..declare.bench import Floats
from ..storage.schema_fields import Count, Finite, Name, NotNegative
from .points import Selection


class Errors(BaseModel):
    """Errors of a model at a set of points.

    ``rms`` and ``worst`` are in the unit of the output; ``nrmse`` is ``rms`` as a fraction of the
    output's full range; ``worst_at`` gives the inputs of the worst point; ``r2`` is None if the data do not vary.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: Count
    rms: NotNegative
    nrmse: NotNegative
    worst: Finite
    worst_at: dict[Name, Finite]
    r2: Finite | None


class CrossValidation(Errors):
    """Errors at blocks of points, each predicted by a fit to the other points.

    ``n`` counts every prediction: a point of a grid of two inputs is predicted once without its row and once without
    its column.

    Attributes
    ----------
    n_blocks : int
        Number of blocks that were left out, one after the other.
    n_failed : int
        Number of blocks without which the model could not be fitted; their points are not among the ``n``.
    """

    n_blocks: Count
    n_failed: Count


class FreshErrors(Errors):
    """Errors at random points over the closed valid range that were simulated after the fit.

    Attributes
    ----------
    seed : int
        Seed of the random numbers.
    n_failed : int
        Number of simulator runs without a result; their points are not among the ``n``.
    """

    seed: Count
    n_failed: Count


class EndBlock(BaseModel):
    """Errors at one end of the range of an input, extrapolated by a fit to the other points.

    Attributes
    ----------
    input : str
        The input.
    low, high : float
        Smallest and largest value of the input in the block [SI unit].
    errors : Errors, optional
        Errors at the points of the block; None if the other points do not determine the model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Name
    low: Finite
    high: Finite
    errors: Errors | None


class RowError(BaseModel):
    """Errors in the row of a grid in which they are largest, relative to the range of the output in that row.

    A row consists of the points of the fit with one value of an input that is not the first one.

    Attributes
    ----------
    input, at : str, float
        The input that is constant in the row, and its value [SI unit].
    n : int
        Number of points of the row.
    row_range : float
        Largest minus smallest output in the row [unit of the output].
    rms, worst : float
        Errors in the row [unit of the output].
    nrmse : float
        `rms` as a fraction of `row_range`.
    n_rows, n_flat : int
        Number of rows compared, and of rows that are not, because their range is below 1 % of the full range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Name
    at: Finite
    n: Count
    row_range: NotNegative
    rms: NotNegative
    nrmse: NotNegative
    worst: Finite
    n_rows: Count
    n_flat: Count


class LargestError(BaseModel):
    """The largest error at any point that was simulated, including points at which it was searched for.

    Attributes
    ----------
    worst : float
        The largest error, with its sign [unit of the output].
    worst_at : mapping of str to float
        Inputs of that point [SI unit].
    n : int
        Number of points compared: those of the fit, fresh points, and points of the search.
    n_searched : int
        Number of points of the search.
    n_failed : int
        Number of simulator runs of the search without a result.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    worst: Finite
    worst_at: dict[Name, Finite]
    n: Count
    n_searched: Count
    n_failed: Count


def compute_errors(points: Selection, predicted: Floats, full_range: float) -> Errors:
    """Compare a prediction with the data at the same points.

    Parameters
    ----------
    points : Selection
        The points; there must be at least one.
    predicted : ndarray, shape (n,)
        Prediction at each point [unit of the output].
    full_range : float
        Largest minus smallest output of the points of the fit [unit of the output], above 0.
    """
    error = predicted - points.output
    worst = int(np.abs(error).argmax())
    rms = float(np.sqrt(np.mean(error**2)))
    spread = float(np.sum((points.output - points.output.mean()) ** 2))
    return Errors(
        n=error.size,
        rms=rms,
        nrmse=rms / full_range,
        worst=float(error[worst]),
        worst_at={name: float(x[worst]) for name, x in points.inputs.items()},
        r2=1 - float(np.sum(error**2)) / spread if spread else None,
    )
