"""Technologies on one page: figures from records, what is missing and why, runs of several, refusals."""

import json
import math
import re
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import gaincell_char as gc
from gaincell_char import registry
from gaincell_char.cli import cli, compared_runs
from gaincell_char.declare.datasheet import Study
from gaincell_char.declare.sweep_values import linspace
from gaincell_char.errors import DataError, RequestError, StorageError
from gaincell_char.montecarlo.results import OK
from gaincell_char.technology import folder as technology_folder
from gaincell_char.workflows import technology_evidence
from gaincell_char.workflows.column_errors import find_column_errors
from gaincell_char.workflows.run_verb import MainJobPlan
from gaincell_char.workflows.technology_comparison import compare_technologies
from gaincell_char.workflows.technology_evidence import CircuitEvidence
from gaincell_char.workflows.technology_records import PACKAGED, TechnologyRecords, find_technology_records
from gaincell_char.workflows.technology_runs import PlannedTechnology

FITS = Path(str(registry.files("gaincell_char.fits")))
GC28 = Path(str(registry.files("gaincell_char.netlists"))) / "tech" / "gc28"
FEW = "gain_cell.dc.json", "gain_cell.energy.json"


@pytest.fixture(scope="module")
def packaged():
    """The comparison of the packaged records of three technologies."""
    return compare_technologies([find_technology_records(name) for name in ("gc28", "sky130", "gf180mcu")])


def _row(comparison, group, name):
    """Values of one figure of merit, by technology."""
    found = next(row for row in comparison.rows if (row.group, row.name) == (group, name))
    return dict(zip([one.name for one in comparison.technologies], found.values, strict=True))


def _table(place):
    """Written figures of one circuit, by figure and technology."""
    table = pd.read_csv(place / "tables" / "technologies.csv", keep_default_na=False)
    return table[table["circuit"] == "gain_cell"].set_index(["figure", "technology"])


def _folder(place, names=FEW, technology="gc28"):
    """A folder as `gaincell run` writes it, with some packaged records."""
    (place / "records").mkdir(parents=True)
    for name in names:
        shutil.copy(FITS / technology / name, place / "records")
    return place


# --- figures --------------------------------------------------------------------------------------------------------


def test_figures_are_those_of_the_records(packaged):
    """Against the records themselves: parameters, coefficients, errors, models at one point."""
    for technology in ("gc28", "sky130", "gf180mcu"):
        cell = registry.load_record(technology, "gain_cell.dc")
        vdd = cell.parameters["vdd"]
        assert _row(packaged, "gain_cell", "supply")[technology].value == vdd
        area = (
            cell.parameters["w_n"] * cell.parameters["l_n"] + cell.parameters["w_p"] * cell.parameters["l_p"]
            + 2 * cell.parameters["w_write"] * cell.parameters["l_write"]
        )  # fmt: skip
        assert _row(packaged, "gain_cell", "gate area of a cell")[technology].value == pytest.approx(1e12 * area)
        current = registry.load_model(cell, "ekv")(np.array(vdd))
        assert _row(packaged, "gain_cell", "largest current")[technology].value == pytest.approx(float(current), abs=0)
        error = cell.fit("ekv").stated.nrmse
        assert _row(packaged, "gain_cell", "error of the current's model")[technology].value == 100 * error
        relu = registry.load_record(technology, "relu_c2p.transfer").fit("relu_knee").values()
        assert _row(packaged, "relu_c2p", "threshold")[technology].value == relu["q_dead"]
        gain = _row(packaged, "relu_c2p", "gain")[technology].value
        assert gain == pytest.approx(relu["gain"], rel=0.03)
        assert gain != relu["gain"]


def test_both_sides_of_the_signed_converter_have_their_own_line(packaged):
    fit = registry.load_record("gc28", "signed_c2p.transfer").fit("signed_knee").values()
    for side, of, sign in (("p", "positive", -1), ("n", "negative", 1)):
        value = _row(packaged, "signed_c2p", f"gain, {of} charge")["gc28"].value
        assert value == pytest.approx(fit[f"gain_{side}"], rel=0.02)
        offset = _row(packaged, "signed_c2p", f"offset, {of} charge")["gc28"].value
        line = fit[f"t_0_{side}"] + sign * fit["q_0"] * fit[f"gain_{side}"]
        assert offset == pytest.approx(line, rel=0.01, abs=0)


