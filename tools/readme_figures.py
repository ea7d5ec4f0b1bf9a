"""Write the figures of the fits in docs/benchmarks.md and README.md from the results of `gaincell run`.

    gaincell run --out results
    python tools/readme_figures.py results [--tests]

It also copies the picture of README.md.  With ``--tests`` the test suite is run and timed, too.  No number of the table
is typed by hand.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import headline
import numpy as np
import xarray as xr
from markdown_table import NONE, table
from marked_block import rewrite
from stated_errors import fitted, noise_floor, stated

from gaincell_char.fitting.fit import Fit
from gaincell_char.fitting.record import Record, read_record
from gaincell_char.registry import load_circuit, load_model, load_record

ROOT = Path(__file__).parents[1]
Row = tuple[str, ...]
"""Figure, target, measured, and the noise floor of the output in the unit of the figure."""


def against_published(cell: Record) -> float:
    """R2 between the cubic fitted to the row of gc28 at v_in = vdd and the published cubic, over 0..0.9 V."""
    v_store = np.linspace(0, 0.9, 181)
    published = load_model(load_record("paper", "gain_cell.dc"), "cubic")(v_store)
    ours = load_model(cell, "cubic")(v_store)
    return float(1 - np.sum((ours - published) ** 2) / np.sum((published - published.mean()) ** 2))


def pulse_linearity(results: Path, record: Record) -> float:
    """Worst |q_bl - (t_pulse I_eff + Q0)| [% of full range], as the circuit's figure of merit defines it."""
    merit = next(m for m in load_circuit(record.circuit).merits if m.name == "pulse linearity")
    numbers = {k: v for k, v in record.parameters.items() if not isinstance(v, str)}
    with xr.open_dataset(results / "data" / f"{record.circuit}.{record.study}.nc", engine="h5netcdf") as dataset:
        return merit.compute(dataset, numbers)


def cell_rows(results: Path, records: dict[str, Record]) -> list[Row]:
    """Current and charge of the gain cell."""
    cell, pulse = records["gain_cell.dc"], records["gain_cell.pulse"]
    current, plane = stated(cell.fit("ekv")), stated(cell.fit("ekv_2d"))
    charge = stated(pulse.fit("ekv_charge"))
    noise = records["gain_cell.noise"]
    return [
        ("cell current at `v_in` = `vdd`: R2", "0.99999", f"{current.r2:.7f}", NONE),
        ("cell current at `v_in` = `vdd`: NRMSE", "0.05 %", f"{100 * current.nrmse:.4f} %",
         percent(cell, cell.fit("ekv"), noise)),
        ("cell current over `v_store` and `v_in`: NRMSE", "0.1 %", f"{100 * plane.nrmse:.3f} %",
         percent(cell, cell.fit("ekv_2d"), noise)),
        ("cubic fitted to gc28 over the published cubic: R2", "0.995", f"{against_published(cell):.4f}", NONE),
        ("charge per pulse, deviation from `t_pulse I_eff + Q0`: worst", "0.01 %",
         f"{pulse_linearity(results, pulse):.4f} %", NONE),
        ("charge over `v_store` and `t_pulse`: NRMSE", NONE, f"{100 * charge.nrmse:.4f} %",
         percent(pulse, pulse.fit("ekv_charge"), noise)),
    ]  # fmt: skip


def other_rows(records: dict[str, Record]) -> list[Row]:
    """Decay of the capacitor, and the converters."""
    decay = records["capacitor_decay.decay"]
    rows = []
    for temp in (27.0, 85.0):
        fit = decay.fit("four_leaks", temp=temp)
        shown = scaled(noise_floor(decay, fit, records["gain_cell.noise"]), 1e3, "mV", 2)
        rows.append((f"capacitor decay at {temp:g} degC: rms", "2.5 mV", f"{1e3 * stated(fit).rms:.2f} mV", shown))
    for name, circuit in (("ReLU", "relu_c2p"), ("signed", "signed_c2p")):
        record = records[f"{circuit}.transfer"]
        error = stated(fitted(record))
        shown = scaled(noise_floor(record, fitted(record), records[f"{circuit}.noise"]), 1e12, "ps", 1)
        rows.append((f"{name} converter: rms", "10 ps", f"{1e12 * error.rms:.1f} ps", shown))
    return rows


def scaled(floor: float | None, factor: float, unit: str, decimals: int) -> str:
    """A noise floor [SI], in a unit that is so many times smaller."""
    return NONE if floor is None else f"{factor * floor:.{decimals}f} {unit}"


def percent(record: Record, fit: Fit, noise: Record) -> str:
    """Rms noise of the output of a fit [% of full range]."""
    floor = noise_floor(record, fit, noise)
    return NONE if floor is None else f"{100 * floor / fit.full_range:.4f} %"


def time_tests() -> Row:
    """Measure the time of the test suite, run by ``./go test``."""
    began = time.perf_counter()
    subprocess.run([ROOT / "go", "test", "-q"], check=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    return "test suite, 2 cores: time", "300 s", f"{time.perf_counter() - began:.0f} s", NONE


def page(results: Path, tests: list[Row]) -> str:
    """The table, with the conditions of the measurement."""
    records = {path.stem: read_record(path) for path in (results / "records").glob("*.json")}
    job = json.loads((results / "run.json").read_text(encoding="utf-8"))
    worst, error = max(job["numerics"].items(), key=lambda item: item[1])
    rows = [
        *cell_rows(results, records),
        *other_rows(records),
        ("numerical error of the simulator, largest of all outputs", "0.01 %", f"{100 * error:.4f} %", NONE),
        ("`gaincell run`: time", "120 s", f"{job['wall_s']:.0f} s", NONE),
        *tests,
    ]
    origin = (
        f"{job['technology']}, {job['simulator']}; {job['points']} points with {job['workers']} simulator processes. "
        f"The largest numerical error is that of `{worst.replace(' ', '`, output `')}`."
    )
    return "\n".join([table(("figure", "target", "measured", "noise floor"), rows), "", origin])


def main() -> None:
    """Rewrite the table and refresh the picture of the README."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--tests", action="store_true", help="run and time the test suite, too")
    arguments = parser.parse_args()
    text = page(arguments.results, [time_tests()] if arguments.tests else [])
    rewrite(headline.PAGE, "figures", text)
    headline.refresh()
    images = ROOT / "docs" / "images"
    images.mkdir(exist_ok=True)
    shutil.copy(arguments.results / "figures" / "overview.png", images / "overview.png")
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
