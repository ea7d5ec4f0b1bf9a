"""Markdown tables with one value per cell, and the numbers in them."""

import re
from collections.abc import Iterable, Sequence

NONE = "none"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lines of a table; every row must fill every column."""
    head, *body = [heads, *rows]
    for line in (head, *body):
        assert len(line) == len(heads), line
        assert all(line), f"an empty cell: {line}"
    return "\n".join([_line(head), "|" + "---|" * len(heads), *map(_line, body)])


def _line(values: Sequence[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(values)} |"


def cells(text: str) -> list[list[str]]:
    """The cells of a table, head first, without the line below the head."""
    lines = [line.strip().strip("|").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for i, line in enumerate(lines) if i != 1]


def digits(value: float, count: int) -> str:
    """A number with a given number of significant digits and no exponent."""
    return f"{float(f'{value:.{count}g}'):.15g}"


def power(value: float, decimals: int = 0) -> str:
    """A number with a short exponent: ``1e6``, ``2.5e-5``; zero is ``0``."""
    short = re.sub(r"e([+-])0*(\d*)$", lambda m: f"e{m[1].strip('+')}{m[2] or '0'}", f"{value:.{decimals}e}")
    return short if value else "0"