def test_retention_is_where_a_level_has_moved_by_half_an_lsb(packaged):
    decay = registry.load_model(registry.load_record("gc28", "capacitor_decay.decay"), "four_leaks", temp=85.0)
    at = _row(packaged, "capacitor_decay", "retention at 85 degC")["gc28"].value
    levels = np.linspace(0, 0.9, 8)
    moved = np.abs(decay(levels, np.array(at), np.array(0.45)) - levels).max()
    assert moved == pytest.approx(0.9 / 14, rel=1e-3)
    assert at < _row(packaged, "capacitor_decay", "retention at 27 degC")["gc28"].value


def test_retention_beyond_the_simulated_times_is_a_lower_limit(monkeypatch):
    """A cell whose leaks are a million times slower keeps its levels until the end of the time axis."""
    read = registry.load_record

    def slower(technology, name):
        record = read(technology, name)
        fits = []
        for fit in record.fits:
            changed = {
                key: one.model_copy(update={"value": one.value * (1e6 if key == "tau" else 1e-6)})
                for key, one in fit.coefficients.items()
                if key == "tau" or key.startswith("r_")
            }
            fits.append(fit.model_copy(update={"coefficients": {**fit.coefficients, **changed}}))
        return record.model_copy(update={"fits": fits}) if name == "capacitor_decay.decay" else record

    monkeypatch.setattr(registry, "load_record", slower)
    found = compare_technologies([find_technology_records(name) for name in ("gc28", "sky130")])
    value = _row(found, "capacitor_decay", "retention at 27 degC")["gc28"]
    assert (value.value, value.end) == (math.inf, pytest.approx(30e-3))


def test_energy_is_that_of_the_figure_of_merit_of_the_run(packaged):
    """Mean of cell and driver energies of the models, over the eight levels, at half of the longest pulse."""
    record = registry.load_record("sky130", "gain_cell.energy")
    levels, width = np.linspace(0, 1.8, 8), np.array(7.5e-9)
    models = [registry.load_model(record, name) for name in ("cell_energy", "driver_energy")]
    mean = np.mean(models[0](levels, width) + models[1](levels, width))
    assert _row(packaged, "gain_cell", "energy per operation")["sky130"].value == pytest.approx(float(mean), abs=0)


def test_spread_is_the_part_of_mismatch(packaged):
    """The record of both kinds of variation states the covariance by mismatch alone; against that of mismatch."""
    spread = _row(packaged, "gain_cell", "spread of the largest current")["gc28"].value
    record = registry.load_record("gc28", "gain_cell.dc_mismatch")
    full = next(one for one in record.spread.outputs if one.where.get("v_store") == 0.9)
    assert spread == pytest.approx(100 * full.sigma / full.mean, rel=0.03)
    both = registry.load_record("gc28", "relu_c2p.transfer_both").spread.random[0]
    at = [one.name for one in both.coefficients].index("d_q_dead")
    threshold = _row(packaged, "relu_c2p", "spread of the threshold")["gc28"].value
    assert threshold == pytest.approx(math.sqrt(both.covariance["mismatch"][at][at]), abs=0)
    assert threshold < both.coefficients[at].sigma


def test_spread_of_the_offset_is_that_of_drawn_converters(packaged):
    """Gain, width at the threshold and threshold vary together: against lines through drawn converters."""
    random = gc.load_random(registry.load_record("gc28", "relu_c2p.transfer_both"), "random_relu")
    drawn = random.draw(1, 4000, 5, parts=("mismatch",))
    charges = 1.2e-12 * np.array([[0.1], [0.7]])
    low, high = random(charges, **{name: values.ravel() for name, values in drawn.items()})
    offset = low - (high - low) / 0.6 * 0.1
    spread = _row(packaged, "relu_c2p", "spread of the offset")["gc28"].value
    assert spread == pytest.approx(offset.std(), rel=0.05, abs=0)


