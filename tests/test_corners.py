"""Corners of the own technologies are three sigma of a stated performance."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from gaincell_char import registry

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def corners():
    """The script that computes them."""
    spec = importlib.util.spec_from_file_location("corners", ROOT / "tools" / "corners.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["gc28", "osfet"])
def test_the_corners_of_a_technology_are_those_of_the_script(corners, name):
    technology = registry.load_technology(name)
    slopes = corners.sensitivities(technology)
    for corner in corners.WEIGHTS:
        expected = corners.corner(technology, slopes, corner, 3.0)
        np.testing.assert_allclose(list(technology.corner(corner).values()), expected, rtol=0.01, atol=1e-5)
        assert corners.reached(technology, slopes, corner) == pytest.approx(3.0, abs=0.2), corner


def test_a_corner_is_the_nearest_die_with_its_performance(corners):
    """Theory: other dies with the same linear performance have more sigmas, all parameters taken together."""
    technology = registry.load_technology("gc28")
    slopes, scale = corners.sensitivities(technology), corners.scale(technology)
    numbers = np.linalg.solve(scale, corners.corner(technology, slopes, "ff", 3.0))
    assert np.linalg.norm(numbers) == pytest.approx(3.0)
    weights = slopes @ np.array(corners.WEIGHTS["ff"])
    rng = np.random.default_rng(1)
    for other in rng.standard_normal((50, len(numbers))):
        same = other + weights * ((numbers - other) @ weights) / (weights @ weights)
        assert np.linalg.norm(same) >= 3.0 - 1e-9
