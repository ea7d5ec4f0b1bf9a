"""fits/paper against what the publication says in other words."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq

from gaincell_char.registry import load_model, load_record, record_names

ROOT = Path(__file__).parents[1]
CELL = load_record("paper", "gain_cell.dc")


def test_the_cubic_passes_through_the_published_end_points_and_zero():
    cubic = load_model(CELL, "cubic")
    np.testing.assert_allclose(cubic(np.array([0.0, 0.45, 0.9])), [-10.332e-6, 0.521e-6, 10.313e-6], atol=1e-9)
    assert brentq(lambda v: float(cubic(np.array(v))), 0.3, 0.5) - 0.45 == pytest.approx(-0.0378, abs=1e-4)


def test_the_linear_gain_is_the_least_squares_slope_of_the_cubic():
    """19.3 uA/V is the slope of x f(w) on [1, x w] over the published 100 x 100 grid."""
    x, v = (a.ravel() for a in np.meshgrid(np.linspace(0, 1, 100), np.linspace(0, 0.9, 100)))
    y = x * load_model(CELL, "cubic")(v)
    slope = np.linalg.lstsq(np.stack([np.ones_like(x), x * (v - 0.45)], axis=1), y, rcond=None)[0][1]
    linear = CELL.fit("cubic", variant="linear").coefficients["c1"].value
    assert slope == pytest.approx(linear, rel=2e-3)


@pytest.mark.parametrize(("name", "full_scale"), [("relu_c2p.transfer", 1.2e-12), ("signed_c2p.transfer", 0.6e-12)])
def test_a_converter_reaches_its_longest_pulse_at_full_scale(name, full_scale):
    record = load_record("paper", name)
    width = load_model(record, record.fits[0].model)
    np.testing.assert_allclose(
        width(np.array([0.0, full_scale / 2, full_scale, 2 * full_scale])), [0, 7.5e-9, 15e-9, 15e-9]
    )
    assert width(np.array([-2 * full_scale]))[0] == pytest.approx(-15e-9 if "signed" in name else 0.0)


@pytest.mark.parametrize("name", record_names("paper"))
def test_a_published_record_names_its_source_and_claims_no_error_of_its_own(name):
    record = load_record("paper", name)
    assert "10.1038/s43588-025-00854-1" in record.provenance.source
    assert all(fit.stated is None for fit in record.fits)
    assert all(c.stderr is None for fit in record.fits for c in fit.coefficients.values())


def test_the_script_writes_exactly_what_is_committed(tmp_path):
    before = {p.name: json.loads(p.read_text()) for p in (ROOT / "fits" / "paper").glob("*.json")}
    script = (ROOT / "tools" / "paper_records.py").read_text()
    copy = tmp_path / "tools" / "paper_records.py"
    copy.parent.mkdir()
    (tmp_path / "fits").mkdir()
    copy.write_text(script)
    subprocess.run([sys.executable, copy], check=True)
    assert {p.name: json.loads(p.read_text()) for p in (tmp_path / "fits" / "paper").glob("*.json")} == before
