"""Errors of a model: at the points of its fit, at points left out in turn, at points simulated after the fit."""

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
