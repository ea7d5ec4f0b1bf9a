"""Write the tables about the software model in README.md and docs/software-model.md from what was measured.

    python benchmarks/software_model.py --out measured
    python benchmarks/software_model.py --out measured whole
    python tools/readme_model.py measured

No number of the tables is typed by hand.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from marked_block import rewrite
from readme_statistics import markdown

PLACES = {"README.md": "software model", "docs/software-model.md": "measured"}


def line(found: dict[str, Any], operation: str, form: str) -> dict[str, Any]:
    """Summary of one form of one operation."""
    [row] = [r for r in found["summary"] if (r["operation"], r["form"]) == (operation, form)]
    return dict(row)


def both(found: dict[str, Any], form: str, what: str, digits: int = 2) -> str:
    """A percentage of both operations."""
    return ", ".join(f"{line(found, operation, form)[what]:.{digits}g} %" for operation in ("scores", "values"))


def coverage(found: dict[str, Any], level: float) -> str:
    """What an interval holds, of both operations."""
    shares = [c for c in found["coverage"] if c["level"] == level]
    return ", ".join(f"{100 * c['value']:.1f} % of {c['n']}" for c in shares)


def rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The table: figure, asked, measured."""
    parity, spice, operations, whole = (found[name] for name in ("parity", "spice", "operations", "whole"))
    seconds = found["speed"]["seconds"]
    per_operation = max(operations[name]["spice_s"] for name in ("scores", "values"))
    return [
        (f"torch and NumPy, every model of {parity['fits']} fits, float64", "1e-12",
         f"{parity['torch_against_numpy']:.0e}"),
        ("the published model against its formulas in NumPy, float64", "1e-6", f"{parity['published']:.0e}"),
        ("64-cell columns, 24 unseen cases per operation, ideal clamp: pulse rms, of t_max", "0.1 %",
         both(spice["ideal"], "pulsed", "rms_percent")),
        ("the same by the paper's form, the cubic from DC", "about 10 %", both(spice["ideal"], "cubic", "rms_percent")),
        ("clamp of 300 ohm, sliced form: charge rms, of 1.2 pC", "0.2 %",
         f"{line(spice['resistor'], 'scores', 'sliced')['charge_percent']:.2g} %"),
        ("no clamp at all, `gain_cell_switched`, sliced form: pulse rms, of t_max", "0.5 %",
         both(spice["passive"], "sliced", "rms_percent")),
        ("64x64 array with 64 converters, cell by cell in SPICE, 2 cores", "60 s", f"{per_operation:.1f} s"),
        ("the same as one netlist: largest difference of charge, of pulse; seconds, memory", "1e-4",
         f"{whole['charge']:.0e}, {whole['width']:.1e}; {whole['wall_s']:.0f} s, {whole['memory_mb'] / 1e3:.1f} GB"),
        ("mismatch drawn in SPICE: the model's 90 % interval holds", "85 to 95 %", coverage(spice["mismatch"], 0.9)),
        ("12 heads x 1024 tokens x 64, published model, against its term-by-term evaluation", "3x faster",
         f"{seconds['term_by_term'] / seconds['paper']:.0f}x; "
         f"{seconds['term_by_term_decay'] / seconds['paper_decay']:.0f}x with decay"),
        ("against plain matmul attention of that shape", "at most 2x its time",
         f"{seconds['paper'] / seconds['matmul']:.2g}x; {seconds['paper_decay'] / seconds['matmul']:.2g}x with decay"),
        ("the same for the best form of gc28, compiled (eager)", "",
         f"{seconds['pulsed_compiled'] / seconds['matmul']:.2g}x ({seconds['pulsed'] / seconds['matmul']:.2g}x)"),
        ("time of an array operation, SPICE / PyTorch, 64 queries at a time (one by one)", "over 1e5",
         f"{per_operation / operations['torch_batch_s']:.0e} ({per_operation / operations['torch_s']:.0e})"),
    ]  # fmt: skip