def test_what_is_missing_states_the_reason_and_the_command(packaged):
    lacking = _row(packaged, "relu_c2p", "spread of the gain")["sky130"]
    if math.isnan(lacking.value):  # until sky130 has a record
        assert lacking.reason == "no record of mismatch"
        assert lacking.how == (
            "gaincell mc relu_c2p transfer -n 512 --vary mismatch --tech sky130 -o "
            "results/sky130/relu_c2p.transfer_mismatch"
        )


def _without_warm_fits(place):
    """A folder of a run in gf180mcu in which the decay is fitted at 27 degC only."""
    name = "capacitor_decay.decay.json"
    folder = _folder(place, [name], "gf180mcu")
    record = json.loads((folder / "records" / name).read_text())
    record["fits"] = [fit for fit in record["fits"] if fit["conditions"]["temp"] == 27.0]
    (folder / "records" / name).write_text(json.dumps(record))
    return folder


def test_a_fit_and_points_that_are_missing_are_both_told(tmp_path):
    """The figure needs the fit at 85 degC, or the simulated points in its place."""
    folder = _without_warm_fits(tmp_path / "gf180mcu")
    compared = compare_technologies([find_technology_records(one) for one in ("gc28", folder)])
    warm = _row(compared, "capacitor_decay", "retention at 85 degC")["gf180mcu"]
    assert warm.reason == (
        "record capacitor_decay.decay has no fit of four_leaks at corner tt and 85 degC; "
        "no simulated points of capacitor_decay.decay"
    )
    assert warm.how.startswith("gaincell run --circuit capacitor_decay --tech gf180mcu -o ")


def test_every_command_that_is_named_can_be_typed(packaged):
    """Up to the first simulation: the words are those of the commands."""
    for command in {value.how for row in packaged.rows for value in row.values if value.how}:
        words = command.split()
        assert words[0] == "gaincell"
        context = cli.make_context("gaincell", words[1:], resilient_parsing=False)
        name, chosen, rest = cli.resolve_command(context, [*context._protected_args, *context.args])
        chosen.make_context(name, rest, parent=context)


def test_column_errors_of_records_are_called_stated(packaged):
    for operation in ("scores", "values"):
        for technology, value in _row(packaged, "attention", f"error of a column: {operation}").items():
            assert 0.001 < value.value < 1, technology
            assert value.basis == "stated by the records, median of the columns; not compared with SPICE"
            assert value.how == f"gaincell compare --tech {technology} --columns 8 -o results/{technology}/compare"


# --- folders --------------------------------------------------------------------------------------------------------


def test_records_of_a_campaign_beside_a_run_are_found(tmp_path):
    """As the named command writes it: <circuit>.<bench>_mismatch/record.json in the folder of the run."""
    run = _folder(tmp_path / "run")
    for path in (run / "records").iterdir():
        said = json.loads(path.read_text()) | {"technology": "mine"}
        path.write_text(json.dumps(said))
    mine = TechnologyRecords(name="mine", tech="./mine", folder=run)
    evidence = CircuitEvidence(circuit=registry.load_circuit("gain_cell"), records=mine)
    with pytest.raises(DataError, match="no record of mismatch") as lack:
        evidence.spread("dc", "random_cell", 0.9)
    out = lack.value.how.split()[-1]
    assert out == f"{run.as_posix()}/gain_cell.dc_mismatch"
    Path(out).mkdir()
    record = json.loads((FITS / "gc28" / "gain_cell.dc_mismatch.json").read_text()) | {"technology": "mine"}
    (Path(out) / "record.json").write_text(json.dumps(record))
    assert evidence.spread("dc", "random_cell", 0.9) == pytest.approx(3.2e-7, rel=0.02)


def test_packaged_records_stand_in_for_the_same_technology_files_only(tmp_path):
    run = find_technology_records(_folder(tmp_path / "run"))
    assert run.find("gain_cell.dc")[1] == ""
    assert run.find("gain_cell.dc_mismatch")[1] == PACKAGED
    other = _folder(tmp_path / "other")
    for path in (other / "records").iterdir():
        path.write_text(path.read_text().replace("28d4dde7bd677929", "0" * 16))
    with pytest.raises(DataError, match=r"no record gain_cell\.dc_mismatch"):
        find_technology_records(other).find("gain_cell.dc_mismatch")


