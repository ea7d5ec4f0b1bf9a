"""How far a model is off: on the points of its fit, on points left out in turn, on points simulated afterwards."""

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..declare.bench import Floats
from ..storage.schema_fields import Count, Finite, Name, NotNegative
from .points import Selection


class Errors(BaseModel):
    """How far a model is off on a set of points.

    ``rms`` and ``worst`` are in the unit of the output; ``nrmse`` is ``rms`` as a fraction of the
    output's full range; ``worst_at`` gives the inputs of the worst point; ``r2`` is None where the data do not vary.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: Count
    rms: NotNegative
    nrmse: NotNegative
    worst: Finite
    worst_at: dict[Name, Finite]
    r2: Finite | None


class CrossValidation(Errors):
    """Errors on blocks of points, each predicted by a fit to the other points.

    ``n`` counts every prediction: a point of a grid of two inputs is predicted once without its row and once without
    its column.

    Attributes
    ----------
    n_blocks : int
        Blocks that were left out, one after the other.
    n_failed : int
        Those of them without which the model could not be fitted; their points are not among the ``n``.
    """

    n_blocks: Count
    n_failed: Count


class FreshErrors(Errors):
    """Errors on random points over the closed valid range that were simulated after the fit.

    Attributes
    ----------
    seed : int
        Of the random numbers.
    n_failed : int
        Runs of the simulator without a result; their points are not among the ``n``.
    """

    seed: Count
    n_failed: Count


def compute_errors(points: Selection, predicted: Floats, full_range: float) -> Errors:
    """Compare a prediction with the data at the same points, of which there is at least one.

    Parameters
    ----------
    full_range : float
        Largest minus smallest output of the points of the fit, above 0.
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
