"""The noise of an output, beside which tables print the error of its model."""

import importlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from gaincell_char import registry, reporting
from gaincell_char.fitting.noise_floor import compute_noise_floor
from gaincell_char.fitting.record import read_record
from gaincell_char.reporting import page_sections, text
from gaincell_char.workflows.characterize_all import CircuitResult, StudyResult
from gaincell_char.workflows.noise_floors import find_noise_in_job, find_packaged_noise, share_noise
from gaincell_char.workflows.run_verb import MainJobPlan, run_main_job
from gaincell_char.workflows.study_plans import CircuitPlan, plan_study
from gaincell_char.workflows.watcher import SILENT

ROOT = Path(__file__).parents[1]
T_MAX, BOLTZMANN = 15e-9, 1.380649e-23
BENCHES = {"dc": "A", "pulse": "C", "write": "V", "decay": "V", "transfer": "s"}
LEVELS = np.linspace(-0.01, 0.91, 33)
DECAY = registry.load_record("gc28", "capacitor_decay.decay")


def floor(name, model, **where):
    circuit = registry.load_circuit(name.partition(".")[0])
    noise = registry.load_record("gc28", f"{circuit.name}.noise").fits
    return compute_noise_floor(circuit, registry.load_record("gc28", name).fit(model, **where), noise)


def rms(values):
    return np.sqrt(np.mean(np.square(values)))


def test_the_floor_of_a_current_is_that_of_the_mean_over_the_longest_pulse():
    noise = registry.load_model(registry.load_record("gc28", "gain_cell.noise"), "charge_noise")
    assert floor("gain_cell.dc", "ekv") == pytest.approx(rms(noise(LEVELS, T_MAX) / T_MAX), rel=1e-12)
    assert floor("gain_cell.dc", "ekv_2d") == pytest.approx(floor("gain_cell.dc", "ekv"), rel=1e-12)


def test_the_floor_of_a_charge_is_its_mean_over_both_inputs():
    noise = registry.load_model(registry.load_record("gc28", "gain_cell.noise"), "charge_noise")
    values = noise(LEVELS[:, None], np.linspace(0.25e-9, T_MAX, 33))
    assert floor("gain_cell.pulse", "ekv_charge") == pytest.approx(rms(values), rel=1e-12)


def test_the_floor_of_a_converter_is_its_jitter():
    noise = registry.load_model(registry.load_record("gc28", "relu_c2p.noise"), "jitter")
    found = floor("relu_c2p.transfer", "relu_knee")
    assert noise(np.zeros(1))[0] < found < noise(np.array([1.4e-12]))[0]


def test_there_is_none_without_a_declaration_or_at_other_conditions():
    assert floor("gain_cell.energy", "cell_energy") is None
    assert floor("gain_cell.dc_corners", "ekv", corner="tt", temp=27.0) is not None
    assert floor("gain_cell.dc_corners", "ekv", corner="tt", temp=125.0) is None
    assert floor("gain_cell.dc_corners", "ekv", corner="ss", temp=27.0) is None


@pytest.mark.parametrize("name", registry.circuit_names())
def test_every_model_of_a_current_a_charge_a_voltage_or_a_pulse_has_a_floor(name):
    circuit = registry.load_circuit(name)
    for model in circuit.models:
        assert (model.bench in circuit.noise_floors) == (model.bench in BENCHES), model.name


# --- the stored voltage: kT/C of another circuit, at every temperature ----------------------------------------------


@pytest.mark.parametrize("temp", [27.0, 85.0])
@pytest.mark.parametrize("model", ["exponential", "four_leaks"])
def test_the_floor_of_the_decay_is_the_noise_of_the_capacitor_at_the_temperature_of_the_fit(model, temp):
    """Its capacitance is that of the storage node with the gates of the read transistors, in the noise of the write."""
    write = registry.load_record("gc28", "gain_cell.noise").fit("write_noise").values()
    capacitance = np.polyval([write[f"c{power}"] for power in (4, 3, 2, 1, 0)], LEVELS - write["v_ref"])
    expected = rms(np.sqrt(BOLTZMANN * (temp + 273.15) / capacitance))
    assert find_packaged_noise(DECAY, DECAY.fit(model, temp=temp)) == pytest.approx(expected, rel=1e-9)
    assert expected < np.sqrt(BOLTZMANN * (temp + 273.15) / DECAY.parameters["c_store"])