def forms(found: dict[str, Any]) -> str:
    """Every form of every comparison."""
    names = {
        "ideal": "ideal clamp", "resistor": "300 ohm clamp", "passive": "no clamp, switched cell",
        "mismatch": "ideal clamp, mismatch",
    }  # fmt: skip
    head = (
        "bitline, operation, form, rms ps, worst ps, rms LSB, rms % of t_max, R2, charge rms %, stated ps, "
        "error/stated, columns"
    )
    lines = [f"| {head.replace(', ', ' | ')} |", "|" + "---|" * 12]
    for key, told in names.items():
        for r in found["spice"][key]["summary"]:
            lines.append(
                f"| {told} | {r['operation']} | {r['form']} | {1e3 * r['rms_ns']:.3g} | {1e3 * r['worst_ns']:.3g} | "
                f"{r['rms_lsb']:.2g} | {r['rms_percent']:.2g} | {r['r2']:.7f} | {r['charge_percent']:.2g} | "
                f"{1e3 * r['stated_ns']:.3g} | {r['ratio']:.3g} | {r['n']} |"
            )
    return "\n".join(lines)


def covered(found: dict[str, Any]) -> str:
    """Coverage of every interval."""
    lines = [
        "| operation | interval | holds | 95 % interval (Wilson) | columns | left out |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {c['operation']} | {100 * c['level']:g} % | {100 * c['value']:.1f} % | {100 * c['low']:.1f} to "
        f"{100 * c['high']:.1f} % | {c['n']} | {c['left_out']} |"
        for c in found["spice"]["mismatch"]["coverage"]
    ]
    return "\n".join(lines)


SPEEDS = {
    "matmul": "two matrix products, mask, clamp", "softmax": "softmax attention by matrix products",
    "sdpa": "PyTorch's fused softmax attention", "term_by_term": "published evaluation, a product per term",
    "term_by_term_decay": "the same with decay", "paper": "`records=\"paper\"`", "paper_decay": "the same with decay",
    "paper_compiled": "`records=\"paper\"`, compiled", "pulsed": "`records=\"gc28\"`, best form",
    "pulsed_compiled": "the same, compiled",
}  # fmt: skip


def speeds(found: dict[str, Any]) -> str:
    """Every forward pass."""
    seconds = found["speed"]["seconds"]
    lines = ["| forward, 12 x 1024 x 64, float32 | ms | of plain matmul |", "|---|---|---|"]
    lines += [
        f"| {told} | {1e3 * seconds[name]:.1f} | {seconds[name] / seconds['matmul']:.2g} |"
        for name, told in SPEEDS.items()
    ]
    return "\n".join(lines)


def long(found: dict[str, Any]) -> str:
    """The part of docs/software-model.md."""
    whole, operations = found["whole"], found["operations"]
    return "\n\n".join([
        markdown(rows(found)),
        "Error of the output by form, 64 tokens of 64 dimensions drawn anew, nothing refitted:",
        forms(found),
        "Where devices mismatch, the forms know the typical circuit only; what they say of the spread is this:",
        covered(found),
        f"A whole 64x64 array with 64 converters in one netlist, {whole['transistors_of_cells']} transistors in its "
        f"cells: {whole['wall_s']:.0f} s on one core, {whole['memory_mb']:.0f} MB, {whole['time_points']} time points; "
        f"cell by cell {operations['scores']['spice_s']:.1f} s for scores, {operations['values']['spice_s']:.1f} s for "
        f"values on two. In PyTorch the same operation takes {1e6 * operations['torch_s']:.0f} us alone, "
        f"{1e6 * operations['torch_batch_s']:.1f} us as one of 64.",
        f"The pulses of the whole netlist differ by {whole['width_rms']:.0e} of t_max in the rms, "
        f"{whole['width']:.1e} at worst.",
        f"Forward passes on a CPU, {found['speed']['threads']} threads, medians of interleaved rounds:",
        speeds(found),
    ])  # fmt: skip


def main() -> None:
    """Rewrite both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    parts = ("parity", "spice", "operations", "whole", "speed")
    found = {name: json.loads((folder / f"model_{name}.json").read_text()) for name in parts}
    texts = {"README.md": markdown(rows(found)), "docs/software-model.md": long(found)}
    for name, block in PLACES.items():
        rewrite(name, block, texts[name])
    sys.stdout.write(texts["README.md"] + "\n")


if __name__ == "__main__":
    main()
