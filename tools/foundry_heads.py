"""Attention heads in technologies of foundries: columns of 64 cells in SPICE and in the software model.

    python tools/foundry_heads.py FOLDER --simulate
    python tools/foundry_heads.py FOLDER

The first command simulates what FOLDER lacks (a quarter of an hour on two cores), the second writes the table of
docs/technologies.md, in which comparisons that are not in FOLDER are missing.  Tensors are drawn from the levels of the hardware, after the fits; the corner is tt, the
temperature 27 degC, and bitlines are clamped ideally.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from markdown_table import NONE, table
from marked_block import rewrite

import gaincell_char as gc

TECHNOLOGIES = ("sky130", "gf180mcu")
HEADS = ("attention", "attention_switched")
FORM = "pulsed"
SEED = 20261202
INSTANCES, COLUMNS = 6, 4
LONGEST_S = 600
TARGET = "0.1 %"
PAGE = "docs/technologies.md"


def place(folder: Path, technology: str, head: str) -> Path:
    """Folder of a comparison."""
    return folder / f"{technology}_{head}"


def simulate(folder: Path) -> None:
    """Compare every head in every technology; a comparison that is complete is only read."""
    for technology in TECHNOLOGIES:
        for head in HEADS:
            result = gc.compare(
                place(folder, technology, head),
                head=head,
                technology=technology,
                instances=INSTANCES,
                columns=COLUMNS,
                seed=SEED,
                timeout_s=LONGEST_S,
            )
            result.summary.to_csv(place(folder, technology, head) / "summary.csv", index=False)
            print(technology, head, result.disagreements(), flush=True)


def rows(folder: Path) -> Iterator[tuple[str, ...]]:
    """One row per technology, head and operation."""
    for technology in TECHNOLOGIES:
        for head in HEADS:
            found = place(folder, technology, head) / "summary.csv"
            if not found.exists():
                continue
            summary = pd.read_csv(found)
            for one in summary[summary["form"] == FORM].to_dict("records"):
                noise = one["noise_percent"]
                yield (
                    technology,
                    f"`{head}`",
                    one["operation"],
                    f"{one['n']}",
                    f"{one['n_silent']}",
                    TARGET,
                    f"{one['rms_percent']:.2g} %",
                    NONE if pd.isna(noise) else f"{noise:.2g} %",
                    f"{one['worst_percent']:.2g} %",
                    f"{one['ratio']:.2g}",
                    "passed" if one["agrees"] else "failed",
                )


def main() -> None:
    """Simulate, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--simulate", action="store_true")
    arguments = parser.parse_args()
    if arguments.simulate:
        simulate(arguments.folder)
        return
    heads = (
        "technology", "head", "operation", "columns with a pulse", "without", "target, rms", "measured, rms",
        "noise floor", "measured, worst", "error / stated", "gate",
    )  # fmt: skip
    text = table(heads, list(rows(arguments.folder)))
    rewrite(PAGE, "foundry heads", text)
    print(text)


if __name__ == "__main__":
    main()
