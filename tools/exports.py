"""Exported subcircuits compared with the transistor netlists: the table of docs/exports.md.

    python tools/exports.py [-o exports.json]

Each bench is run twice over its own grid, one process each, once with the transistor netlist and once with the
exported subcircuit.  No number of the table is typed by hand.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from markdown_table import NONE, table
from marked_block import rewrite
from stated_errors import fitted

from gaincell_char import registry, units
from gaincell_char.exporting import export_files
from gaincell_char.fitting.fit import Fit
from gaincell_char.fitting.record import Record
from gaincell_char.spice.pool import Pool
from gaincell_char.sweeping.run import characterize
from gaincell_char.workflows.noise_floors import find_packaged_noise

TECHNOLOGY = registry.DEFAULT_TECHNOLOGY
RECORDS = ("gain_cell.pulse", "gain_cell_switched.pulse", "relu_c2p.transfer", "signed_c2p.transfer")


def simulate(record: Record, fit: Fit, netlist: str | None, pool: Pool) -> tuple[Any, Any, float]:
    """Inputs and output at every point of the bench's grid, flat, and the time of the simulation [s]."""
    plan = registry.plan_bench(record.circuit, record.bench, technology=TECHNOLOGY, netlist=netlist)
    began = time.perf_counter()
    result = characterize(plan, pool=pool)
    seconds = time.perf_counter() - began
    assert not result.failures
    table = result.dataset[fit.output].squeeze(drop=True).to_dataframe().reset_index()
    return {i: table[i].to_numpy() for i in fit.inputs}, table[fit.output].to_numpy(), seconds


def compare(name: str, pool: Pool) -> dict[str, Any]:
    """Errors [SI] over the grid of the bench, and the time of both."""
    record = registry.load_record(TECHNOLOGY, name)
    fit = fitted(record)
    text = export_files(record, "spice", model=fit.model)[f"{record.circuit}.cir"]
    simulate(record, fit, text, pool)  # the first load of everything is not measured
    inputs, macro, macro_s = simulate(record, fit, text, pool)
    _, transistors, transistors_s = simulate(record, fit, None, pool)
    same_points = fit.fitted
    assert same_points is not None
    error, realised = macro - transistors, macro - registry.load_model(record, fit.model)(*inputs.values())
    return {
        "record": name, "model": fit.model, "unit": fit.unit, "n": error.size,
        "rms": float(np.sqrt(np.mean(error**2))), "worst": float(np.abs(error).max()),
        "formula_rms": same_points.rms, "formula_worst": abs(same_points.worst),
        "realised_rms": float(np.sqrt(np.mean(realised**2))), "realised_worst": float(np.abs(realised).max()),
        "points": macro.size, "macro_s": macro_s, "transistors_s": transistors_s,
    }  # fmt: skip


HEADS = {
    "rms": "rms", "worst": "worst", "formula_rms": "rms of the record", "formula_worst": "worst of the record",
    "realised_rms": "rms from the formula",
}  # fmt: skip


def noise_floor(row: dict[str, Any], digits: int) -> str:
    """Rms noise of the output of an exported subcircuit, with so many digits."""
    record = registry.load_record(TECHNOLOGY, row["record"])
    floor = find_packaged_noise(record, record.fit(row["model"]))
    return NONE if floor is None else units.show(floor, row["unit"], digits)


def page(rows: list[dict[str, Any]], simulator: str) -> str:
    """The table, with technology and simulator."""
    found = table(
        ("record", "model", *HEADS.values(), "noise floor", "relative time"),
        (
            (f"`{row['record']}`", f"`{row['model']}`", *(units.show(row[k], row["unit"], 3) for k in HEADS),
             noise_floor(row, 3), f"{row['macro_s'] / row['transistors_s']:.2f}")
            for row in rows
        ),
    )  # fmt: skip
    return f"{found}\n\n{TECHNOLOGY}, {simulator}, one simulator process."


def main() -> None:
    """Compare, print, and rewrite the table of the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, help="also write the numbers here, as JSON")
    arguments = parser.parse_args()
    with Pool(1) as pool:
        rows = [compare(name, pool) for name in RECORDS]
        text = page(rows, f"ngspice {pool.version}")
    if arguments.output:
        arguments.output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    rewrite("docs/exports.md", "exports", text)
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
