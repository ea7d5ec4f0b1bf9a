"""Targets for declarations and docstrings and what was measured: a table of docs/architecture.md.

    python tools/declarations.py

No number of the table is typed by hand: each is computed by the test that limits it.
"""

import argparse
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

from markdown_table import table
from marked_block import rewrite

TESTS = Path(__file__).parents[1] / "tests"
Row = tuple[str, str, str]


def rows() -> Iterator[Row]:
    """Figure, target, measured."""
    sys.path.insert(0, str(TESTS))
    found = runpy.run_path(str(TESTS / "test_declarations.py"))
    cell, converters = found["lines_of_gain_cell"](), found["lines_of_converters"]()
    yield (
        "lines of code that declare `gain_cell`, without noise and models over conditions",
        f"≤ {found['LONGEST_CELL']}",
        f"{cell}",
    )
    yield (
        "lines of code that declare both converters, without noise and what belongs to their use in an array",
        f"≤ {found['LONGEST_CONVERTERS']}",
        f"{converters}",
    )
    for part, title, limit in (
        ("_noise", "the noise", "LONGEST_PART"),
        ("_pvt", "the models over conditions", "LONGEST_PART"),
        ("_compared", "the figures of merit by record", "LONGEST_COMPARED"),
    ):
        for what, lines in zip(("gain cells", "converters"), found["lines_of"](part), strict=True):
            yield f"lines of code that declare {title} of {what}", f"≤ {found[limit]}", f"{lines}"
    yield (
        "parameters of a function in `circuits/`, most",
        f"≤ {found['MOST_PARAMETERS']}",
        f"{found['most_parameters']()}",
    )
    tutorial = runpy.run_path(str(TESTS / "test_additions.py"))
    yield (
        "lines of the Python file of the circuit in extending.md",
        f"≤ {tutorial['LONGEST']}",
        f"{tutorial['lines_of_circuit']()}",
    )
    docstrings = runpy.run_path(str(TESTS / "test_docstrings.py"))
    public, incomplete = docstrings["count_definitions"]()
    yield "public functions, methods and classes with a complete docstring", f"{public}", f"{public - incomplete}"


def main() -> None:
    """Write the table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    text = table(("figure", "target", "measured"), list(rows()))
    rewrite("docs/architecture.md", "declarations", text)
    print(text)


if __name__ == "__main__":
    main()
