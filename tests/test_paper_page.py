"""docs/paper.md says what tools/paper_page.py computes, of every panel, and claims no more than there are numbers."""

import importlib.util
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "paper.md"
PANELS = [f"{figure}{letter}" for figure, last in enumerate("hedde", 1) for letter in "abcdefgh" if letter <= last]


def load_script():
    """The script as a module; it imports its neighbour."""
    spec = importlib.util.spec_from_file_location("paper_page", ROOT / "tools" / "paper_page.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        spec.loader.exec_module(module)
    return module


SCRIPT = load_script()


@pytest.fixture(scope="module")
def recorded():
    """Numbers from records, as the script computes them now."""
    return SCRIPT.from_records()


def block(name):
    """What stands between the markers of a table."""
    text = PAGE.read_text(encoding="utf-8")
    [found] = re.findall(rf"<!-- {name}: .*?-->\n(.*?)\n<!-- end of {name} -->", text, re.DOTALL)
    return found


def cells(name):
    """Cells of the table's rows, without its head."""
    lines = [line for line in block(name).splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def check_rows(numbers):
    """Rows that need no other numbers stand in the page word for word; how many there are."""
    found = 0
    for name, rows in SCRIPT.TABLES.items():
        written = block(name).splitlines()
        for row in (r for r in rows if r.uses <= set(numbers)):
            assert row.line(numbers) in written, row.name
            found += 1
    return found


def test_every_panel_occurs_once():
    assert len(PANELS) == 26
    assert [row[0] for row in cells("panels")] == PANELS


@pytest.mark.parametrize("name", SCRIPT.TABLES)
def test_statuses_of_the_page_are_those_of_the_script_and_counted(name):
    found = [row[5] for row in cells(name)]
    assert found == [row.status for row in SCRIPT.TABLES[name]]
    assert set(found) <= set(SCRIPT.STATUSES)
    counts = Counter(found)
    counted = ", ".join(f"{counts[status]} {status}" for status in SCRIPT.STATUSES)
    assert block(name).splitlines()[0] == f"{len(found)} rows: {counted}."


@pytest.mark.parametrize("row", [r for rows in SCRIPT.TABLES.values() for r in rows], ids=lambda row: row.name)
def test_a_claim_has_a_number_of_ours_and_the_rest_says_what_is_missing(row):
    if row.status == SCRIPT.REPRODUCED:
        assert set(row._replace(published="").uses), row
        assert row.published not in (SCRIPT.NONE, SCRIPT.UNREAD)
        assert SCRIPT.UNKNOWN not in row.shows
    else:
        assert row.missing != SCRIPT.NONE
    assert row.published in (SCRIPT.NONE, SCRIPT.UNREAD) or row.source != SCRIPT.NONE
    if row.status == SCRIPT.PARTLY:
        assert row.ours != SCRIPT.NONE


def test_every_picture_that_the_page_names_exists():
    named = set(re.findall(r"\((images/[^)]+)\)", PAGE.read_text(encoding="utf-8")))
    assert len(named) >= 3
    assert [name for name in named if not (PAGE.parent / name).is_file()] == []


def test_rows_from_records_are_what_the_script_computes_now(recorded):
    assert check_rows(recorded) >= 45


def test_the_converters_are_simulated_again(recorded, pool):
    assert check_rows({**recorded, **SCRIPT.from_transients(pool)}) == check_rows(recorded) + 2


def test_the_published_model_is_held_against_its_equations_again(recorded):
    assert check_rows({**recorded, **SCRIPT.from_software()}) == check_rows(recorded) + 3


@pytest.mark.long
def test_arrays_are_simulated_again(recorded, pool):
    assert check_rows({**recorded, **SCRIPT.from_arrays(pool)}) == check_rows(recorded) + 2