def test_a_damaged_record_is_a_reason_and_stops_nothing(tmp_path):
    run = _folder(tmp_path / "run")
    (run / "records" / "gain_cell.energy.json").write_text("[1")
    found = compare_technologies([find_technology_records(run), find_technology_records("sky130")])
    energy = _row(found, "gain_cell", "energy per operation")["gc28"]
    assert "gain_cell.energy.json: not JSON" in energy.reason
    assert _row(found, "gain_cell", "supply")["gc28"].value == 0.9


def test_a_record_of_another_study_or_technology_is_not_taken(tmp_path):
    run = _folder(tmp_path / "run")
    shutil.copy(FITS / "sky130" / "gain_cell.energy.json", run / "records")
    found = find_technology_records(run)
    with pytest.raises(DataError, match=r"is the record gain_cell\.energy of technology sky130"):
        found.find("gain_cell.energy")


def test_simulated_points_take_the_place_of_a_fit(tmp_path):
    """Points of a made-up decay: a level falls by 1 V/s, so half an LSB of 3.3 V takes 236 ms."""
    run = _without_warm_fits(tmp_path / "run")
    (run / "data").mkdir()
    # Levels beyond the rails, other levels of the write bitline and the other temperature move faster.
    grid = [
        {"corner": "tt", "temp": temp, "v_wbl": wbl, "v_init": v, "time": time, "v_store": v - fall * time}
        for temp in (27.0, 85.0)
        for wbl in (0.0, 1.65, 3.3)
        for v in (-0.03, 0.0, 1.65, 3.3)
        for time in np.geomspace(1e-5, 2, 40)
        for fall in [5.0 if temp < 85 or wbl != 1.65 or v < 0 else 1.0]
    ]
    pd.DataFrame(grid).assign(status=OK, reason="").to_csv(run / "data" / "capacitor_decay.decay.csv", index=False)
    found = compare_technologies([find_technology_records(run), find_technology_records("gc28")])
    assert _row(found, "capacitor_decay", "retention at 85 degC")["gf180mcu"].value == pytest.approx(3.3 / 14)
    assert _row(found, "capacitor_decay", "retention at 27 degC")["gf180mcu"].value == pytest.approx(1.673, rel=1e-3)


def _comparison(run, **request):
    """A folder as `gaincell compare` writes it."""
    there = run / "compare"
    (there / "tables").mkdir(parents=True)
    said = {
        "technology": "gc28", "head": "attention", "corner": "tt", "temp": 27.0, "vdd": None, "mismatch": False,
        **request,
    }  # fmt: skip
    about = {"digest": "0" * 16, "source": "0" * 16, "simulator": "ngspice 39", "n": 2, "request": said}
    (there / "campaign.json").write_text(json.dumps(about))
    (there / "tables" / "summary.csv").write_text(
        "operation,form,n,rms_percent\nscores,cubic,8,9.9\nscores,pulsed,8,0.021\nvalues,pulsed,0,nan\n"
    )
    return there


def test_a_comparison_with_spice_goes_before_what_records_state(tmp_path):
    run = _folder(tmp_path / "run")
    _comparison(run)
    found = find_column_errors(find_technology_records(run), registry.load_head("attention"))
    assert found["scores"].percent == 0.021
    assert found["scores"].basis == "compared with SPICE, 8 columns"
    assert found["values"].reason == "no column of the comparison has a pulse"


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"technology": "sky130"}, "is a comparison in sky130, not in gc28"),
        ({"head": "attention_switched"}, "of the head attention_switched, not of attention"),
        ({"mismatch": True}, "is a comparison with mismatch = True"),
        ({"temp": 85.0}, "is a comparison with temp = 85.0"),
    ],
)
def test_another_comparison_is_not_taken(tmp_path, request_, says):
    run = _folder(tmp_path / "run")
    _comparison(run, **request_)
    found = find_column_errors(find_technology_records(run), registry.load_head("attention"))
    assert says in found["scores"].reason
    assert found["scores"].how.startswith("gaincell compare --tech gc28")