def test_the_floor_of_the_decay_is_not_known_in_another_corner():
    circuit, noise = registry.load_circuit("capacitor_decay"), registry.load_record("gc28", "gain_cell.noise").fits
    fit = DECAY.fit("four_leaks", temp=27.0)
    slow = fit.model_copy(update={"conditions": {**fit.conditions, "corner": "ss"}})
    assert compute_noise_floor(circuit, fit, noise) is not None
    assert compute_noise_floor(circuit, slow, noise) is None


# --- where it is looked for -----------------------------------------------------------------------------------------


def test_a_record_has_the_floor_of_the_packaged_records_of_its_technology():
    for technology in ("gc28", "sky130"):
        record = registry.load_record(technology, "gain_cell.pulse")
        fit, noise = record.fit("ekv_charge"), registry.load_record(technology, "gain_cell.noise").fits
        expected = compute_noise_floor(registry.load_circuit("gain_cell"), fit, noise)
        assert find_packaged_noise(record, fit) == expected > 0
        assert find_packaged_noise(record.model_copy(update={"technology": "chip 7"}), fit) is None


@pytest.mark.parametrize(("name", "value"), [("c_store", 2e-15), ("vdd", 0.8), ("read_flavour", "svt")])
def test_a_circuit_with_another_size_has_no_packaged_floor(name, value):
    changed = DECAY.model_copy(update={"parameters": {**DECAY.parameters, name: value}})
    assert find_packaged_noise(changed, DECAY.fit("four_leaks")) is None


def result_of(*names):
    """Result of one circuit of the main job, with the fits of packaged records and without its data."""
    records = [registry.load_record("gc28", name) for name in names]
    circuit, studies = registry.load_circuit(records[0].circuit), {}
    for record in records:
        study = next(one for one in circuit.all_studies if one.key == record.study)
        studies[study.key] = StudyResult(
            study=study, plan=plan_study(circuit, study, "gc28"), dataset=xr.Dataset(), failures=(), fits=record.fits,
            left_out=[], numerics={}, n_checked=0, wall_s=1.0,
        )  # fmt: skip
    return CircuitResult(circuit=circuit, params={}, studies=studies, merits=())


def test_a_circuit_of_the_main_job_has_the_floor_of_another_one_of_the_job():
    decay, cell = result_of("capacitor_decay.decay"), result_of("gain_cell.noise", "gain_cell.dc")
    fit = DECAY.fit("four_leaks", temp=85.0)
    shared, with_own = share_noise([decay, cell])
    assert find_noise_in_job(decay, fit) is find_noise_in_job(share_noise([decay])[0], fit) is None
    assert find_noise_in_job(shared, fit) == find_packaged_noise(DECAY, fit)
    assert find_noise_in_job(with_own, cell.studies["dc"].fits[0]) == floor("gain_cell.dc", "cubic")
    found = reporting.tabulate_fits([shared, cell]).set_index("model")
    assert found.loc["four_leaks", "noise floor"].tolist() == [find_packaged_noise(DECAY, f) for f in DECAY.fits[2:]]
    assert np.isnan(found.loc["charge_noise", "noise floor"])


def test_the_main_job_gives_the_decay_the_noise_that_it_simulated(tmp_path, pool):
    decay, cell = registry.load_circuit("capacitor_decay"), registry.load_circuit("gain_cell")
    noise = next(study for study in cell.all_studies if study.key == "noise")
    planned = (
        CircuitPlan(circuit=decay, plans={}, problems={}),
        CircuitPlan(circuit=cell, plans={"noise": plan_study(cell, noise, "gc28")}, problems={}),
    )
    plan = MainJobPlan(technology=registry.load_technology(), planned=planned)
    result = run_main_job(plan, tmp_path / "out", None, pool, SILENT).circuits[0]
    fit = DECAY.fit("four_leaks", temp=85.0)
    assert find_noise_in_job(result, fit) == pytest.approx(find_packaged_noise(DECAY, fit), rel=1e-4)


