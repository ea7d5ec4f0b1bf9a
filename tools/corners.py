"""Process corners of a technology from a stated sigma of a performance: lines for its technology.toml.

    python tools/corners.py [--tech gc28] [--sigma 3]

The performance of ff and ss is the mean drive of the cell's n and p transistor, the mean logarithm of their currents at
full gate voltage; that of sf and fs is the difference of the two.  A corner is the most probable die whose performance
is so many sigma from that of a typical die: Hasofer and Lind, J. Eng. Mech. Div. 100, 111 (1974).

A threshold on which neither current depends, as that of a write transistor in another layer, is at so many sigma of its
own, in the direction of the n transistor.
"""

import argparse
from typing import Any

import numpy as np

import gaincell_char as gc
from gaincell_char import registry
from gaincell_char.technology.schema import Technology

STEP = 0.5
"""Step of the derivatives, in standard deviations."""
WEIGHTS = {"ff": (0.5, 0.5), "ss": (-0.5, -0.5), "sf": (-0.5, 0.5), "fs": (0.5, -0.5)}
"""Weights of the n and the p current in the performance that a corner raises."""
THRESHOLD = "process_vth"
"""Beginning of the names of process parameters that are thresholds."""
Values = np.ndarray[Any, Any]


def drives(technology: Technology, dies: Values) -> Values:
    """Logarithms of the n and the p current [A] of dies, shape (n, 2); `dies` are deviations in SI units."""
    names = list(technology.process)
    corners = {f"d{i}": dict(zip(names, die.tolist(), strict=True)) for i, die in enumerate(dies)}
    made = technology.model_copy(update={"corners": {"tt": {}, **corners}})
    cell = registry.load_circuit("gain_cell").params
    vdd = float(cell.resolve(technology.sizes("gain_cell", cell))["vdd"])
    found = gc.sweep(
        "gain_cell",
        "dc",
        axes={"v_store": [0.0, vdd], "v_in": [vdd]},
        corners=list(corners),
        technology=made,
    )
    return np.log(np.abs(found["i_bl"].squeeze(drop=True).transpose("corner", "v_store").to_numpy()))[:, ::-1]


def sensitivities(technology: Technology) -> Values:
    """Change of both drives per standard deviation of each independent variable, shape (n_process, 2)."""
    axes = np.concatenate([STEP * np.eye(len(technology.process)), -STEP * np.eye(len(technology.process))])
    up, down = np.split(drives(technology, axes @ scale(technology).T), 2)
    return (up - down) / (2 * STEP)


def scale(technology: Technology) -> Values:
    """Matrix that turns independent standard normal variables into deviations of the process parameters."""
    return np.array(list(technology.process.values()))[:, None] * technology.mixing


def corner(technology: Technology, slopes: Values, name: str, sigma: float) -> Values:
    """Process parameters of a corner, in SI units."""
    gradient = slopes @ np.array(WEIGHTS[name])
    nearest = scale(technology) @ (sigma * gradient / np.linalg.norm(gradient))
    own = -np.sign(WEIGHTS[name][0]) * sigma * np.array(list(technology.process.values()))
    return np.where(separate_thresholds(technology, slopes), own, nearest)


def separate_thresholds(technology: Technology, slopes: Values) -> Values:
    """Which process parameters are thresholds on which no drive depends, shape (n_process,)."""
    named = np.array([name.startswith(THRESHOLD) for name in technology.process])
    return named & (np.abs(slopes).max(axis=1) < 1e-6 * np.abs(slopes).max())


def reached(technology: Technology, slopes: Values, name: str) -> float:
    """Sigmas of its performance that the corner of the technology has in SPICE."""
    die = np.array(list(technology.corner(name).values()))
    moved = np.diff(drives(technology, np.array([0 * die, die])), axis=0)[0]
    weights = np.array(WEIGHTS[name])
    return float(moved @ weights / np.linalg.norm(slopes @ weights))


def main() -> None:
    """Print the corners, and what those of the technology reach."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tech", default="gc28")
    parser.add_argument("--sigma", type=float, default=3.0)
    arguments = parser.parse_args()
    technology = registry.load_technology(arguments.tech)
    slopes = sensitivities(technology)
    for name in WEIGHTS:
        print(f"[corners.{name}]  # now {reached(technology, slopes, name):.2f} sigma")
        for parameter, value in zip(technology.process, corner(technology, slopes, name, arguments.sigma), strict=True):
            if abs(value) > 1e-9:
                print(f"{parameter} = {value:.4g}")


if __name__ == "__main__":
    main()
