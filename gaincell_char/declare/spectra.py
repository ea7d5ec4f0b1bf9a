"""Variances from noise spectra: what is left of a spectrum after an average or a difference of two samples.

A spectrum is one-sided, [unit^2/Hz], on a grid of frequencies with a constant number of points per decade.
"""

from collections.abc import Mapping

import numpy as np

from .bench import Floats, density


def spectrum(waves: Mapping[str, Floats], node: str, *, at_source: bool = False) -> Floats:
    """Spectrum of the noise of `node` [V^2/Hz], shape (n_frequencies,), from `waves`, the vectors of a noise analysis.

    With `at_source` it is referred to the source of the node.
    """
    amplitude: Floats = waves[density(node, at_source=at_source)]
    return amplitude**2


def integral(frequency: Floats, spectrum: Floats) -> float:
    """Variance [unit^2] of a spectrum over its frequencies; a power law between two points is integrated exactly.

    Parameters
    ----------
    frequency : ndarray, shape (n,)
        Frequencies [Hz].
    spectrum : ndarray, shape (n,)
        Positive values [unit^2/Hz].
    """
    steps = np.diff(np.log(frequency))
    area = np.log(frequency * spectrum)
    slope = np.diff(area)
    # The mean of exp over a line from a to b is (exp(b) - exp(a)) / (b - a).
    small = np.abs(slope) < 1e-9
    growth = np.where(small, 1.0, np.expm1(slope) / np.where(small, 1.0, slope))
    return float((steps * np.exp(area[:-1]) * growth).sum())


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