# --- the page -------------------------------------------------------------------------------------------------------


@pytest.mark.pictures
def test_the_page_contains_all_figures_and_its_pictures(tmp_path):
    page = gc.report(["gc28", "sky130", "gf180mcu"], folder=tmp_path / "page")
    assert page.missing == ()
    text = page.path.read_text(encoding="utf-8")
    table = pd.read_csv(tmp_path / "page" / "tables" / "technologies.csv", keep_default_na=False)
    assert set(table["technology"]) == {"gc28", "sky130", "gf180mcu"}
    for shown in set(table["as text"]):
        assert f">{shown}" in text
    for said in {*table["missing"], *table["command"]} - {""}:
        assert said in text
    assert text.count("data:image/png;base64,iVBOR") == 2
    assert "<script" not in text
    assert not re.findall(r'(?:src|href)="(?!data:|#|figures/|tables/)', text)
    for link in re.findall(r'href="([^#"][^"]*)"', text):
        assert (page.path.parent / link).is_file(), link
    for anchor in re.findall(r'href="#([^"]*)"', text):
        assert f'id="{anchor}"' in text
    words = (tmp_path / "page" / "figures" / "technologies.decay.svg").read_text()
    for label in ("gf180mcu", "85 degC", "half an LSB", "time since the write"):
        assert label in words


HOSTILE = "<img src=x onerror=alert(1)>"


def test_hostile_names_are_shown_not_obeyed(tmp_path):
    run = _folder(tmp_path / "out" / f"javascript:{HOSTILE}")
    (run / "index.html").write_text("own page")
    (run / "records" / "gain_cell.energy.json").write_text(json.dumps({"schema_version": HOSTILE}))
    text = gc.report([run, "sky130"], folder=tmp_path / "out").path.read_text(encoding="utf-8")
    assert "onerror=alert(1)&gt;" in text
    assert HOSTILE not in text
    assert 'href="javascript:' not in text
    assert 'href="javascript%3A%3Cimg' in text


def test_the_page_can_be_made_again_without_simulation(gaincell, tmp_path):
    _folder(tmp_path / "mine")
    status, out, err = gaincell("tech", "compare", "mine", "sky130", "-o", "page")
    assert (status, err) == (0, "")
    assert "energy per operation" in out
    first = (tmp_path / "page" / "tables" / "technologies.csv").read_text()
    assert gaincell("tech", "compare", "mine", "sky130", "-o", "page")[0] == 0
    assert (tmp_path / "page" / "tables" / "technologies.csv").read_text() == first


# --- refusals -------------------------------------------------------------------------------------------------------


def test_compare_refuses_what_is_no_result(refused, tmp_path):
    assert "no records 'nope'; have gc28, " in refused("tech", "compare", "gc28", "nope")
    (tmp_path / "empty").mkdir()
    err = refused("tech", "compare", "gc28", "empty")
    assert "empty contains no record that states a technology; give a folder of gaincell run" in err
    assert "1 technology is given; give two or more to compare" in refused("tech", "compare", "gc28")
    err = refused("tech", "compare", "gc28", "sky130", "gc28")
    assert "two of the technologies are named gc28; give technologies with different names" in err
    with pytest.raises(RequestError, match="give it with folder="):
        gc.report(["gc28", "sky130"])


def test_a_wrong_name_among_several_is_refused_before_any_simulation(refused):
    assert "no technology 'gc29'; have " in refused("run", "--tech", "gc28,gc29")
    assert "contains an empty value" in refused("run", "--tech", "gc28,")
    assert "two of the technologies are named gc28" in refused("run", "--tech", "gc28,gc28")
    assert "no circuit 'relu'; have " in refused("run", "--tech", "gc28,osfet", "--circuit", "relu")


