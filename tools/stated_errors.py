"""The fit of a record that the tables show, and its errors; all scripts use this choice."""

from gaincell_char.fitting.accuracy import Errors
from gaincell_char.fitting.fit import FITTED, Fit
from gaincell_char.fitting.noise_floor import compute_noise_floor
from gaincell_char.fitting.record import Record
from gaincell_char.registry import load_circuit


def stated(fit: Fit) -> Errors:
    """Errors at random points that were simulated after the fit."""
    assert fit.fresh is not None
    return fit.fresh


def noise_floor(record: Record, fit: Fit, noise: Record) -> float | None:
    """Rms noise of the output of a fit of a record, in its unit, from the record of the noise; None if not known."""
    return compute_noise_floor(load_circuit(record.circuit), fit, noise.fits)


def fitted(record: Record) -> Fit:
    """The first fit of the fitted form, which the published form is compared with."""
    return next(fit for fit in record.fits if fit.form == FITTED)
