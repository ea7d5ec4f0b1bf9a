"""Errors that cannot flatter: the worst is searched for, ends of ranges are left out, rows have their own scale."""

import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from fakes import FakePool, NoPool
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fit import CUBIC, X, line_and_more, model, noisy, points
from test_fresh_points import study

from gaincell_char import registry
from gaincell_char.declare.parameters import numbers
from gaincell_char.fitting.end_blocks import ends
from gaincell_char.fitting.fit import Fit, fit_all, fit_model
from gaincell_char.fitting.peaks import find_peaks, find_unresolved
from gaincell_char.fitting.points import Selection
from gaincell_char.fitting.record import Record
from gaincell_char.fitting.row_errors import find_largest_row, rows
from gaincell_char.spice.ngspice import Outcome
from gaincell_char.storage.flat import flatten_dataset
from gaincell_char.sweeping.run import FAILED, characterize
from gaincell_char.sweeping.scattered import characterize_scattered
from gaincell_char.workflows import worst_search
from gaincell_char.workflows.fresh_points import Place, PlaceTable, draw_values, list_places, simulate_fresh_points
from gaincell_char.workflows.worst_search import list_known, refine_curve, search_largest

PLANE = {"x": np.repeat(np.linspace(0, 0.9, 73), 10), "v": np.tile(np.linspace(0.45, 0.9, 10), 73)}


def test_the_upper_and_the_lower_sixth_of_every_input_are_left_out():
    found = [(name, PLANE[name][mask].min(), PLANE[name][mask].max()) for name, mask in ends(PLANE)]
    assert [name for name, *_ in found] == ["x", "x", "v", "v"]
    expected = [(0.0, 0.1375), (0.7625, 0.9), (0.45, 0.5), (0.85, 0.9)]
    np.testing.assert_allclose([span for _, *span in found], expected, rtol=1e-12)


