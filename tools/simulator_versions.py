"""The accuracy tables under two versions of ngspice, and the differences between their results.

    python tools/simulator_versions.py FOLDER --simulate --newer LIBRARY
    python tools/simulator_versions.py FOLDER

The first command runs ``gaincell run`` in each technology under the installed ngspice and under the library of another
one, in folders of FOLDER (ten minutes on two cores); results that exist are kept.  The second writes the tables of
docs/benchmarks.md.  Both versions are fitted and judged alone: points that are drawn after a fit are simulated by the
version of this fit.  A technology whose results are not in FOLDER is missing in the table.
"""

import argparse
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr
from markdown_table import NONE, table
from marked_block import rewrite
from readme_figures import cell_rows, other_rows
from stated_errors import fitted, stated

from gaincell_char.fitting.record import read_record

GAINCELL = shutil.which("gaincell") or "gaincell"
TECHNOLOGIES = ("gc28", "sky130")
VERSIONS = ("installed", "newer")
FIGURES = "gc28"
"""Technology of the figures that have targets."""
RECORDS = (
    "gain_cell.dc", "gain_cell.pulse", "gain_cell.write", "gain_cell_switched.dc", "gain_cell_switched.pulse",
    "capacitor_decay.decay", "relu_c2p.transfer", "signed_c2p.transfer",
)  # fmt: skip
PAGE = "docs/benchmarks.md"


def place(folder: Path, technology: str, version: str) -> Path:
    """Folder of the results of a technology under one version."""
    return folder / f"{technology}_{version}"


def simulate(folder: Path, library: Path) -> None:
    """Run what is missing."""
    for technology in TECHNOLOGIES:
        for version in VERSIONS:
            to = place(folder, technology, version)
            if not (to / "run.json").exists():
                named = ["--ngspice", str(library)] if version == "newer" else []
                subprocess.run([GAINCELL, "run", "--tech", technology, "--out", str(to), *named], check=True)


def simulator(folder: Path, technology: str, version: str) -> str:
    """Name and version of the simulator of some results."""
    return str(json.loads((place(folder, technology, version) / "run.json").read_text())["simulator"])


def figure_rows(folder: Path) -> Iterator[tuple[str, ...]]:
    """The figures that have a target, under both versions."""
    found = []
    for version in VERSIONS:
        results = place(folder, FIGURES, version)
        records = {path.stem: read_record(path) for path in (results / "records").glob("*.json")}
        found.append([*cell_rows(results, records), *other_rows(records)])
    for older, newer in zip(*found, strict=True):
        if older[1] != NONE:
            yield (*older[:3], newer[2])


def difference(folder: Path, technology: str, name: str, output: str, full_range: float) -> tuple[int, float]:
    """Number of points that both versions simulated, and the largest difference of an output [full range]."""
    older, newer = (
        xr.load_dataset(place(folder, technology, version) / "data" / f"{name}.nc", engine="h5netcdf")
        for version in VERSIONS
    )
    count = int(((older.status == "ok") & (newer.status == "ok")).sum())
    return count, float(np.abs(newer[output] - older[output]).max()) / full_range


def rows(folder: Path) -> Iterator[tuple[str, ...]]:
    """One row per technology and record: errors under both versions, and the largest difference of the output."""
    for technology in TECHNOLOGIES:
        if not all((place(folder, technology, version) / "run.json").exists() for version in VERSIONS):
            continue
        for name in RECORDS:
            fits = [
                fitted(read_record(place(folder, technology, version) / "records" / f"{name}.json"))
                for version in VERSIONS
            ]
            one = fits[0]
            count, largest = difference(folder, technology, name, one.output, one.full_range)
            errors = [f"{100 * stated(fit).nrmse:.4f} %" for fit in fits]
            shown = (str(count), f"`{one.output}`", f"{100 * largest:.2g} %")
            yield (technology, f"`{name}`", f"`{one.model}`", *errors, *shown)


def main() -> None:
    """Simulate, or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--simulate", action="store_true")
    parser.add_argument("--newer", type=Path, help="library of the newer version, libngspice.so.0")
    arguments = parser.parse_args()
    if arguments.simulate:
        if arguments.newer is None:
            parser.error("--simulate needs --newer LIBRARY")
        simulate(arguments.folder, arguments.newer)
        return
    names = [simulator(arguments.folder, FIGURES, version) for version in VERSIONS]
    heads = ("figure, gc28", "target", *(f"measured, {name}" for name in names))
    figures = table(heads, list(figure_rows(arguments.folder)))
    heads = (
        "technology", "record", "model", *(f"NRMSE, {name}" for name in names), "common points", "output",
        "largest difference, of full range",
    )  # fmt: skip
    text = table(heads, list(rows(arguments.folder)))
    rewrite(PAGE, "versions, figures", figures)
    rewrite(PAGE, "versions", text)
    print(figures, text, sep="\n")


if __name__ == "__main__":
    main()
