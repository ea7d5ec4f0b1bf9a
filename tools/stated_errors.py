"""The fit of a record that the tables show, and its errors; all scripts use this choice."""

from gaincell_char.fitting.accuracy import Errors
from gaincell_char.fitting.fit import FITTED, Fit
from gaincell_char.fitting.record import Record


def stated(fit: Fit) -> Errors:
    """Errors at random points that were simulated after the fit."""
    assert fit.fresh is not None
    return fit.fresh


def fitted(record: Record) -> Fit:
    """The first fit of the fitted form, which the published form is compared with."""
    return next(fit for fit in record.fits if fit.form == FITTED)