@given(sizes=st.lists(st.integers(1, 20), min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_an_end_never_leaves_less_than_three_values(sizes):
    grid = np.meshgrid(*(np.arange(size) for size in sizes))
    inputs = {str(number): axis.ravel() for number, axis in enumerate(grid)}
    found = list(ends(inputs))
    assert len(found) == 2 * sum(size >= 4 for size in sizes)
    for name, mask in found:
        assert np.unique(inputs[name][~mask]).size >= 3 - (np.unique(inputs[name]).size == 4)
        assert mask.any()


def test_the_error_at_an_end_is_that_of_a_fit_without_it():
    data = points(noisy())
    found = fit_model(CUBIC, data, {}, "A")
    for block, end in zip((X[3] >= X, X[-4] <= X), found.end_blocks, strict=True):
        rest = fit_model(CUBIC, data.part(~block), {}, "A")
        error = line_and_more(X[block], **rest.values()) - data.output[block]
        assert (end.input, end.low, end.high, end.errors.n) == ("x", X[block].min(), X[block].max(), 4)
        assert end.errors.rms == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-9)
        assert end.errors.nrmse == pytest.approx(end.errors.rms / data.full_range)


def test_an_end_without_which_the_model_is_not_determined_has_no_error():
    step = model(lambda x, *, a, b: a + b * (x > X[-4]))
    lower, upper = fit_model(step, points(3 + noisy()), {}, "A").end_blocks
    assert lower.errors is not None
    assert upper.errors is None


def test_many_conditions_leave_no_ends_out():
    def table(temps):
        frames = [
            pd.DataFrame({"x": X, "y": line_and_more(X, a=1, b=t, c=2), "temp": t, "status": "ok"}) for t in temps
        ]
        return pd.concat(frames)

    for count, wanted in ((4, 2), (5, 0)):
        fits, _ = fit_all([CUBIC], table(np.arange(1.0, 1.0 + count)), ["x", "temp"], {}, {"y": "A"})
        assert [len(fit.end_blocks or ()) for fit in fits] == [wanted] * count


def test_the_error_of_a_row_is_relative_to_the_range_of_that_row():
    """The second row has a tenth of the range of the first, and half of its error."""
    x, v = np.tile(np.arange(5.0), 3), np.repeat([1.0, 2.0, 3.0], 5)
    output = x * np.repeat([10.0, 1.0, 0.01], 5)
    error = np.repeat([0.2, 0.1, 0.1], 5) * np.tile([1, -1, 1, -1, 1], 3)
    selection = Selection(inputs={"x": x, "v": v}, output=output, conditions={})
    found = find_largest_row(selection, output + error, 40.0)
    assert (found.input, found.at, found.n, found.n_rows, found.n_flat) == ("v", 2.0, 5, 2, 1)
    assert found.row_range == 4.0
    assert found.rms == pytest.approx(0.1)
    assert found.nrmse == pytest.approx(0.1 / 4.0)
    assert found.worst == pytest.approx(0.1)


def test_scattered_points_and_one_input_have_no_rows():
    rng = np.random.default_rng(1)
    scattered = Selection(inputs={"x": rng.random(9), "v": rng.random(9)}, output=rng.random(9), conditions={})
    assert not list(rows(scattered))
    assert find_largest_row(scattered, np.zeros(9), 1.0) is None
    assert fit_model(CUBIC, points(noisy()), {}, "A").row_error is None


@pytest.mark.parametrize("shape", [(37,), (19, 9)], ids=str)
def test_peaks_between_the_points_are_found(shape):
    """A smooth error whose largest value lies between the points, or at an end between them."""
    top = np.array(shape) - 1.0
    where = np.array(list(itertools.product(*(np.arange(size, dtype=float) for size in shape))))

    def error(x):
        return np.cos(2 * np.pi * (x[:, 0] - 7.4) / 6.1) * (1 - 0.002 * (x[:, -1] - 2.6) ** 2)

    rng = np.random.default_rng(0)
    for _ in range(3):
        new = find_peaks(where, np.abs(error(where)), top, 3, rng)
        assert ((new >= 0) & (new <= top)).all()
        where = np.concatenate([where, new])
    dense = np.random.default_rng(1).uniform(0, top, (20000, len(shape)))
    assert np.abs(error(where)).max() >= 0.999 * np.abs(error(dense)).max()


def test_a_jump_between_two_points_is_bisected():
    """As at the threshold of a converter: the error is largest beside a jump, and smaller at the ends of its step."""

    def error(x):
        return np.where(x > 7.31, np.exp(-(x - 7.31) / 0.5), 0.0) + 0.1 * np.cos(x)

    where = np.arange(20.0)
    for _ in range(5):
        new = find_peaks(where[:, None], error(where), np.array([19.0]), 2, np.random.default_rng(0))[:, 0]
        where = np.concatenate([where, new])
    assert error(where).max() > 0.95 * error(np.linspace(0, 19, 100001)).max()


def test_the_least_resolved_point_is_that_of_a_steep_part():
    where = np.arange(20.0)
    point, difference = find_unresolved(where, where > 6.4, lambda x: x > 6.4, np.random.default_rng(0))
    assert 6 < point < 7
    assert difference == pytest.approx(0.6, abs=0.02), "a line from 0 to 1, and a step at 0.4 of it"


def test_points_on_a_line_and_few_points_give_peaks_too():
    rng, top = np.random.default_rng(0), np.array([4.0, 4.0])
    line = np.array([[float(n), 0.0] for n in range(5)])
    assert find_peaks(line, np.arange(5.0), top, 2, rng).shape == (2, 2)
    assert find_peaks(np.zeros((1, 1)), np.ones(1), np.array([1.0]), 3, rng).shape == (1, 1)


def known_of(circuit, key, pool):
    """Plan, fits and known errors of a study, fitted to a grid that `pool` simulates."""
    plan, packaged = study(circuit, key)
    dataset = characterize(plan, pool=pool).dataset
    table, dims, params = flatten_dataset(dataset), tuple(map(str, dataset.dims)), numbers(plan.fixed)
    fresh = simulate_fresh_points(plan, packaged, pool)
    return plan, packaged, list_known(packaged, plan.circuit, table, dims, params, fresh)


SEARCHED = [
    ("gain_cell", "dc", 400),
    ("gain_cell", "write", 200),
    pytest.param("relu_c2p", "transfer", 120, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("circuit", "key", "count"), SEARCHED)
def test_the_search_finds_an_error_as_large_as_any(circuit, key, count, pool):
    """Random points of another seed have no error that is more than 10 % larger."""
    plan, fits, known = known_of(circuit, key, pool)
    search = search_largest(plan, known, pool)
    assert not search.runs.failures
    assert search.runs.counts["points"] > 0
    tables = []
    for place in list_places(plan, fits):
        runs = list(draw_values(plan, place, count, np.random.default_rng(9)))
        tables.append(PlaceTable(place=place, table=characterize_scattered(plan, runs, pool).table))
    for fit, one in zip(search.add_largest(fits), known, strict=True):
        assert abs(fit.largest.worst) >= np.abs(one.error).max()
        assert fit.largest.n == one.points.output.size + fit.largest.n_searched
        assert abs(fit.stated.worst) == abs(fit.largest.worst)
        assert fit.stated.rms == fit.fresh.rms, "the rms is that of the random points"
        low, high = np.array([fit.valid_range[name] for name in fit.inputs]).T
        assert (low <= list(fit.largest.worst_at.values())).all()
        assert (list(fit.largest.worst_at.values()) <= high).all()
        [table] = [table for table in tables if table.place.holds(fit)]
        dense = replace(one, points=table.select(fit.output))
        assert np.abs(dense.error).max() <= 1.1 * abs(fit.largest.worst)


def test_a_steep_part_between_points_without_an_error_is_visited():
    """The model is exact at every known point, and steep between two of them."""
    x = np.arange(20.0)
    place = Place(inputs=("x",), conditions={}, valid_range={"x": (0.0, 19.0)})
    fit = SimpleNamespace(full_range=1.0, values=dict)
    selection = Selection(inputs={"x": x}, output=1.0 * (x > 6.4), conditions={})
    known = worst_search.Known(fit=fit, model=lambda v: 1.0 * (v > 6.4), place=place, points=selection)
    grid = worst_search._Grid(names=["x"], axes=[x], spans=[(0.0, 19.0)])
    found = [at["x"] for at in worst_search._find_new(known, grid, np.random.default_rng(0))]
    assert any(6 < v < 7 for v in found)


def test_a_curve_is_refined_and_keeps_its_ends():
    plan, _ = study("capacitor_decay", "decay")
    curve = refine_curve(plan)
    assert curve.size == 4 * (plan.curve.size - 1) + 1
    assert (curve[0], curve[-1]) == (plan.curve[0], plan.curve[-1])
    assert (np.diff(curve) > 0).all()
    assert refine_curve(study("gain_cell", "dc")[0]).size == 0


def test_runs_of_a_search_that_fail_are_counted(pool):
    plan, fits, known = known_of("gain_cell", "write", pool)

    class Breaking(FakePool):
        def map(self, jobs, decks, *, count):
            for number, (job, outcome) in enumerate(pool.map(jobs, decks, count=count)):
                yield job, Outcome(vectors={}, reason="singular matrix", log="why") if number == 0 else outcome

    search = search_largest(plan, known, Breaking(lambda _: None))
    [fit] = search.add_largest(fits)
    assert fit.largest.n_failed == len(search.runs.failures) == search.runs.counts["failed"] == worst_search.ROUNDS
    assert (search.runs.frame["status"] == FAILED).sum() == worst_search.ROUNDS
    assert search.runs.frame["run"].is_unique


def test_without_results_a_search_states_what_is_known(pool):
    plan, fits, known = known_of("gain_cell", "write", pool)
    search = search_largest(plan, known, NoPool())
    [fit] = search.add_largest(fits)
    assert (fit.largest.n_searched, fit.largest.n) == (0, known[0].error.size)
    assert abs(fit.largest.worst) == np.abs(known[0].error).max()
    nothing = search_largest(plan, [], NoPool())
    assert nothing.runs.counts["points"] == 0
    assert [fit.largest for fit in nothing.add_largest(fits)] == [None] * len(fits)


def test_a_record_with_and_without_the_new_errors_is_read():
    record = registry.load_record("gc28", "gain_cell.dc")
    bare = [fit.model_copy(update=dict.fromkeys(("end_blocks", "row_error", "largest"))) for fit in record.fits]
    old = json.loads(record.model_copy(update={"fits": bare}).to_json())
    assert not {"end_blocks", "row_error", "largest"} & old["fits"][0].keys(), "an older record stays as it is"
    assert [fit.largest for fit in Record.from_json(json.dumps(old)).fits] == [None] * len(bare)
    fit = fit_model(CUBIC, points(noisy()), {}, "A")
    found = {"worst": -1.0, "worst_at": {"x": 0.5}, "n": 40, "n_searched": 9, "n_failed": 0}
    full = Fit.model_validate({**fit.model_dump(), "largest": found})
    assert Fit.model_validate_json(full.model_dump_json()) == full
    assert (full.stated.worst, full.stated.worst_at) == (-1.0, {"x": 0.5})
    assert full.stated.rms == fit.stated.rms
    smaller = full.model_copy(update={"largest": full.largest.model_copy(update={"worst": 1e-9})})
    assert smaller.stated == fit.stated, "a smaller error never replaces a larger one"
