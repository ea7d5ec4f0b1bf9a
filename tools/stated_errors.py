"""The fit of a record that the tables show, and its errors; all scripts use this choice."""

from markdown_table import NONE

from gaincell_char.fitting.accuracy import Errors
from gaincell_char.fitting.fit import FITTED, Fit
from gaincell_char.fitting.noise_floor import compute_noise_floor
from gaincell_char.fitting.record import Record
from gaincell_char.registry import load_circuit
from gaincell_char.workflows.noise_floors import find_packaged_noise


def stated(fit: Fit) -> Errors:
    """Errors at random points that were simulated after the fit."""
    assert fit.fresh is not None
    return fit.fresh


def noise_floor(record: Record, fit: Fit, noise: Record) -> float | None:
    """Rms noise of the output of a fit of a record, in its unit, from the record of the noise; None if not known."""
    return compute_noise_floor(load_circuit(record.circuit), fit, noise.fits)


def noise_percent(record: Record, fit: Fit, scale: float = 0.0) -> str:
    """Rms noise of the output of a fit by the packaged records [% of `scale`, or of its full range]."""
    floor = find_packaged_noise(record, fit)
    return NONE if floor is None else f"{100 * floor / (scale or fit.full_range):.4f} %"


def fitted(record: Record) -> Fit:
    """The first fit of the fitted form, which the published form is compared with."""
    return next(fit for fit in record.fits if fit.form == FITTED)
