"""Converters at ss and ff, predicted from 64 random dies: a table of docs/benchmarks.md.

    python tools/process_corners.py [--workers 2]

No corner is simulated for the prediction: each coefficient of a converter is a second-order polynomial of the process
parameters, fitted to 64 dies, and a corner is one die.  Charges are drawn after the fit.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from markdown_table import NONE, table
from marked_block import rewrite
from stated_errors import fitted

import gaincell_char as gc
from gaincell_char import registry
from gaincell_char.spice.pool import Pool
from gaincell_char.torch import Dies
from gaincell_char.workflows.noise_floors import find_packaged_noise

DIES, SEED, CHARGES = 64, 20261202, 48
CORNERS = ("ss", "ff", "sf", "fs")
TARGET_PS = 15.0
BEND = 60e-15
"""Charge [C] beyond which the pulse is on its line; the bend before it has the coefficients of the typical die."""
SATURATED = 0.98
CIRCUITS = {"relu_c2p": ("t_pulse", 1.2e-12, (1.0,)), "signed_c2p": ("t_signed", 0.6e-12, (1.0, -1.0))}
"""Circuit -> its output, its full scale [C] and the signs of its charges."""


def rows(pool: Pool) -> Iterator[tuple[str, ...]]:
    """One row per circuit and corner."""
    technology = registry.load_technology()
    rng = np.random.default_rng(SEED)
    for circuit, (output, full, signs) in CIRCUITS.items():
        sampled = gc.monte_carlo(circuit, "transfer", n=DIES, vary="process", seed=SEED, pool=pool)
        [fit] = sampled.record.spread.random if sampled.record.spread else []
        random = registry.load_random(sampled.record, fit.model)
        noise = noise_floor(circuit)
        q_in = np.sort(rng.uniform(BEND, 0.95 * full, CHARGES) * rng.choice(signs, CHARGES))
        for corner in CORNERS:
            drawn = dict(
                zip(
                    (c.name for c in fit.coefficients),
                    Dies.at_corner(technology, corner).change(fit).tolist(),
                    strict=True,
                )
            )
            found = gc.sweep(circuit, "transfer", axes={"q_in": q_in}, corners=[corner, "tt"], pool=pool)
            spice, typical = found[output].squeeze().transpose("corner", "q_in").to_numpy()
            counted = np.abs(spice) < SATURATED * 15e-9
            error = (random(q_in, **drawn) - spice)[counted]
            moved = (spice - typical)[counted]
            yield (
                f"`{circuit}`",
                corner,
                f"{counted.sum()}",
                f"{1e12 * np.sqrt(np.mean(moved**2)):.3g} ps",
                f"{TARGET_PS:g} ps" if corner in ("ss", "ff") else NONE,
                f"{1e12 * np.sqrt(np.mean(error**2)):.2g} ps",
                f"{1e12 * np.abs(error).max():.2g} ps",
                noise,
            )


def noise_floor(circuit: str) -> str:
    """Rms jitter of the pulse of a converter at tt and 27 degC."""
    record = registry.load_record("gc28", f"{circuit}.transfer")
    floor = find_packaged_noise(record, fitted(record))
    return NONE if floor is None else f"{1e12 * floor:.2g} ps"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with Pool(arguments.workers, timeout_s=120) as pool:
        found = list(rows(pool))
    heads = ("converter", "corner", "charges", "shift from tt, rms", "target", "measured, rms", "measured, worst",
             "noise floor at tt, 27 degC")  # fmt: skip
    text = table(heads, found)
    rewrite("docs/benchmarks.md", "process-corners", text)
    print(text)


if __name__ == "__main__":
    main()
