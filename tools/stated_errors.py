"""Fit of a record, and its errors, that the tables show; all scripts use this choice."""

from collections.abc import Mapping

import numpy as np

from gaincell_char.fitting.fit import Errors, Fit, held_out
from gaincell_char.fitting.record import Record


def stated(fit: Fit) -> Errors:
    """Errors at points that were not used in the fit."""
    assert fit.held_out is not None
    return fit.held_out


def fitted(record: Record) -> Fit:
    """The first fit of the fitted form, which the published form is compared with."""
    return next(fit for fit in record.fits if fit.form == "best")


def unseen(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Mask of the points of a grid that were not used in the fit."""
    return held_out(inputs)