def test_no_page_replaces_that_of_other_results(refused, tmp_path):
    _folder(tmp_path / "results")
    (tmp_path / "results" / "index.html").write_text("page of a run")
    (tmp_path / "results" / "run.json").write_text("{}")
    err = refused("run", "--tech", "gc28,osfet")
    assert "results/run.json belongs to other results, whose page the comparison would replace" in err
    (tmp_path / "compared" / "tables").mkdir(parents=True)
    (tmp_path / "compared" / "tables" / "technologies.csv").write_text("")
    err = refused("run", "-o", "compared")
    assert "compared contains a comparison of technologies, whose page this run would replace" in err


@pytest.mark.parametrize("name", ["figures", "tables"])
def test_a_technology_named_like_a_folder_of_the_page_is_refused(refused, tmp_path, name):
    _copy(tmp_path / "mine", name)
    err = refused("run", "--tech", "gc28,mine")
    assert f"a technology named {name} cannot be compared with others: {name}/ belongs to the comparison" in err


def test_results_of_another_technology_are_refused_for_every_technology(refused, tmp_path):
    (tmp_path / "results" / "osfet").mkdir(parents=True)
    (tmp_path / "results" / "osfet" / "run.json").write_text('{"technology": "gc28"}')
    err = refused("run", "--tech", "gc28,osfet")
    assert "results/osfet/run.json is of technology gc28, and this run is of osfet" in err


# --- runs of several technologies -----------------------------------------------------------------------------------


def _copy(place, name, more=""):
    """A technology of another name with the files of gc28."""
    shutil.copytree(GC28, place)
    text = (place / "technology.toml").read_text()
    assert text.count('name = "gc28"') == 1
    (place / "technology.toml").write_text(text.replace('name = "gc28"', f'name = "{name}"') + more)


@pytest.fixture
def few_studies(monkeypatch):
    """Two short studies of each cell."""
    load = registry.load_circuit

    def reduced(name):
        circuit = load(name)
        if name != "gain_cell":
            return circuit
        dc = Study(bench="dc", sweep={"v_store": linspace(0, "vdd", 13), "v_in": ["vdd"]}, models=("ekv",))
        energy = Study(bench="energy", sweep={"v_store": linspace(0, "vdd", 6), "t_pulse": [1e-9, 7.5e-9, 15e-9]})
        return replace(circuit, studies=(dc, energy), figures=())

    monkeypatch.setattr(registry, "load_circuit", reduced)


@pytest.mark.ngspice
@pytest.mark.slow
@pytest.mark.usefixtures("few_studies")
def test_a_run_in_several_technologies_gives_folders_and_one_page(gaincell, tmp_path):
    _copy(tmp_path / "mine", "copy")
    words = ("run", "--circuit", "gain_cell", "--tech", "gc28,./mine", "--workers", 1, "--records", "kept")
    status, out, err = gaincell(*words)
    assert status == 0, err
    for name in ("gc28", "copy"):
        there = tmp_path / "results" / name
        assert {"data", "records", "tables", "index.html", "run.json"} <= {path.name for path in there.iterdir()}
        assert (tmp_path / "kept" / name / "gain_cell.dc.json").is_file()
    page = (tmp_path / "results" / "index.html").read_text(encoding="utf-8")
    assert 'href="copy/index.html"' in page
    assert "energy per operation" in out
    table = _table(tmp_path / "results")
    current = table["value"]["largest current"].astype(float)
    assert current["gc28"] == current["copy"]
    record = gc.read_record(tmp_path / "results" / "copy" / "records" / "gain_cell.dc.json")
    expected = gc.load_model(record, "ekv")(np.array(0.9))
    assert current["copy"] == pytest.approx(float(expected), abs=0)
    assert current["gc28"] == pytest.approx(9.6e-6, rel=0.02)
    # The packaged records are of the same files as gc28, and not of the copy.
    assert table["basis"]["spread of the largest current", "gc28"] == PACKAGED
    assert table["missing"]["spread of the largest current", "copy"] == "no record of mismatch"
    assert "--tech ./mine" in table["command"]["spread of the largest current", "copy"]