def test_a_table_says_none_where_the_noise_is_not_known():
    decay, cell = result_of("capacitor_decay.decay"), result_of("gain_cell.noise", "gain_cell.dc_corners")
    lines = reporting.tabulate_models([decay, *share_noise([decay, cell])]).set_index(["circuit", "model"])
    smallest = min(find_packaged_noise(DECAY, fit) / fit.full_range for fit in DECAY.fits if fit.model == "four_leaks")
    shown = text.show_percent(smallest)
    assert lines["noise floor"].loc["capacitor_decay", "four_leaks"].tolist() == ["none", shown]
    assert shown == "0.0949\N{NO-BREAK SPACE}%"
    assert lines["noise floor"].loc["gain_cell", "write_noise"] == "none"


def test_the_page_has_the_floor_of_each_condition():
    cell = result_of("gain_cell.noise", "gain_cell.dc_corners")
    for study in cell.studies.values():
        study.dataset["temp"] = ("temp", [27.0])
    rows = page_sections._list_conditions(cell, cell.studies["dc_corners"].fits[:15], {})
    known = {row["conditions"]: row["noise"] for row in rows if row["noise"] != "none"}
    assert len(rows) == 15
    assert list(known.values()) == ["0.0437\N{NO-BREAK SPACE}%"]
    assert "tt" in next(iter(known))


# --- tables of the documentation ------------------------------------------------------------------------------------


@pytest.fixture
def tools(monkeypatch):
    """Scripts of tools/ by name."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module


def test_tables_over_conditions_have_the_floor_of_the_model_at_one_condition(tools):
    pvt = tools("pvt")
    assert pvt.noise_floor("gain_cell.pulse_pvt", "ekv_charge_pvt") == "0.029 %"
    assert pvt.noise_floor("relu_c2p.transfer_pvt", "relu_knee_pvt") == "19 ps"
    assert pvt.noise_floor("gain_cell.energy_pvt", "cell_energy_pvt") == "none"


def test_tables_of_cells_in_use_have_the_floor_at_their_temperature(tools):
    found = {case.temp: case.noise_floor() for case in tools("decay_in_use").cases()}
    assert found == {temp: find_packaged_noise(DECAY, DECAY.fit("four_leaks", temp=temp)) for temp in (27.0, 85.0)}


def test_tables_of_the_error_protocol_have_a_floor_in_every_row(tools):
    protocol = tools("readme_protocol")
    records = [DECAY, registry.load_record("gc28", "capacitor_decay.leak")]
    for text_, column in ((protocol.ends(records), -1), (protocol.rows(records), 5)):
        head, *rows = protocol.headline.cells(text_)
        assert head[column].startswith("noise floor")
        assert {row[0]: row[column] for row in rows} == {
            "`capacitor_decay.decay`": "0.0949 %",
            "`capacitor_decay.leak`": "none",
        }


# --- the terminal ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["gc28", "chip 7"])
def test_fit_prints_the_floor_beside_the_errors(gaincell, tmp_path, source):
    """Of the packaged records if the table is of their technology, else none."""
    model = registry.load_model(registry.load_record("gc28", "gain_cell.dc"), "ekv")
    levels = np.linspace(0, 0.9, 37)
    rows = "\n".join(f"{v},0.9,0.45,tt,27,{i}" for v, i in zip(levels, model(levels), strict=True))
    (tmp_path / "lab.csv").write_text(f"v_store,v_in,v_bl,corner,temp,i_bl\n{rows}\n")
    words = ("--circuit", "gain_cell", "--model", "ekv", "--set", "vdd=0.9", "--from", source)
    status, out, said = gaincell("fit", "lab.csv", "-o", "lab.json", *words)
    assert status == 0, said
    head, row = (
        [cell.strip() for cell in re.split("[\N{BOX DRAWINGS HEAVY VERTICAL}\N{BOX DRAWINGS LIGHT VERTICAL}]", line)]
        for line in out.splitlines()
        if "noise floor" in line or "ekv" in line
    )
    [fit] = read_record(tmp_path / "lab.json").fits
    noise = registry.load_record("gc28", "gain_cell.noise").fits
    known = compute_noise_floor(registry.load_circuit("gain_cell"), fit, noise) / fit.full_range
    assert row[head.index("noise floor")] == (f"{100 * known:.4f} %" if source == "gc28" else "none")
    assert head.index("noise floor") == head.index("cross-validation") + 1


def test_a_result_keeps_everything_else_when_the_noise_is_shared():
    decay = result_of("capacitor_decay.decay")
    [shared] = share_noise([decay])
    assert replace(shared, noise={}) == decay
