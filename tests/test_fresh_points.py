"""Fresh points: where they are drawn, that they are simulated there, and that the record states what they say."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from fakes import FakePool, NoPool
from hypothesis import given, settings
from hypothesis import strategies as st

from gaincell_char import registry
from gaincell_char.spice.ngspice import Outcome
from gaincell_char.sweeping.run import FAILED, NOT_RUN, OK, characterize
from gaincell_char.sweeping.scattered import RUN, characterize_scattered
from gaincell_char.workflows import fresh_points, study_plans
from gaincell_char.workflows.fresh_points import draw_curve, draw_runs, list_places, simulate_fresh_points


def study(circuit, key):
    """Plan of a study, and the fits that are packaged of it."""
    loaded = registry.load_circuit(circuit)
    [declared] = [study for study in loaded.studies if study.key == key]
    plan = study_plans.plan_study(loaded, declared, registry.DEFAULT_TECHNOLOGY)
    return plan, registry.load_record(registry.DEFAULT_TECHNOLOGY, f"{circuit}.{key}").fits


def test_fits_with_the_same_inputs_and_conditions_share_their_points():
    plan, fits = study("gain_cell", "dc")
    row, plane = list_places(plan, fits)
    assert [fit.model for fit in fits if row.holds(fit)] == ["cubic", "ekv"]
    assert [fit.model for fit in fits if plane.holds(fit)] == ["cubic_2d", "ekv_2d"]
    plan, fits = study("gain_cell", "dc_corners")
    assert len(list_places(plan, fits)) == 15


def test_points_lie_in_the_closed_range_with_its_corners_and_edges():
    plan, fits = study("gain_cell", "pulse")
    [place] = list_places(plan, fits)
    runs = [at for _, at in draw_runs(plan, fits)]
    assert len(runs) == fresh_points.RUNS_TRANSIENT
    assert all(set(at) == set(plan.dims) for at in runs)
    (v_low, v_high), (t_low, t_high) = (place.valid_range[name] for name in ("v_store", "t_pulse"))
    found = {(at["v_store"], at["t_pulse"]) for at in runs}
    assert set(itertools.product((v_low, v_high), (t_low, t_high))) <= found, "every corner"
    on_edge = [p for p in found if p[0] in (v_low, v_high) or p[1] in (t_low, t_high)]
    assert len(on_edge) == fresh_points.RUNS_TRANSIENT // 4
    assert all(v_low <= v <= v_high and t_low <= t <= t_high for v, t in found)
    assert len({v for v, _ in found}) > 15
    grid = {(v, t) for v in plan.sweep["v_store"] for t in plan.sweep["t_pulse"]}
    assert len(found & grid) <= 6, "they are not the points of the fit"


def test_a_row_is_drawn_at_its_conditions():
    plan, fits = study("gain_cell", "dc")
    row, plane = list_places(plan, fits)
    of_row = [at for place, at in draw_runs(plan, fits) if place == row]
    assert {(at["v_in"], at["v_bl"], at["corner"], at["temp"]) for at in of_row} == {(0.9, 0.45, "tt", 27.0)}
    assert len({at["v_store"] for at in of_row}) == len(of_row) == fresh_points.RUNS_DC
    assert {-0.01, 0.91} < {at["v_store"] for at in of_row}
    assert len({at["v_in"] for place, at in draw_runs(plan, fits) if place == plane}) > 20


def test_many_conditions_take_fewer_runs_each_at_points_of_its_own():
    plan, fits = study("gain_cell", "dc_corners")
    groups = {}
    for place, at in draw_runs(plan, fits):
        assert (at["corner"], at["temp"]) == (place.conditions["corner"], place.conditions["temp"])
        groups.setdefault((at["corner"], at["temp"]), []).append(at["v_store"])
    assert {len(points) for points in groups.values()} == {fresh_points.RUNS_OF_MANY}
    inner = [point for points in groups.values() for point in points if 0.0 < point < 0.9]
    assert len(set(inner)) == len(inner)


def test_a_curve_is_drawn_with_both_ends_and_spread_like_its_grid():
    plan, _ = study("capacitor_decay", "decay")
    curve = draw_curve(plan)
    assert (curve[0], curve[-1]) == (plan.curve[0], plan.curve[-1])
    assert (np.diff(curve) > 0).all()
    assert 1e-4 < np.median(curve) < 3e-3, "the grid is logarithmic"
    assert not set(curve[1:-1]) & set(plan.curve)
    assert draw_curve(study("gain_cell", "dc")[0]).size == 0


def test_other_plans_have_other_points_and_the_same_plan_the_same():
    plan, fits = study("gain_cell", "pulse")
    assert draw_runs(plan, fits) == draw_runs(replace(plan), fits)
    other = replace(plan, max_step=0.5)
    assert fresh_points.derive_seed(other) != fresh_points.derive_seed(plan)
    assert draw_runs(other, fits) != draw_runs(plan, fits)


@given(dimensions=st.integers(0, 4), count=st.integers(4, 40), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_ranks_fill_the_unit_cube(dimensions, count, seed):
    ranks = fresh_points._draw_ranks(dimensions, count, np.random.default_rng(seed))
    assert ranks.shape == ((count, dimensions) if dimensions else (1, 0))
    assert np.isfinite(ranks).all()
    assert ((ranks >= 0) & (ranks <= 1)).all()
    on_edge = ((ranks == 0) | (ranks == 1)).any(axis=1).sum() if dimensions else 0
    assert on_edge == (min(2, count // 4) if dimensions == 1 else count // 4 if dimensions else 0)


@pytest.mark.parametrize(("circuit", "key"), [("gain_cell", "dc"), ("capacitor_decay", "leak"), ("gain_cell", "write")])
def test_the_errors_of_a_record_are_those_of_its_points(circuit, key, pool):
    """The seed of the record draws them again, real ngspice simulates them again."""
    plan, fits = study(circuit, key)
    fresh = simulate_fresh_points(plan, fits, pool)
    assert not fresh.failures
    assert fresh.counts["points"] == fresh.counts["ok"] == len(draw_runs(plan, fits))
    again = fresh_points.add_errors(fits, fresh, plan.circuit)
    for said, found in zip(fits, again, strict=True):
        assert (said.fresh.n, said.fresh.seed, said.fresh.n_failed) == (found.fresh.n, fresh.seed, 0)
        assert found.fresh.rms == pytest.approx(said.fresh.rms, rel=1e-3)
        assert found.fresh.worst == pytest.approx(said.fresh.worst, rel=1e-3)
        assert found.fresh.worst_at == said.fresh.worst_at


def test_points_of_no_grid_are_simulated_where_they_lie(pool):
    plan, _ = study("gain_cell", "dc")
    where = [
        {"corner": "ss", "temp": 85.0, "v_store": 0.123, "v_in": 0.777, "v_bl": 0.45},
        {"corner": "tt", "temp": 27.0, "v_store": 0.9, "v_in": 0.9, "v_bl": 0.4},
        {"corner": "tt", "temp": 27.0, "v_store": 0.123, "v_in": 0.9, "v_bl": 0.45},
    ]
    table = characterize_scattered(plan, where, pool).table
    assert table[RUN].tolist() == [0, 1, 2]
    assert (table["status"] == OK).all()
    for at, row in zip(where, table.to_dict("records"), strict=True):
        assert {name: row[name] for name in at} == at
        inputs = {name: [at[name]] for name in ("v_store", "v_in", "v_bl")}
        alone = registry.plan_bench("gain_cell", "dc", sweep=inputs, corners=[at["corner"]], temps=[at["temp"]])
        assert row["i_bl"] == pytest.approx(float(characterize(alone, pool=pool).dataset.i_bl.squeeze()), rel=1e-9)


def test_a_run_of_a_curve_gives_a_row_per_value(pool):
    plan, _ = study("capacitor_decay", "decay")
    where = [{"corner": "tt", "temp": 27.0, "v_wbl": 0.45, "v_init": v} for v in (0.9, 0.0)]
    table = characterize_scattered(replace(plan, curve=draw_curve(plan)), where, pool).table
    assert table[RUN].tolist() == [0] * 8 + [1] * 8
    assert table["time"].tolist() == [*draw_curve(plan)] * 2
    falling, rising = (table[table[RUN] == run]["v_store"].to_numpy() for run in (0, 1))
    assert (np.diff(falling) < 0).all()
    assert (np.diff(rising) > 0).all()


def test_runs_that_fail_are_rows_with_their_reason_and_are_counted(pool):
    plan, fits = study("gain_cell", "dc")
    real = {point["v_store"]: point for _, point in draw_runs(plan, fits)}
    broken = sorted(real)[5]

    class Breaking(FakePool):
        def map(self, jobs, decks, *, count):
            for job, outcome in pool.map(jobs, decks, count=count):
                lost = decks(job).params["v_store"] == broken
                yield job, Outcome(vectors={}, reason="singular matrix", log="why") if lost else outcome

    fresh = simulate_fresh_points(plan, fits, Breaking(lambda _: None))
    assert fresh.counts["failed"] == len(fresh.failures) == 1
    assert fresh.failures[0].where["v_store"] == broken
    rows = fresh.frame[fresh.frame["status"] == FAILED]
    assert rows["reason"].tolist() == ["singular matrix"]
    assert rows["i_bl"].isna().all()
    again = fresh_points.add_errors(fits, fresh, plan.circuit)
    assert sorted(fit.fresh.n_failed for fit in again) == [0, 0, 1, 1]
    for fit, before in zip(again, fits, strict=True):
        assert fit.fresh.n + fit.fresh.n_failed == before.fresh.n


def test_points_that_were_not_run_give_no_error():
    plan, fits = study("gain_cell", "dc")
    fresh = simulate_fresh_points(plan, fits, NoPool())
    assert set(fresh.frame["status"]) == {NOT_RUN}
    assert fresh.counts == {"points": 64, "ok": 0, "failed": 0}
    assert [fit.fresh for fit in fresh_points.add_errors(fits, fresh, plan.circuit)] == [None] * len(fits)
    assert simulate_fresh_points(plan, [], NoPool()).counts == {"points": 0, "ok": 0, "failed": 0}


@pytest.mark.slow
def test_the_main_job_keeps_the_points_beside_its_data(finished):
    folder, _ = finished("run", "--circuit", "capacitor_decay", "--out", "results")
    text = (folder / "results" / "data" / "capacitor_decay.leak.fresh.csv").read_text()
    assert text.startswith("run,corner,temp,v_wbl,v_store,i_leak,status,reason\n")
    # Two temperatures, and points of their own for the published form, which holds the write bitline.
    assert text.count("\n") == 1 + 2 * 2 * fresh_points.RUNS_DC
    record = registry.find_record(folder / "results" / "records", "capacitor_decay.leak")
    assert all(fit.fresh.n == fresh_points.RUNS_DC for fit in record.fits)
    decay = registry.find_record(folder / "results" / "records", "capacitor_decay.decay")
    assert {fit.fresh.n for fit in decay.fits} == {8 * fresh_points.RUNS_TRANSIENT}