@pytest.mark.ngspice
@pytest.mark.slow
@pytest.mark.usefixtures("few_studies")
def test_what_fails_in_one_technology_loses_nothing_of_the_others(gaincell, tmp_path, monkeypatch):
    """One without model files, one whose transients do not converge, and one that is complete."""
    _copy(tmp_path / "bad", "bad", "\n[options.gain_cell]\nreltol = 1e-12\nitl4 = 1\n")
    monkeypatch.setattr(technology_folder, "find_models", lambda *_: None)
    registry.load_technology.cache_clear()
    status, _, err = gaincell("run", "--circuit", "gain_cell", "--tech", "sky130,./bad,gc28", "--workers", 1)
    registry.load_technology.cache_clear()
    assert status == 1
    lines = err.splitlines()
    assert "gaincell: sky130: the model files are missing; gaincell tech get sky130 downloads them" in lines[-3]
    assert re.search(r"gaincell: bad: \d+ of \d+ points failed; the first, at .*; decks and logs are in ", lines[-2])
    said = "2 of 3 technologies not completely characterized: sky130, bad; the results of the others are complete"
    assert lines[-1] == f"gaincell: {said}"
    page = (tmp_path / "results" / "index.html").read_text(encoding="utf-8")
    assert "2 of 3 technologies not completely characterized" in page
    table = _table(tmp_path / "results")
    for name in ("gc28", "bad"):
        assert float(table["value"]["largest current", name]) == pytest.approx(9.6e-6, rel=0.02)
    assert table["missing"]["largest current", "sky130"] == (
        "no record gain_cell.dc; sky130 was not completely characterized"
    )
    assert (tmp_path / "results" / "gc28" / "index.html").is_file()


def test_none_that_can_be_used_is_refused(refused, monkeypatch):
    monkeypatch.setattr(technology_folder, "find_models", lambda *_: None)
    registry.load_technology.cache_clear()
    err = refused("run", "--tech", "sky130,gf180mcu")
    registry.load_technology.cache_clear()
    assert "gaincell: sky130: the model files are missing; gaincell tech get sky130 downloads them" in err
    assert "; gf180mcu: the model files are missing; gaincell tech get gf180mcu downloads them" in err


def test_circuits_of_the_default_head_come_first():
    names = [circuit.name for circuit in technology_evidence.list_circuits()]
    head = registry.load_head(registry.DEFAULT_HEAD)
    assert tuple(names[:4]) == technology_evidence.list_parts(head)


def test_a_campaign_of_the_run_goes_before_a_packaged_one_and_a_damaged_one_is_told(tmp_path):
    run = _folder(tmp_path / "a run")
    there = run / "gain_cell.dc_both"
    there.mkdir()
    shutil.copy(FITS / "gc28" / "gain_cell.dc_both.json", there / "record.json")
    evidence = CircuitEvidence(circuit=registry.load_circuit("gain_cell"), records=find_technology_records(run))
    evidence.spread("dc", "random_cell", 0.9)
    assert evidence.origins == [""]
    for path in (run / "records").iterdir():  # another version of the technology: no packaged record stands in
        path.write_text(path.read_text().replace("28d4dde7bd677929", "0" * 16))
    (there / "record.json").write_text("[1")
    again = CircuitEvidence(circuit=evidence.circuit, records=find_technology_records(run))
    with pytest.raises(DataError, match=r"no record of mismatch; .*record\.json: not JSON") as lack:
        again.spread("dc", "random_cell", 0.9)
    assert lack.value.how.endswith(f"-o '{run}/gain_cell.dc_mismatch'")


def test_an_error_while_one_technology_runs_is_kept_as_its_failure(monkeypatch, tmp_path):
    planned = PlannedTechnology(
        name="gc28", tech="gc28", plan=MainJobPlan(technology=registry.load_technology(), planned=())
    )
    options = compared_runs.RunOptions(
        out=tmp_path, circuits=(), records=None, every_study=False, workers=1, timeout=60.0
    )

    def full(*_):
        raise StorageError("the disk is full")

    monkeypatch.setattr(compared_runs, "run_main_job", full)
    found = compared_runs._characterize(planned, options, SimpleNamespace(stop=threading.Event()))
    assert (found.name, found.folder, found.failure) == ("gc28", tmp_path / "gc28", "the disk is full")
