"""Attention heads in technologies of foundries: columns of 64 cells in SPICE and in the software model.

    python tools/foundry_heads.py FOLDER --simulate
    python tools/foundry_heads.py FOLDER

The first command simulates what FOLDER lacks (half an hour on two cores), the second writes the tables of
docs/technologies.md, in which comparisons that are not in FOLDER are missing.  Tensors are drawn from the levels of the
hardware, after the fits; the temperature is 27 degC, and bitlines are clamped ideally.  Mismatch is drawn for every
device of the columns, at tt; it needs the records of Monte Carlo of every circuit of the head.  Other corners need the
records over conditions.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from markdown_table import NONE, table
from marked_block import rewrite

import gaincell_char as gc
from gaincell_char import registry

TECHNOLOGIES = ("sky130", "gf180mcu")
HEADS = ("attention", "attention_switched")
NOMINAL = "tt"
CORNERS = (NOMINAL, "ss", "ff")
"""Corners of the first head; the other is compared at the first corner."""
FORM = "pulsed"
SEED = 20261202
INSTANCES, COLUMNS = 6, 4
DRAWN_INSTANCES = 24
"""Number of tensors of a head whose devices are drawn; 96 columns per operation."""
LEVEL = 0.9
LONGEST_S = 600
TARGET = "0.1 %"
T_MAX = 15e-9
NEAR = 3e-15
"""Distance [C] from the threshold within which the comparator has not settled when the conversion begins."""
PAGE = "docs/technologies.md"


def place(folder: Path, technology: str, head: str, corner: str = NOMINAL) -> Path:
    """Folder of a comparison."""
    return folder / (f"{technology}_{head}" if corner == NOMINAL else f"{technology}_{head}_{corner}")


def cases() -> Iterator[tuple[str, str, str]]:
    """Technology, head and corner of every comparison for which there are records."""
    for technology in TECHNOLOGIES:
        at_corners = f"{registry.load_head(HEADS[0]).cell}.pulse_pvt" in registry.record_names(technology)
        for head in HEADS:
            for corner in CORNERS if head == HEADS[0] and at_corners else (NOMINAL,):
                yield technology, head, corner


def simulate(folder: Path) -> None:
    """Compare every head in every technology; a comparison that is complete is only read."""
    for technology, head, corner in cases():
        to = place(folder, technology, head, corner)
        result = gc.compare(
            to,
            head=head,
            technology=technology,
            corner=corner,
            instances=INSTANCES,
            columns=COLUMNS,
            seed=SEED,
            timeout_s=LONGEST_S,
        )
        found = result.summary[result.summary["form"] == FORM]
        beyond = [beyond_threshold(result.rows, technology, head, corner, name) for name in found["operation"]]
        table_of = found.assign(n_near=[n for n, _ in beyond], rms_beyond=[rms for _, rms in beyond])
        table_of.to_csv(to / "summary.csv", index=False)
        print(technology, head, corner, result.disagreements(), flush=True)


def drawn_place(folder: Path, technology: str, head: str) -> Path:
    """Folder of a comparison with mismatch."""
    return folder / f"{technology}_{head}_mismatch"


def drawn_cases() -> Iterator[tuple[str, str]]:
    """Technology and head of every comparison with mismatch for which there are records of Monte Carlo."""
    for technology in TECHNOLOGIES:
        for head in HEADS:
            if f"{registry.load_head(head).cell}.pulse_both" in registry.record_names(technology):
                yield technology, head


def simulate_drawn(folder: Path) -> None:
    """Compare every head with mismatch in every technology."""
    for technology, head in drawn_cases():
        to = drawn_place(folder, technology, head)
        result = gc.compare(
            to,
            head=head,
            technology=technology,
            instances=DRAWN_INSTANCES,
            columns=COLUMNS,
            seed=SEED,
            mismatch=True,
            timeout_s=LONGEST_S,
        )
        pd.DataFrame([dict(one.describe()) for one in result.coverage]).to_csv(to / "coverage.csv", index=False)
        print(technology, head, "mismatch", result.disagreements(), flush=True)


def drawn_rows(folder: Path) -> Iterator[tuple[str, ...]]:
    """One row per technology, head, operation and kind of columns."""
    for technology, head in drawn_cases():
        found = drawn_place(folder, technology, head) / "coverage.csv"
        if not found.exists():
            continue
        for one in pd.read_csv(found).to_dict("records"):
            if one["level"] == LEVEL and one["n"]:
                shares = (f"{100 * one[end]:.1f} %" for end in ("value", "low", "high"))
                yield (technology, f"`{head}`", one["operation"], one["columns"], "85 to 95 %", *shares, str(one["n"]))


def beyond_threshold(rows: pd.DataFrame, technology: str, head: str, corner: str, operation: str) -> tuple[int, float]:
    """Number of columns with a pulse near the threshold, and rms error of the others in percent of t_max."""
    chosen = registry.load_head(head).operation(operation)
    name = chosen.forms[FORM]
    records = gc.records_at(technology, corner=corner)
    coefficients = registry.find_record(records, f"{chosen.converter}.{name.study}").fit(name.model).values()
    threshold = coefficients.get("q_dead", coefficients.get("q_0"))
    mine = rows[rows["operation"] == operation]
    pulses = mine[(mine["output"] != 0) | (mine[f"output_{FORM}"] != 0)]
    far = pulses[(pulses["q_bl"] - threshold).abs() >= NEAR]
    error = (far[f"output_{FORM}"] - far["output"]).to_numpy(dtype=float)
    return len(pulses) - len(far), 100 * float(np.sqrt(np.mean(error**2))) / T_MAX


def rows(folder: Path) -> Iterator[tuple[str, ...]]:
    """One row per technology, head, corner and operation."""
    for technology, head, corner in cases():
        found = place(folder, technology, head, corner) / "summary.csv"
        if not found.exists():
            continue
        for one in pd.read_csv(found).to_dict("records"):
            noise = one["noise_percent"]
            yield (
                technology,
                f"`{head}`",
                corner,
                one["operation"],
                f"{one['n']}",
                f"{one['n_silent']}",
                TARGET,
                f"{one['rms_percent']:.2g} %",
                f"{one['n_near']}",
                f"{one['rms_beyond']:.2g} %",
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
        simulate_drawn(arguments.folder)
        return
    heads = (
        "technology", "head", "corner", "operation", "columns with a pulse", "without", "target, rms", "measured, rms",
        "near the threshold", "rms without them", "noise floor", "measured, worst", "error / stated", "gate",
    )  # fmt: skip
    text = table(heads, list(rows(arguments.folder)))
    drawn_heads = (
        "technology", "head", "operation", "columns", "target, inside the 90 % interval", "measured",
        "95 % interval, low", "95 % interval, high", "number of columns",
    )  # fmt: skip
    drawn = table(drawn_heads, list(drawn_rows(arguments.folder)))
    rewrite(PAGE, "foundry heads", text)
    rewrite(PAGE, "foundry heads, mismatch", drawn)
    print(text, drawn, sep="\n")


if __name__ == "__main__":
    main()
