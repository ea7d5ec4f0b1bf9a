"""Compare the technologies with packaged records: a table of docs/technologies.md and two pictures.

    python tools/compared_technologies.py

It reads the packaged records and simulates nothing.  No number of the table is typed by hand.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from markdown_table import NONE, table
from marked_block import rewrite

from gaincell_char import registry
from gaincell_char.reporting.technologies_figures import draw_curves
from gaincell_char.reporting.technologies_page import show_value
from gaincell_char.workflows.technology_comparison import TechnologyComparison, compare_technologies
from gaincell_char.workflows.technology_records import find_technology_records

PAGE = "docs/technologies.md"
IMAGES = Path(__file__).parents[1] / "docs" / "images"
NAMES = ("gc28", "osfet", "sky130", "gf180mcu", "ihp-sg13g2")


def rows(comparison: TechnologyComparison) -> Iterator[list[str]]:
    """Figure, circuit, conditions, and the value in each technology, for the figures of the summary."""
    for row in comparison.rows:
        if row.key:
            shown = [show_value(row, value).replace("\N{NO-BREAK SPACE}", " ") for value in row.values]
            values = [NONE if value.reason else text for value, text in zip(row.values, shown, strict=True)]
            yield [row.name, f"`{row.group}`", row.doc, *values]


def main() -> None:
    """Rewrite the table and the pictures."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    assert set(NAMES) <= set(registry.record_sets())
    comparison = compare_technologies([find_technology_records(name) for name in NAMES])
    rewrite(PAGE, "compared", table(("figure", "circuit", "conditions", *NAMES), rows(comparison)))
    for picture in comparison.pictures:
        png, _ = draw_curves(picture, NAMES)
        (IMAGES / f"technologies_{picture.curves.name}.png").write_bytes(png)


if __name__ == "__main__":
    main()
