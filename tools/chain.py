"""Codes of the DAC in, pulses out: columns of 64 cells in SPICE and in the software model.

    python tools/chain.py FOLDER --simulate ideal
    python tools/chain.py FOLDER

The first command simulates what FOLDER lacks (four minutes with an ideal periphery, up to an hour with a finite one,
on two cores), the second writes the table of docs/benchmarks.md, in which rows without results in FOLDER remain.
Tensors are drawn from the levels of the hardware, after the fits.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markdown_table import NONE, cells, table
from marked_block import read, rewrite

import gaincell_char as gc
from gaincell_char import registry
from gaincell_char.declare.periphery import FINITE
from gaincell_char.spice.pool import Pool

SEED = 20261201
T_MAX_NS = 15.0
FORM = "pulsed"
LONGEST_S = 3600
NEAR = 1e-15
"""Distance [C] from the threshold within which a femtocoulomb decides whether there is a pulse, or its sign."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A comparison: corner, temperature [degC], idle time before the read [s], and its targets in percent of t_max."""

    corner: str
    temp: float
    hold: float
    targets: tuple[float, float]

    def name(self, *, finite: bool) -> str:
        """Name of its folder."""
        return f"{self.corner}_{self.temp:g}_{'finite' if finite else 'ideal'}"


CASES = (
    Case(corner="tt", temp=27.0, hold=1e-6, targets=(0.05, 0.3)),
    Case(corner="tt", temp=85.0, hold=1e-6, targets=(0.15, 0.5)),
    # The decay is known in the typical corner only.
    Case(corner="ss", temp=27.0, hold=0.0, targets=(0.15, 0.5)),
)


def simulate(case: Case, folder: Path, workers: int, *, finite: bool) -> list[dict[str, Any]]:
    """Errors of both operations: of 24 heads with 4 columns each, or of 3 whole arrays with 8 columns."""
    sizes = {"instances": 3, "columns": 8} if finite else {"instances": 24, "columns": 4}
    with Pool(workers, timeout_s=LONGEST_S) as pool:
        result = gc.compare(
            folder / case.name(finite=finite),
            write=True,
            hold=case.hold,
            corner=case.corner,
            temp=case.temp,
            periphery=FINITE if finite else None,
            seed=SEED,
            pool=pool,
            **sizes,
        )
    found = [row for row in result.summary.to_dict("records") if row["form"] == FORM]
    for row in found:
        row |= beyond_threshold(case, result.rows[result.rows["operation"] == row["operation"]], row["operation"])
    return found


def beyond_threshold(case: Case, rows: pd.DataFrame, operation: str) -> dict[str, Any]:
    """Rms error, in percent of t_max, of columns with a pulse and a charge at least `NEAR` from the threshold."""
    chosen = registry.load_head("attention").operation(operation)
    name = chosen.forms[FORM]
    records = gc.records_at("gc28", temp=case.temp, corner=case.corner)
    coefficients = registry.find_record(records, f"{chosen.converter}.{name.study}").fit(name.model).values()
    threshold = coefficients.get("q_dead", coefficients.get("q_0"))
    pulses = rows[(rows["output"] != 0) | (rows[f"output_{FORM}"] != 0)]
    far = pulses[(pulses["q_bl"] - threshold).abs() >= NEAR]
    error = (far[f"output_{FORM}"] - far["output"]).to_numpy(dtype=float)
    return {"n_near": len(pulses) - len(far), "rms_beyond": 100e9 * float(np.sqrt(np.mean(error**2))) / T_MAX_NS}


def rows(folder: Path) -> Iterator[tuple[str, ...]]:
    """One row per case, periphery and operation; those of the page for a case that is not in the folder."""
    on_page = cells(read("docs/benchmarks.md", "chain"))[1:]
    for case in CASES:
        for finite in (False, True):
            found = folder / f"{case.name(finite=finite)}.json"
            condition, periphery = f"{case.corner}, {case.temp:g} degC", "finite" if finite else "ideal"
            if not found.exists():
                yield from (tuple(row) for row in on_page if row[:2] == [condition, periphery])
                continue
            for one in json.loads(found.read_text(encoding="utf-8")):
                yield (
                    condition,
                    periphery,
                    one["operation"],
                    f"{1e6 * case.hold:g} µs" if case.hold else "none",
                    f"{one['n']}",
                    f"{one['n_silent']}",
                    f"{case.targets[finite]:g} %",
                    f"{one['rms_percent']:.2g} %",
                    f"{one['n_near']}",
                    f"{one['rms_beyond']:.2g} %",
                    NONE if np.isnan(one["noise_percent"]) else f"{one['noise_percent']:.2g} %",
                    f"{one['worst_percent']:.2g} %",
                    f"{one['charge_percent']:.2g} %",
                )


def main() -> None:
    """Simulate, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--simulate", choices=("ideal", "finite"))
    parser.add_argument("--case", action="append", help="only this case, such as tt_85_finite; may be repeated")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if arguments.simulate:
        finite = arguments.simulate == "finite"
        chosen = [case for case in CASES if not arguments.case or case.name(finite=finite) in arguments.case]
        for case in chosen:
            found = simulate(case, arguments.folder, arguments.workers, finite=finite)
            place = arguments.folder / f"{case.name(finite=finite)}.json"
            place.write_text(json.dumps(found, default=float), encoding="utf-8")
            print(place, found)
        return
    heads = (
        "condition", "periphery", "operation", "hold", "columns with a pulse", "without", "target, rms",
        "measured, rms", "near the threshold", "rms without them", "noise floor", "measured, worst", "charge, rms",
    )  # fmt: skip
    text = table(heads, list(rows(arguments.folder)))
    rewrite("docs/benchmarks.md", "chain", text)
    print(text)


if __name__ == "__main__":
    main()
