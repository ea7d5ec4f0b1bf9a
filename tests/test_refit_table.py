"""The page that compares refitted records with older ones: its numbers follow from both records."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from gaincell_char import registry
from gaincell_char.fitting.noise_floor import compute_noise_floor
from gaincell_char.fitting.record import Record

ROOT = Path(__file__).parents[1]
OLD = ROOT / "tests" / "data" / "version_1" / "gain_cell.pulse.json"


@pytest.fixture
def table(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import refit_table

    yield refit_table
    sys.modules.pop("refit_table")


def moved(coefficient, factor):
    """The old record, and one with another coefficient in its fitted form."""
    old = registry.checked_record(OLD)
    raw = json.loads(old.to_json())
    raw["fits"][1]["coefficients"][coefficient]["value"] *= factor
    return old, Record.from_json(json.dumps(raw))


def test_the_change_is_that_of_the_predictions(table):
    """A charge that is linear in the pulse's width moves most at the end of the range, by as much as its factor."""
    old, new = moved("k_n", 1.01)
    find = registry.load_circuit("gain_cell").model
    changes, only = table.compare_records("x/y", old, new, find)
    assert only == []
    assert changes[0].moved == 0.0
    before, after = (record.fits[1].values() for record in (old, new))
    end = np.array([0.9]), np.array([15e-9])
    expected = float((find("softplus_charge")(*end, **after) - find("softplus_charge")(*end, **before))[0])
    assert expected > 0
    assert changes[1].moved == pytest.approx(expected, rel=1e-6)
    stated = max(abs(errors.worst) for errors in (old.fits[1].fitted, old.fits[1].held_out))
    assert changes[1].share == pytest.approx(expected / stated)


def test_the_worst_is_listed_on_top_with_every_coefficient_below(table):
    old, new = moved("k_n", 1.01)
    changes, _ = table.compare_records("x/y", old, new, registry.load_circuit("gain_cell").model)
    page = table.write_page(changes, ["`x/z` gone: only in the older record"], "abc123")
    rows = [line for line in page.splitlines() if line.startswith("| `x/y`")]
    assert "softplus_charge" in rows[0]
    assert "cubic_charge" in rows[1]
    assert "| fits whose predictions moved by less than the stated error | 2 | 1 |" in page
    assert "`x/z` gone: only in the older record" in page
    row = next(row for row in table.errors(changes[1]))
    noise = registry.load_record("gc28", "gain_cell.noise").fits
    floor = compute_noise_floor(registry.load_circuit("gain_cell"), new.fits[1], noise)
    assert row.endswith(f"| {table.show(floor, 'C')} |")
    assert row in page.splitlines()
    was, now = (record.fits[1].coefficients["k_n"].value for record in (old, new))
    assert any(f"| `k_n` | {was:.6g} | {now:.6g} |" in row for row in rows)
    assert sum("| `" in row[5:] for row in rows) == sum(len(fit.coefficients) for fit in new.fits)


def test_models_that_one_record_lacks_are_named(table):
    old, _ = moved("k_n", 1.0)
    new = old.model_copy(update={"fits": old.fits[:1]})
    find = registry.load_circuit("gain_cell").model
    assert table.compare_records("x/y", old, new, find)[1] == ["`x/y` softplus_charge: only in the older record"]
    assert table.compare_records("x/y", new, old, find)[1] == ["`x/y` softplus_charge: only in today's record"]
