"""The figures of README.md, copied from the tables of docs/benchmarks.md.

    python tools/headline.py

The scripts that write those tables call `refresh`, so the README cannot differ from the page.
"""

import sys
from dataclasses import dataclass

import marked_block
from markdown_table import NONE, cells, table

PAGE = "docs/benchmarks.md"


@dataclass(frozen=True)
class Headline:
    """A figure of the README, and its table, row and columns in docs/benchmarks.md.

    If there are several columns, the largest value counts: it is an error of several operations.
    """

    name: str
    block: str
    row: str
    columns: tuple[str, ...] = ("measured",)


HEADLINES = (
    Headline("fitted cell current: error", "figures", "cell current at `v_in` = `vdd`: NRMSE"),
    Headline(
        "64-cell column in PyTorch: error",
        "agreement",
        "ideal clamp, `pulsed` form: pulse width, rms",
        ("measured, scores", "measured, values"),
    ),
    Headline(
        "the same with every device drawn: error",
        "agreement",
        "the same, every device drawn in SPICE",
        ("measured, scores", "measured, values"),
    ),
    Headline(
        "Monte Carlo: speed-up over `ngspice -b`",
        "speed",
        "2 workers, over default `ngspice -b`",
        ("measured, cell, 8 per deck",),
    ),
    Headline("array in PyTorch: speed-up over ngspice", "array", "SPICE time over PyTorch time, 64 queries at a time"),
    Headline("complete `gaincell run`: time", "figures", "`gaincell run`: time"),
)


def row(headline: Headline) -> tuple[str, ...]:
    """Name, target, measured value and noise floor of a figure."""
    heads, *rows = cells(marked_block.read(PAGE, headline.block))
    [found] = [dict(zip(heads, line, strict=True)) for line in rows if line[0] == headline.row]
    measured = [found[column] for column in headline.columns]
    noise = [found.get(column.replace("measured", "noise floor"), NONE) for column in headline.columns]
    return headline.name, found["target"], max(measured, key=_size), max(noise, key=_size)


def _size(cell: str) -> float:
    """The number of a cell."""
    return -1.0 if cell == NONE else float(cell.split()[0].rstrip("x"))


def refresh() -> str:
    """Rewrite the table of the README."""
    text = table(("figure", "target", "measured", "noise floor"), [row(headline) for headline in HEADLINES])
    marked_block.rewrite("README.md", "headline", text)
    return text


if __name__ == "__main__":
    sys.stdout.write(refresh() + "\n")
