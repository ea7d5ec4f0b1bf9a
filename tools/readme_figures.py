"""Write the table of README.md from what `gaincell run` left in a folder, and the picture beside it.

    gaincell run --out results
    python tools/readme_figures.py results [--tests]

With ``--tests`` the test suite is run and timed, too.  No number of the table is typed by hand.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import xarray as xr
from marked_block import rewrite

from gaincell_char.fitting.record import Record, read_record
from gaincell_char.registry import load_circuit, load_model, load_record

ROOT = Path(__file__).parents[1]


def against_published(cell: Record) -> float:
    """R2 between the cubic fitted to our row at v_in = vdd and the published cubic, over 0..0.9 V."""
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


def fresh(record: Record, model: str, **conditions: float | str):  # type: ignore[no-untyped-def]
    """Errors of a model on random points that were simulated after its fit."""
    return record.fit(model, **conditions).fresh


def rows(results: Path) -> list[tuple[str, str, str]]:
    """Figure, what was asked, what was measured."""
    records = {path.stem: read_record(path) for path in (results / "records").glob("*.json")}
    job = json.loads((results / "run.json").read_text(encoding="utf-8"))
    cell, pulse, decay = records["gain_cell.dc"], records["gain_cell.pulse"], records["capacitor_decay.decay"]
    row, plane = fresh(cell, "softplus"), fresh(cell, "ekv_2d")
    charge = fresh(pulse, "softplus_charge")
    cold, hot = (1e3 * fresh(decay, "three_leaks", temp=t).rms for t in (27.0, 85.0))
    best = {c: next(f for f in records[f"{c}.transfer"].fits if f.form == "fitted") for c in ("relu_c2p", "signed_c2p")}
    relu, signed = (1e12 * best[c].fresh.rms for c in ("relu_c2p", "signed_c2p"))
    worst = max(job["numerics"].items(), key=lambda item: item[1])
    return [
        ("cell, best form at `v_in` = VDD: R2; NRMSE", "0.99999; 0.05 %", f"{row.r2:.7f}; {100 * row.nrmse:.4f} %"),
        ("cell over `v_store` and `v_in`: NRMSE", "0.1 %", f"{100 * plane.nrmse:.3f} %"),
        ("our cubic against the published cubic: R2", "0.995", f"{against_published(cell):.4f}"),
        ("charge of a pulse, `t_pulse I_eff + Q0`: worst", "0.01 %", f"{pulse_linearity(results, pulse):.4f} %"),
        ("charge over `v_store` and `t_pulse`, compact form: NRMSE", "", f"{100 * charge.nrmse:.4f} %"),
        ("decay at 27 and 85 degC: rms", "2.5 mV", f"{cold:.2f} mV; {hot:.2f} mV"),
        ("ReLU and signed converter: rms", "10 ps", f"{relu:.1f} ps; {signed:.1f} ps"),
        (f"simulator against 100 times tighter, worst of all ({worst[0]})", "0.01 %", f"{100 * worst[1]:.4f} %"),
        (f"`gaincell run`, {job['workers']} cores, {job['points']} points", "120 s", f"{job['wall_s']:.0f} s"),
    ]  # fmt: skip


def time_tests() -> tuple[str, str, str]:
    """Run the suite as the README says and time it."""
    began = time.perf_counter()
    subprocess.run([ROOT / "go", "test", "-q"], check=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    return "test suite, 2 cores", "5 min", f"{time.perf_counter() - began:.0f} s"


def table(lines: list[tuple[str, str, str]], job: dict[str, object]) -> str:
    """Markdown."""
    head = ["| figure | asked | measured |", "|---|---|---|"]
    body = [f"| {figure} | {asked} | **{measured}** |" for figure, asked, measured in lines]
    origin = f"{job['technology']}, {job['simulator']}; errors of fits are on fresh random points."
    return "\n".join([*head, *body, "", origin])


def main() -> None:
    """Rewrite the table of the README and refresh its picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--tests", action="store_true", help="run and time the test suite, too")
    arguments = parser.parse_args()
    lines = rows(arguments.results)
    if arguments.tests:
        lines.append(time_tests())
    job = json.loads((arguments.results / "run.json").read_text(encoding="utf-8"))
    text = table(lines, job)
    rewrite("README.md", "figures", text)
    images = ROOT / "docs" / "images"
    images.mkdir(exist_ok=True)
    shutil.copy(arguments.results / "figures" / "overview.png", images / "overview.png")
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
