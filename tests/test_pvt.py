"""Models over corner, supply and temperature: laws, joint fits, thresholds, records at a condition."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

import gaincell_char as gc
from gaincell_char import registry
from gaincell_char.declare.law import Law
from gaincell_char.declare.model import Coefficient, Model
from gaincell_char.declare.pvt import PvtModel, Threshold, over_conditions
from gaincell_char.errors import DataError, FitError, ParameterError
from gaincell_char.fitting.at_conditions import Condition, record_at
from gaincell_char.fitting.fit import fit_model
from gaincell_char.fitting.noise_floor import compute_noise_floor
from gaincell_char.fitting.points import Selection, select
from gaincell_char.torch import attention
from gaincell_char.torch.array import GainCellArray
from gaincell_char.workflows.fresh_points import draw_runs
from gaincell_char.workflows.study_plans import plan_circuit, plan_study
from gaincell_char.workflows.thresholds import measure_threshold

TEMPS, SUPPLIES = (-40.0, 27.0, 105.0, 125.0), (0.81, 0.9, 0.99)


def _line(x, *, gain, offset, half):
    return gain * x + offset * half


LINE = Model(
    name="line", form="fitted", bench="b", function=_line, output="y", equation="y = gain x + offset half",
    arguments={
        "gain": Coefficient(unit="A/V", doc="gain", start=1.0, low=0.0),
        "offset": Coefficient(unit="A/V", doc="offset", start=0.1),
        "half": Coefficient(unit="V", doc="half the supply", start="vdd/2", fixed=True),
    },
)  # fmt: skip
PVT = over_conditions(
    LINE, {"gain": Law(temp=2, supply=1, relative=True), "offset": Law(temp=1, supply=2, cross=1)}, supply="vdd"
)


@pytest.mark.parametrize(("law", "terms", "expected"), [
    (Law(), {}, 2.0),
    (Law(proportional=True), {}, 2.0 * 400.15 / 300.15),
    (Law(temp=1), {"t1": 0.01}, 3.0),
    (Law(temp=2, supply=1, cross=1), {"t1": 0.01, "t2": 1e-4, "v1": 5.0, "t1v": 0.02}, 2 + 1 + 1 + 0.5 + 0.2),
    (Law(temp=1, relative=True), {"t1": -1.5}, 2.0 * (400.15 / 300.15) ** -1.5),
    (Law(supply=2, relative=True), {"v1": 1.0, "v2": 3.0}, 2.0 * math.exp(0.1 + 0.03)),
    (Law(leak=True), {"a": 0.1, "av": 1.0, "e": 4.0}, 2 + 0.2 * math.exp(4 * (1 - 300.15 / 400.15))),
])  # fmt: skip
def test_a_law_gives_the_coefficient_at_127_degc_and_a_tenth_of_a_volt(law, terms, expected):
    assert set(law.names) == set(terms)
    assert float(law.apply(2.0, terms, 127.0, 0.1)) == pytest.approx(expected, rel=1e-12)


def test_at_the_reference_the_model_is_the_nominal_one():
    values = dict.fromkeys(PVT.coefficients, 0.3) | {"gain": 1.5, "offset": 0.2, "vdd_0": 0.9}
    assert PVT.at(27.0, 0.9, **values) == pytest.approx({"gain": 1.5, "offset": 0.2, "half": 0.45})
    assert PVT(2.0, 27.0, 0.9, **values) == pytest.approx(LINE(2.0, gain=1.5, offset=0.2, half=0.45))
    assert PVT.inputs == ("x", "temp", "vdd")
    assert {name: c.unit for name, c in PVT.coefficients.items()} == {
        "gain": "A/V", "gain_t1": "1", "gain_t2": "1", "gain_v1": "1/V",
        "offset": "A/V", "offset_t1": "A/(V K)", "offset_v1": "A/V^2", "offset_v2": "A/V^3",
        "offset_t1v": "A/(V^2 K)", "vdd_0": "V",
    }  # fmt: skip


def test_a_law_of_what_is_no_coefficient_is_refused():
    with pytest.raises(ParameterError, match="model line has no coefficient slope; have gain, offset"):
        over_conditions(LINE, {"slope": Law(temp=1)}, supply="vdd")
    with pytest.raises(ParameterError, match="model line has no coefficient half"):
        over_conditions(LINE, {"half": Law(temp=1)}, supply="vdd")


GRID = tuple(np.linspace(-1, 1, 5))


def _table(model, values, x=GRID):
    rows = [(a, t, v) for a in x for t in TEMPS for v in SUPPLIES]
    inputs = dict(zip(("x", "temp", "vdd"), np.array(rows).T, strict=True))
    return pd.DataFrame({**inputs, "corner": "tt", "y": model(*inputs.values(), **values), "status": "ok"})


def test_a_joint_fit_finds_the_laws():
    values = dict(zip(PVT.coefficients, (2.0, -1.2, 0.3, 0.5, 0.4, 1e-3, -0.2, 0.7, 2e-3, 0.9), strict=True))
    [points] = select(PVT, _table(PVT, values), ("corner", "temp", "vdd", "x"), {})
    assert points.conditions == {"corner": "tt"}
    found = fit_model(PVT, points, {}, "A")
    assert found.values() == pytest.approx(values, rel=1e-6)
    assert found.covariance == []
    assert found.coefficients["vdd_0"].stderr is None


def test_points_beyond_the_rails_are_not_part_of_the_fit():
    railed = over_conditions(LINE, {"gain": Law(temp=1, relative=True)}, supply="vdd", rails={"x": ("0", "vdd")})
    table = _table(railed, {"gain": 1.0, "gain_t1": 0.5, "offset": 0.1, "vdd_0": 0.9}, x=np.linspace(-0.09, 0.99, 13))
    [points] = select(railed, table, ("corner", "temp", "vdd", "x"), {})
    assert (points.inputs["x"] >= 0).all()
    assert (points.inputs["x"] <= points.inputs["vdd"] + 1e-12).all()
    for supply, count in ((0.81, 10), (0.9, 11), (0.99, 12)):
        assert len(set(points.inputs["x"][points.inputs["vdd"] == supply].round(9))) == count


def _ramp(x, *, gain, start):
    return gain * np.maximum(x - start, 0.0)


RAMP = Model(
    name="ramp", form="fitted", bench="b", function=_ramp, output="y", equation="y = gain (x - start)",
    arguments={
        "gain": Coefficient(unit="1", doc="gain", start=1.0), "start": Coefficient(unit="V", doc="start", start=0.1),
    },
)  # fmt: skip
RAMP_PVT = over_conditions(
    RAMP,
    {"start": Law(temp=1, supply=1)},
    supply="vdd",
    threshold=Threshold(coefficient="start", input="x", output="y", margin=0.05),
)


def _ramp_points(**changed):
    values = {"gain": 2.0, "start": 0.2, "start_t1": 1e-3, "start_v1": 0.5, "vdd_0": 0.9} | changed
    table = _table(RAMP_PVT, values)
    table["start"] = RAMP_PVT.at(table.temp, table.vdd, **values)["start"]
    return table, values


def test_a_measured_threshold_is_not_fitted_and_its_law_is():
    table, values = _ramp_points()
    [points] = select(RAMP_PVT, table, ("corner", "temp", "vdd", "x"), {})
    found = fit_model(RAMP_PVT, points, {}, "1")
    assert found.values() == pytest.approx(values, rel=1e-9)
    errors = {name: estimate.stderr for name, estimate in found.coefficients.items()}
    assert {name for name, error in errors.items() if error is None} == {"start", "start_t1", "start_v1", "vdd_0"}


def test_a_threshold_that_is_not_known_is_refused():
    table, _ = _ramp_points()
    table.loc[(table.temp == 105.0) & (table.vdd == 0.81), "start"] = np.nan
    [points] = select(RAMP_PVT, table, ("corner", "temp", "vdd", "x"), {})
    with pytest.raises(FitError, match=r"start is not known at temp = 105 degC, vdd = 0.81 V"):
        fit_model(RAMP_PVT, points, {}, "1")


def test_two_supplies_do_not_determine_a_square():
    table, _ = _ramp_points()
    model = over_conditions(RAMP, {"start": Law(supply=2)}, supply="vdd", threshold=RAMP_PVT.threshold)
    [points] = select(model, table[table.vdd != 0.99], ("corner", "temp", "vdd", "x"), {})
    with pytest.raises(FitError, match="8 conditions do not determine the 3 terms of start"):
        fit_model(model, points, {}, "1")


def test_a_threshold_is_bisected_in_spice(pool):
    sweep = {"vdd": [0.9], "q_in": [0.0, 4e-15, 9e-15, 20e-15]}
    plan = registry.plan_bench("relu_c2p", "transfer", sweep=sweep, temps=(27.0, 85.0), own_sweep=False)
    threshold = Threshold(coefficient="q_dead", input="q_in", output="t_pulse", margin=1e-15)
    found, failures = measure_threshold(plan, gc.characterize(plan, pool=pool).dataset, threshold, pool)
    assert not failures
    assert found.dims == ("corner", "temp", "vdd")
    for temp, value in zip((27.0, 85.0), found.to_numpy().ravel(), strict=True):
        beside = {"vdd": [0.9], "q_in": [value - 0.02e-15, value + 0.02e-15]}
        both = registry.plan_bench("relu_c2p", "transfer", sweep=beside, temps=(temp,), own_sweep=False)
        pulses = gc.characterize(both, pool=pool).dataset.t_pulse.to_numpy().ravel()
        assert pulses[0] == 0 < pulses[1]


OVER = [
    (circuit, study)
    for circuit in map(registry.load_circuit, registry.circuit_names())
    for study in circuit.all_studies
    if any(isinstance(model, PvtModel) for model in circuit.models_of(study))
]


@pytest.mark.parametrize(("circuit", "study"), OVER, ids=lambda one: getattr(one, "key", getattr(one, "name", "")))
def test_a_study_over_conditions_is_optional_and_covers_its_models(circuit, study):
    assert study.optional
    assert study.key not in plan_circuit(circuit, "gc28").plans
    plan = plan_circuit(circuit, "gc28", optional=True).plans[study.key]
    assert {60.0, 85.0}.isdisjoint(plan.temps)
    assert len(plan.temps) == 4
    record = registry.load_record("gc28", f"{circuit.name}.{study.key}")
    for fit in record.fits:
        model = circuit.model(fit.model)
        assert fit.valid_range["temp"] == (-40.0, 125.0)
        for name in model.nominal.inputs:
            assert fit.valid_range[name] == (min(plan.sweep[name]), max(plan.sweep[name])), name
    supply = circuit.models_of(study)[0].supply
    rails = [model.rails for model in circuit.models_of(study)]
    for _, at in draw_runs(plan, record.fits):
        for name in rails[0]:
            low, high = circuit.models_of(study)[0].limits(name, at[supply])
            assert low <= at[name] <= high


def test_a_record_at_a_condition_is_the_model_there():
    where = gc.records_at("gc28", temp=85.0, corner="ss", vdd=0.85)
    record = registry.find_record(where, "gain_cell.pulse")
    fit = record.fit("ekv_charge")
    assert fit.conditions == {"corner": "ss", "temp": 85.0, "vdd": 0.85}
    assert fit.inputs == ("v_store", "t_pulse")
    over = gc.load_model(gc.load_record("gc28", "gain_cell.pulse_pvt"), "ekv_charge_pvt", corner="ss")
    v, t = np.linspace(0, 0.85, 7), np.full(7, 3e-9)
    here = gc.load_model(record, "ekv_charge")(v, t)
    np.testing.assert_allclose(here, over(v, t, 85.0, 0.85), rtol=1e-12)
    assert (record.parameters["vdd"], record.parameters["v_bl"], record.parameters["v_idle"]) == (0.85, 0.425, 0.425)
    assert record.parameters["c_store"] == 5e-15


def test_near_the_nominal_condition_both_records_agree():
    exact = gc.load_model(gc.load_record("gc28", "gain_cell.pulse"), "ekv_charge")
    near = gc.load_model(registry.find_record(gc.records_at("gc28"), "gain_cell.pulse"), "ekv_charge")
    v, t = np.linspace(0, 0.9, 31), np.full(31, 15e-9)
    assert np.abs(near(v, t) - exact(v, t)).max() < 2e-3 * np.ptp(exact(v, t))


@pytest.mark.parametrize(("condition", "error", "match"), [
    ({"temp": 150.0}, ParameterError, r"temp = 150 is outside -40 to 125, over which ekv_charge_pvt was fitted"),
    ({"vdd": 1.2}, ParameterError, r"vdd = 1.2 is outside 0.81 to 0.99"),
    ({"corner": "sf"}, DataError, r"gain_cell.pulse_pvt: no model 'ekv_charge_pvt' at corner = sf"),
])  # fmt: skip
def test_a_condition_without_a_fit_is_refused(condition, error, match):
    with pytest.raises(error, match=match):
        registry.find_record(gc.records_at("gc28", **condition), "gain_cell.pulse")


@pytest.mark.parametrize(("name", "match"), [
    ("gain_cell.noise", "no model is known at corner ss, 85 degC; it is known at corner tt, 27 degC"),
    ("gain_cell.pulse_both", "the spread of copies is not known at corner ss, 85 degC; it is known at corner tt, 27"),
    ("capacitor_decay.decay", "known at corner ss, 85 degC; it is known at corner tt, 27 degC; corner tt, 85 degC"),
])  # fmt: skip
def test_what_is_known_at_one_condition_is_refused_at_another(name, match):
    with pytest.raises(DataError, match=match):
        registry.find_record(gc.records_at("gc28", temp=85.0, corner="ss"), name)


def test_another_supply_is_refused_where_no_model_depends_on_it():
    assert registry.find_record(gc.records_at("gc28", temp=85.0), "capacitor_decay.decay").fits
    with pytest.raises(DataError, match=r"no model is known at corner tt, 85 degC, supply 0\.85 V"):
        registry.find_record(gc.records_at("gc28", temp=85.0, vdd=0.85), "capacitor_decay.decay")


def test_noise_at_one_temperature_is_not_the_floor_of_a_model_over_temperatures():
    circuit, noise = registry.load_circuit("gain_cell"), registry.load_record("gc28", "gain_cell.noise").fits
    over = registry.load_record("gc28", "gain_cell.pulse_pvt").fit("ekv_charge_pvt", corner="tt")
    assert compute_noise_floor(circuit, over, noise) is None
    assert compute_noise_floor(circuit, registry.load_record("gc28", "gain_cell.pulse").fit("ekv_charge"), noise) > 0


def test_a_model_without_one_over_conditions_keeps_its_fits_of_that_condition():
    circuit, find = registry.load_circuit("gain_cell"), lambda name: registry.load_record("gc28", name)
    record = registry.load_record("gc28", "gain_cell.dc")
    hot = record_at(record, circuit, find, Condition(temp=85.0))
    assert {fit.model for fit in hot.fits} == {"ekv_2d"}
    corners = record_at(find("gain_cell.dc_corners"), circuit, find, Condition(temp=125.0, corner="ss"))
    assert {(fit.model, fit.conditions["temp"]) for fit in corners.fits} == {("cubic", 125.0), ("ekv", 125.0)}


def test_records_cannot_be_moved_twice():
    with pytest.raises(ParameterError, match="records is of type RecordsAt; it must be a name or a path"):
        gc.records_at(gc.records_at("gc28", temp=85.0))
    with pytest.raises(ParameterError, match="corner = 3; it must be the name of a process corner"):
        gc.records_at("gc28", corner=3)


def _qkv(tokens=6, dim=4, vdd=0.9):
    draw = torch.Generator().manual_seed(3)
    q, k, v = torch.rand(3, tokens, dim, generator=draw, dtype=torch.float64)
    return q, vdd * k, vdd * v


def test_attention_at_a_condition_uses_the_records_there():
    tensors = _qkv(vdd=0.85)
    moved = attention(*tensors, temp=85.0, corner="ss", vdd=0.85)
    same = attention(*tensors, records=gc.records_at("gc28", temp=85.0, corner="ss", vdd=0.85))
    assert torch.equal(moved, same)
    assert (moved - attention(*tensors)).abs().max() > 1e-3
    cell = GainCellArray(tensors[1], records=gc.records_at("gc28", temp=85.0))
    assert torch.isfinite(cell(torch.full((6,), 5e-9, dtype=torch.float64))).all()
    with pytest.raises(DataError, match="no model"):
        attention(*tensors, records="paper", temp=85.0)


def test_columns_at_85_degc_agree_with_spice(pool):
    found = gc.compare(operations=["scores"], tokens=4, dim=8, columns=2, temp=85.0, corner="ss", vdd=0.85, pool=pool)
    assert found.rows["status"].tolist() == ["ok", "ok"]
    assert not found.disagreements()
    cold = gc.compare(operations=["scores"], tokens=4, dim=8, columns=2, pool=pool)
    assert (found.rows["output"] - cold.rows["output"]).abs().max() > 50e-12


def test_a_record_over_conditions_states_errors_at_conditions_that_were_not_fitted():
    record = registry.load_record("gc28", "gain_cell.pulse_pvt")
    raw = json.loads(record.to_json())
    assert {tuple(fit["conditions"]) for fit in raw["fits"]} == {("corner",)}
    for fit in record.fits:
        assert fit.fresh.n >= 24
        assert fit.fresh.nrmse < 1e-3
        assert fit.largest.worst_at.keys() == {"v_store", "t_pulse", "temp", "vdd"}


def test_a_selection_keeps_its_thresholds_when_it_is_divided():
    x = np.arange(4.0)
    points = Selection(inputs={"x": x}, output=x, conditions={}, threshold=10 * x)
    assert points.part(x > 1.5).threshold.tolist() == [20.0, 30.0]


def test_a_plan_of_a_study_over_conditions_leaves_what_follows_the_supply_alone():
    circuit, study = next(one for one in OVER if one[1].key == "dc_pvt")
    plan = plan_study(circuit, study, "gc28")
    [point] = [p for p in plan.points() if p.index == (0, 0, 0, 0, 0)]
    assert point.values["vdd"] == pytest.approx(0.81)
    assert point.values["v_bl"] == point.values["v_wbl"] == pytest.approx(0.405)


def test_a_foreign_table_over_conditions_gives_the_model_back():
    """With temperature and supply as columns; the thresholds of a converter would be fitted with the rest."""
    stored = registry.load_record("gc28", "gain_cell.write_pvt").fit("feed_through_pvt", corner="tt")
    model = registry.load_circuit("gain_cell").model("feed_through_pvt")
    grid = np.array([(v, t, s) for s in SUPPLIES for t in TEMPS for v in np.linspace(0, s, 9)]).T
    table = pd.DataFrame(
        {"v_dac": grid[0], "temp": grid[1], "vdd": grid[2], "v_store": model(*grid, **stored.values())}
    )
    record = gc.fit(table, circuit="gain_cell", models=["feed_through_pvt"])
    [found] = record.fits
    assert found.values() == pytest.approx(stored.values(), rel=1e-5, abs=1e-9)
    assert "_pvt" not in {fit.model for fit in gc.fit(table[table.vdd == 0.9], circuit="gain_cell", bench="write").fits}
