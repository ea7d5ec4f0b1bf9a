"""Variances from noise spectra: what is left of a spectrum after an average or a difference of two samples.

A spectrum is one-sided, [unit^2/Hz], on a grid of frequencies with a constant number of points per decade.
"""

from collections.abc import Mapping

import numpy as np
import scipy

from ..errors import DataError
from .bench import Floats, density


def spectrum(waves: Mapping[str, Floats], node: str, *, at_source: bool = False) -> Floats:
    """Spectrum of the noise of `node` [V^2/Hz], shape (n_frequencies,), from `waves`, the vectors of a noise analysis.

    With `at_source` it is referred to the source of the node.
    """
    amplitude: Floats = waves[density(node, at_source=at_source)]
    return amplitude**2


def integral(frequency: Floats, spectrum: Floats) -> float:
    """Variance [unit^2] of a spectrum over its frequencies, by the trapezoidal rule over the logarithm of frequency.

    It converges exponentially for a spectrum whose product with the frequency is flat at the lower end and vanishes at
    the upper one.

    Parameters
    ----------
    frequency : ndarray, shape (n,)
        Frequencies [Hz].
    spectrum : ndarray, shape (n,)
        Values [unit^2/Hz].
    """
    return float(np.trapezoid(frequency * spectrum, np.log(frequency)))


def bandwidth(frequency: Floats, gain: Floats) -> float:
    """Frequency [Hz] above that of the largest gain at which the gain has fallen by the square root of 2.

    Parameters
    ----------
    frequency : ndarray, shape (n,)
        Frequencies [Hz].
    gain : ndarray, shape (n,)
        Gain, dimensionless; a cubic spline passes through its logarithm.

    Raises
    ------
    DataError
        If the gain does not fall so far.
    """
    fall = np.log(gain / gain.max()) + np.log(2) / 2
    roots = scipy.interpolate.CubicSpline(np.log(frequency), fall).roots(extrapolate=False)
    above = roots[roots > np.log(frequency[gain.argmax()])]
    if not above.size:
        raise DataError("the gain does not fall to its bandwidth within the frequencies of the analysis")
    return float(np.exp(above.min()))


def averaged(frequency: Floats, time: float) -> Floats:
    """Weights, shape (n,), of a spectrum that leave the variance of an average over a `time` [s].

    1/(1 + (pi f time)^2) at each `frequency` [Hz], in place of the exact (sin(pi f time)/(pi f time))^2, which a grid
    with steps of frequency does not resolve.  White noise has the exact variance, S/(2 time), slow noise too, and for
    1/f noise from below 1 Hz the rms error is under 1 %.
    """
    return np.asarray(1.0 / (1.0 + (np.pi * frequency * time) ** 2))


def differenced(frequency: Floats, time: float) -> Floats:
    """Weights, shape (n,), of a spectrum that leave half the variance of the difference of two samples.

    The samples are a `time` [s] apart.  (2 pi f time)^2/(1 + (2 pi f time)^2) at each `frequency` [Hz], in place of the
    exact 2 sin^2(pi f time): the same for slow noise, and its mean for fast noise.
    """
    turned = (2 * np.pi * frequency * time) ** 2
    return np.asarray(turned / (1.0 + turned))
