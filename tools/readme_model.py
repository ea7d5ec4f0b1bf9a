"""Write the tables about the software model in docs/benchmarks.md, and the figures of README.md.

    python benchmarks/software_model.py --out measured
    python benchmarks/software_model.py --out measured whole
    python tools/readme_model.py measured

A table whose parts are not in the folder is left as it is.  No number of the tables is typed by hand.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import headline
from markdown_table import NONE, digits, power, table
from marked_block import rewrite

FIGURE = ("figure", "target", "measured")
OPERATIONS = ("scores", "values")
KINDS = ("clear", "tied")
BITLINES = {
    "ideal": "ideal clamp", "resistor": "300 ohm clamp", "passive": "no clamp, switched cell",
    "mismatch": "ideal clamp, mismatch",
}  # fmt: skip


def line(found: dict[str, Any], operation: str, form: str) -> dict[str, Any]:
    """Summary of one form of one operation."""
    [row] = [r for r in found["summary"] if (r["operation"], r["form"]) == (operation, form)]
    return dict(row)


def both(found: dict[str, Any], form: str, what: str) -> tuple[str, ...]:
    """A percentage of both operations."""
    return tuple(f"{line(found, operation, form)[what]:.2g} %" for operation in OPERATIONS)


def floor(found: dict[str, Any], form: str) -> tuple[str, ...]:
    """Rms noise of the pulses of the same columns, for both operations [% of t_max]."""
    values = (line(found, operation, form)["noise_percent"] for operation in OPERATIONS)
    return tuple(NONE if math.isnan(value) else f"{value:.2g} %" for value in values)


def share(drawn: dict[str, Any], operation: str, kind: str) -> str:
    """Share of the clear or of the tied columns inside the 90 % interval, and their number."""
    rows = [c for c in drawn["coverage"] if (c["operation"], c["level"], c["columns"]) == (operation, 0.9, kind)]
    [row] = rows
    return f"{100 * row['value']:.1f} % of {row['n']}" if row["n"] else "no such column"


def agreement(spice: dict[str, Any]) -> str:
    """Columns of an array in SPICE and in PyTorch; the table has two columns for each operation."""
    without, ideal, drawn = (NONE, NONE), spice["ideal"], spice["mismatch"]
    return table(
        ("figure", "target", "measured, scores", "measured, values", "noise floor, scores", "noise floor, values"),
        [
            ("ideal clamp, `pulsed` form: pulse width, rms", "0.1 %",
             *both(ideal, "pulsed", "rms_percent"), *floor(ideal, "pulsed")),
            ("the same, every device drawn in SPICE", NONE, *both(drawn, "pulsed", "rms_percent"),
             *floor(drawn, "pulsed")),
            ("ideal clamp, published form: pulse width, rms", "about 10 %",
             *both(ideal, "cubic", "rms_percent"), *floor(ideal, "cubic")),
            ("300 ohm clamp, `sliced` form: charge, rms", "0.2 %",
             *both(spice["resistor"], "sliced", "charge_percent"), *without),
            ("no clamp, switched cell, `sliced` form: pulse width, rms", "0.5 %",
             *both(spice["passive"], "sliced", "rms_percent"), *floor(spice["passive"], "sliced")),
            *(
                (f"mismatch: {kind} columns inside the model's 90 % interval", "85 to 95 %",
                 *(share(drawn, operation, kind) for operation in OPERATIONS), *without)
                for kind in KINDS
            ),
        ],
    )  # fmt: skip


def parity(found: dict[str, Any]) -> str:
    """The same formulas in PyTorch and in NumPy."""
    return table(
        FIGURE,
        [
            (f"PyTorch and NumPy, {found['fits']} packaged fits", "1e-12", power(found["torch_against_numpy"])),
            ("published model and its formulas in NumPy", "1e-6", power(found["published"])),
        ],
    )


def array(whole: dict[str, Any], operations: dict[str, Any]) -> str:
    """An array of 64 x 64 cells with its converters: accuracy and time."""
    spice_s = {name: operations[name]["spice_s"] for name in OPERATIONS}
    longest = max(spice_s.values())
    return table(
        FIGURE,
        [
            ("cell by cell and one netlist: charge, largest difference", "1e-4", power(whole["charge"])),
            ("cell by cell and one netlist: pulse width, largest difference", "1e-4", power(whole["width"], 1)),
            ("cell by cell and one netlist: pulse width, rms difference", NONE, power(whole["width_rms"])),
            *((f"SPICE, cell by cell, 2 cores, {name}: time", "60 s", f"{spice_s[name]:.1f} s") for name in OPERATIONS),
            ("SPICE, one netlist, 1 core: time", NONE, f"{whole['wall_s']:.0f} s"),
            ("SPICE, one netlist: memory", NONE, f"{whole['memory_mb']:.0f} MB"),
            ("SPICE, one netlist: transistors in the cells", NONE, f"{whole['transistors_of_cells']}"),
            ("SPICE, one netlist: time points", NONE, f"{whole['time_points']}"),
            ("PyTorch, one query: time", NONE, f"{1e6 * operations['torch_s']:.0f} us"),
            ("PyTorch, 64 queries at a time: time per query", NONE, f"{1e6 * operations['torch_batch_s']:.1f} us"),
            ("SPICE time over PyTorch time, one query", NONE, f"{power(longest / operations['torch_s'])}x"),
            ("SPICE time over PyTorch time, 64 queries at a time", "1e5x",
             f"{power(longest / operations['torch_batch_s'])}x"),
        ],
    )  # fmt: skip


def attention(seconds: dict[str, float]) -> str:
    """Time of a forward pass, relative to others."""
    return table(
        FIGURE,
        [
            ("published model: speed-up over its evaluation term by term", "3x",
             f"{seconds['term_by_term'] / seconds['paper']:.0f}x"),
            ("published model with decay: speed-up over its evaluation term by term", "3x",
             f"{seconds['term_by_term_decay'] / seconds['paper_decay']:.0f}x"),
            ("published model: time relative to matrix products", "2x", f"{seconds['paper'] / seconds['matmul']:.2g}x"),
            ("published model with decay: time relative to matrix products", "2x",
             f"{seconds['paper_decay'] / seconds['matmul']:.2g}x"),
            ("fitted form of gc28: time relative to matrix products", NONE,
             f"{seconds['pulsed'] / seconds['matmul']:.2g}x"),
            ("fitted form of gc28, compiled: time relative to matrix products", NONE,
             f"{seconds['pulsed_compiled'] / seconds['matmul']:.2g}x"),
        ],
    )  # fmt: skip


def forms(spice: dict[str, Any]) -> str:
    """Every form of every comparison."""
    heads = (
        "bitline", "operation", "form", "rms [ps]", "noise floor [ps]", "worst [ps]", "rms [LSB]",
        "rms [% of t_max]", "R2", "charge, rms [%]", "stated rms [ps]", "rms / stated", "columns", "without a pulse",
    )  # fmt: skip
    return table(
        heads,
        (
            (name, r["operation"], r["form"], digits(1e3 * r["rms_ns"], 3),
             NONE if math.isnan(r["noise_ns"]) else digits(1e3 * r["noise_ns"], 3), digits(1e3 * r["worst_ns"], 3),
             digits(r["rms_lsb"], 2), digits(r["rms_percent"], 2), f"{r['r2']:.7f}", digits(r["charge_percent"], 2),
             digits(1e3 * r["stated_ns"], 3), digits(r["ratio"], 3), str(r["n"]), str(r["n_silent"]))
            for key, name in BITLINES.items() for r in spice[key]["summary"]
        ),
    )  # fmt: skip


def coverage(mismatch: dict[str, Any]) -> str:
    """Share of the columns inside each interval, with the Wilson interval of that share."""
    heads = ("operation", "columns", "interval of the model", "measured", "95 % interval, low", "95 % interval, high",
             "number of columns")  # fmt: skip
    return table(
        heads,
        (
            (c["operation"], c["columns"], f"{100 * c['level']:g} %",
             *(f"{100 * c[end]:.1f} %" for end in ("value", "low", "high")), str(c["n"]))
            for c in mismatch["coverage"] if c["n"]
        ),
    )  # fmt: skip


SPEEDS = {
    "matmul": "two matrix products, mask, clamp", "softmax": "softmax attention by matrix products",
    "sdpa": "PyTorch's fused softmax attention", "term_by_term": "published model, a product per term",
    "term_by_term_decay": "published model with decay, a product per term", "paper": '`records="paper"`',
    "paper_decay": '`records="paper"` with decay', "paper_compiled": '`records="paper"`, compiled',
    "pulsed": '`records="gc28"`, fitted form', "pulsed_compiled": '`records="gc28"`, fitted form, compiled',
}  # fmt: skip


def forward(speed: dict[str, Any]) -> str:
    """Every forward pass."""
    seconds = speed["seconds"]

    def rows() -> Iterator[tuple[str, str, str]]:
        for name, meaning in SPEEDS.items():
            relative = digits(seconds[name] / seconds["matmul"], 2)
            yield meaning, f"{1e3 * seconds[name]:.1f}", relative

    heads = ("forward pass", "time [ms]", "time relative to matrix products")
    return f"{table(heads, rows())}\n\nMeasured on a CPU with {speed['threads']} threads."


TABLES: dict[str, tuple[tuple[str, ...], Callable[..., str]]] = {
    "parity": (("parity",), parity),
    "agreement": (("spice",), agreement),
    "array": (("whole", "operations"), array),
    "attention": (("speed",), lambda speed: attention(speed["seconds"])),
    "forms": (("spice",), forms),
    "coverage": (("spice",), lambda spice: coverage(spice["mismatch"])),
    "forward": (("speed",), forward),
}
"""Block -> parts of the benchmark it needs, and its writer."""


def main() -> None:
    """Rewrite the tables whose parts are in the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    found = {
        file.stem.removeprefix("model_"): json.loads(file.read_text(encoding="utf-8"))
        for file in folder.glob("model_*.json")
    }
    for block, (parts, write) in TABLES.items():
        if set(parts) <= set(found):
            rewrite(headline.PAGE, block, write(*(found[part] for part in parts)))
            sys.stdout.write(f"{block}: written\n")
        else:
            sys.stdout.write(f"{block}: left as it is, without {', '.join(parts)}\n")
    headline.refresh()


if __name__ == "__main__":
    main()
