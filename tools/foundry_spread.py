"""Spread of a die in the foundry's own section of a library, as a threshold and a current factor of each transistor.

    python tools/foundry_spread.py NGSPICE

NGSPICE is the program of a version that loads compiled models, such as .ngspice46/bin/ngspice, with its library in lib/
beside bin/.  It draws dies in the foundry's section, from the foundry's files alone.  The currents of each device at
three gate voltages are put down to a threshold and a current factor, by the sensitivities of its wrapper device.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from gaincell_char import registry
from gaincell_char.declare.bench import Op
from gaincell_char.spice.blocks import prune
from gaincell_char.spice.netlist import as_netlist
from gaincell_char.spice.pool import Pool
from gaincell_char.sweeping.run import simulate

TECHNOLOGY = "ihp-sg13g2"
SECTION = "mos_tt_stat"
SIZES = {"n": ((0.2, 3.4), (1.0, 2.0), (0.6, 0.13)), "p": ((0.7, 1.48), (4.0, 1.0), (0.6, 0.13))}
"""Kind -> widths and lengths [um]: those of the cell, of a mirror, and of a gate of logic."""
GATES, DRAIN = (0.3, 0.6, 1.2), 0.6
"""Gate voltages and drain voltage [V]."""
DIES = 150
STEPS = {"dvth": 5e-3, "dmu": 10e-3}
"""Deviations [V] and [dimensionless] that give the sensitivities."""
OPTIONS = {"gmin": 1e-15, "reltol": 1e-6, "abstol": 1e-15, "vntol": 1e-9}
CASES = [(kind, w, length, gate) for kind, sizes in SIZES.items() for w, length in sizes for gate in GATES]


def lines(device: str, extra: str = "") -> list[str]:
    """Netlist of all cases; `device` is the name of a subcircuit with {} for the kind."""
    found = []
    for i, (kind, w, length, gate) in enumerate(CASES):
        sign = 1 if kind == "n" else -1
        found += [f"vg{i} g{i} 0 {sign * gate}", f"vd{i} d{i} 0 {sign * DRAIN}"]
        found += [f"x{i} d{i} g{i} 0 0 {device.format(kind)} w={w}u l={length}u {extra}"]
    return found


def drawn(program: Path, compiled: str) -> np.ndarray:
    """Logarithms of the currents of dies that ngspice draws, shape (cases, dies)."""
    folder = registry.model_folder(TECHNOLOGY)
    head = ["* dies", ".control", f"pre_osdi {compiled}", ".endc", f".lib {folder}/models/cornerMOSlv.lib {SECTION}"]
    options = ".options " + " ".join(f"{name}={value}" for name, value in OPTIONS.items())
    orders = ["set numdgt=12", "setseed 7", f"repeat {DIES}", "reset", "op"]
    orders += [f"print i(vd{i})" for i in range(len(CASES))] + ["end"]
    deck = [*head, *lines("sg13_lv_{}mos"), options, ".control", *orders, ".endc", ".end", ""]
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "deck.cir").write_text("\n".join(deck))
        done = subprocess.run(
            [program, "-n", "-b", "deck.cir"], cwd=scratch, capture_output=True, text=True, check=False
        )
    values = [abs(float(x)) for x in re.findall(r"i\(vd\d+\) = (\S+)", done.stdout)]
    return np.log(np.array(values).reshape(DIES, len(CASES))).T


def sensitivities(pool: Pool) -> np.ndarray:
    """Relative changes of the currents by threshold [1/V] and current factor [dimensionless], shape (cases, 2)."""
    technology = registry.load_technology(TECHNOLOGY)

    def logarithms(extra: str) -> np.ndarray:
        user = as_netlist("\n".join(lines("{}_svt", extra)))
        names = [f"i(vd{i})" for i in range(len(CASES))]
        netlist = prune(technology.library("tt"), user) + user
        found = simulate(netlist, Op(), names, options=OPTIONS, params=technology.corner("tt"), pool=pool)
        return np.log(np.abs([found[name][0] for name in names]))

    return np.stack(
        [(logarithms(f"{n}={step}") - logarithms(f"{n}={-step}")) / (2 * step) for n, step in STEPS.items()], axis=1
    )


def main(program: Path) -> None:
    """Print the spread of every size."""
    os.environ["NGSPICE_LIBRARY_PATH"] = str(program.parents[1] / "lib" / "libngspice.so.0")
    dies = drawn(program, registry.load_technology(TECHNOLOGY).compiled_files[0])
    dies -= dies.mean(axis=1, keepdims=True)
    with Pool(1) as pool:
        own = sensitivities(pool)
    print("device  w [um]  l [um]  sigma of the threshold [mV]  of the current factor [%]  unexplained [%]")
    for first in range(0, len(CASES), len(GATES)):
        part = slice(first, first + len(GATES))
        found, *_ = np.linalg.lstsq(own[part], dies[part], rcond=None)
        threshold, factor = found.std(axis=1, ddof=1)
        rest = (dies[part] - own[part] @ found).std()
        kind, w, length, _ = CASES[first]
        print(f"{kind:6}  {w:6.2f}  {length:6.2f}  {1e3 * threshold:27.1f}  {100 * factor:25.1f}  {100 * rest:15.1f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
