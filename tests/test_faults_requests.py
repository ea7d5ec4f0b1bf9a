"""Tracebacks, hangs, late refusals, silence of November 2026: one sentence and its status, before anything runs."""

import contextlib
import hashlib
import html
import importlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from copy import deepcopy
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hostile import paths

import gaincell_char
from gaincell_char import registry
from gaincell_char.declare.bench import Op
from gaincell_char.errors import DataError, GaincellError, RequestError
from gaincell_char.fitting.record import read_record
from gaincell_char.spice.pool import Pool
from gaincell_char.sweeping import run
from gaincell_char.validation import request_checks

ALL = os.environ.get("GAINCELL_TESTS") == "all"
_REFUSED = "test_a_request_that_cannot_be_done_is_one_sentence"
_COMPARED = "test_compare.py::test_a_wrong_request_is_refused"
_GRID = "test_refusals.py::test_a_grid_that_makes_no_sense_is_refused"
_RECORD = "test_a_record_that_contradicts_its_circuit_is_refused"
ROWS = {
    "mc -n 100000000000": (_REFUSED,),
    "--replay 9999999999999.0": (_REFUSED,),
    "-o of 300 characters": ("test_a_name_that_is_too_long_is_refused",),
    "export --at model=1": (_REFUSED,),
    "compare --seed -1": (_COMPARED,),
    "compare --queries 9 with 2 tokens": (_COMPARED,),
    "compare --tokens 999999999999": (_COMPARED,),
    "expressions of 5,000 terms": ("test_an_expression_of_thousands_of_terms_is_refused",),
    "[models.edits] with a bad pattern": ("test_a_bad_pattern_is_refused_with_its_line",),
    'fit on "parameters": "[1]"': ("test_attributes_of_a_table_that_are_something_else_are_refused",),
    "a missing or extra coefficient": (_RECORD,),
    "a text vdd": (_RECORD,),
    "a ragged covariance": (_RECORD,),
    "JSON nested 100,000 deep": ("test_json_without_end_is_refused",),
    "no usable temporary folder": ("test_no_temporary_folder_is_one_sentence",),
    "a unicode .parquet path in the C locale": ("test_any_path_is_written_in_any_locale",),
    "run with an ASCII stdout": ("test_any_result_is_printed_to_any_stream",),
    "attention(decay_per_token=None)": ("test_a_decay_that_is_no_number_is_refused",),
    "Ctrl-C during imports": ("test_ctrl_c_during_the_imports_ends_with_130",),
    "load_exported": (
        "test_an_edited_model_is_a_data_error_or_a_model",
        "test_an_exported_model_of_an_unknown_circuit_is_a_data_error",
    ),
    "load_array": ("test_an_edited_array_is_a_data_error_or_an_array",),
    "merge on edited manifests": ("test_an_edited_campaign_is_refused_in_one_sentence",),
    "merge compares row keys": ("test_rows_with_other_keys_are_not_merged",),
    'mc --spec "i_bl@v_store=9 > 1u"': ("test_what_cannot_be_analysed_is_refused_before_the_first_run",),
    "compare --form nope": ("test_what_cannot_be_analysed_is_refused_before_the_first_run",),
    "mc --set of what the nominal study sweeps": ("test_a_value_that_a_study_sweeps_can_be_held",),
    "run with a bad option leaves results/": ("test_a_refused_main_job_leaves_no_folder",),
    "export FIFO.json": ("test_what_is_no_file_is_not_waited_for",),
    "compare --instances 1e20": (_REFUSED, _COMPARED),
    "--timeout 1e-300": (_GRID,),
    "maxord=99 or 2.5": (_GRID, "test_options_of_simulate_are_checked"),
    "reltol=1e300": (_GRID, "test_options_of_simulate_are_checked"),
    "--draws 0": (_COMPARED,),
    "--r-clamp inf": (_COMPARED,),
    '--spec "i_bl > 1e999"': (_REFUSED,),
    "full-width digits in --shard": (_REFUSED,),
    "netlist --temp 1,2": (_REFUSED,),
    "complex columns": ("test_complex_columns_are_refused",),
    "rows with status=failed": ("test_rows_that_say_they_failed_are_left_out_and_told",),
    "temp = -500": ("test_a_temperature_below_absolute_zero_is_refused",),
    "--companions nope": (_REFUSED,),
    "temporary folders stay": (
        "test_a_stopped_worker_ends_with_its_parent_and_the_next_command_removes_what_they_left",
    ),
    "SIGTERM is not handled": ("test_sigterm_ends_with_143_and_leaves_nothing",),
    "a stopped worker outlives its parent": (
        "test_a_stopped_worker_ends_with_its_parent_and_the_next_command_removes_what_they_left",
    ),
    "a relative NGSPICE_LIBRARY_PATH": ("test_a_relative_path_of_the_library_is_found_by_children",),
    ":x: in paths": ("test_a_colon_in_a_path_is_a_colon",),
    "make room for a deleted folder": ("test_a_folder_that_is_gone_is_said_to_be_gone",),
    "a deleted campaign.json": ("test_a_folder_without_its_manifest_goes_on",),
    "gc.simulate with a wrong vector": ("test_a_vector_that_is_not_there_is_named",),
    "compare --tech sky130": ("test_a_comparison_runs_in_another_technology",),
    "technology errors": (
        "test_technology_errors_come_together_with_their_lines",
        "test_what_a_technology_lacks_costs_its_studies_and_is_told_with_circuit_and_bench",
    ),
    "tech check": ("test_tech_check_sees_what_cannot_be_planned", "test_level_1_cards_are_not_accused"),
    "examples in the docs": ("test_docs.py::test_every_command_and_every_line_of_python_runs_in_order",),
    "page of a campaign with failures": ("test_a_page_with_failures_tells_why_and_how_to_see_it_again",),
    "page of a comparison": ("test_a_page_of_a_comparison_links_its_decks_and_waves",),
}
GC28 = Path(str(registry.files("gaincell_char.netlists"))) / "tech" / "gc28"
CELL = ".subckt gain_cell bl wlr wlrb wbl we web st vdd vss\n{}\n.ends\n"
DC = ("gain_cell", "dc", "--axis", "v_store=0.9", "--workers", 1)
MC = ("mc", *DC, "--vary", "mismatch")


def test_every_row_has_its_test():
    """The three files say which test closes which row, and those tests exist."""
    here = Path(__file__).parent
    for file in ("test_faults_security.py", "test_faults_results.py", "test_faults_requests.py"):
        spec = importlib.util.spec_from_file_location(f"rows_of_{file[:-3]}", here / file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for row, names in module.ROWS.items():
            assert names, row
            for name in names:
                other, _, test = name.rpartition("::")
                assert re.search(rf"(?m)^def {test}\(", (here / (other or file)).read_text()), (row, name)


# --- tracebacks, hangs and silence of single words ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "mc gain_cell dc -o c -n 100000000000",
            r"n = 100000000000 samples; the maximum is \d+ for this grid of 37 points",
        ),
        ("mc gain_cell dc -o c -n 0", "n = 0: a campaign needs at least one sample"),
        ("mc gain_cell dc -o c -n 1e3", "'1e3' is not a valid int"),
        ("mc gain_cell dc -o c --replay 9999999999999.0", "'9999999999999.0' is not an id: write SAMPLE.POINT"),
        ("mc gain_cell dc -o c --replay 1.99999999999999999999", "is not an id: write SAMPLE.POINT"),
        ("mc gain_cell dc -o c --replay \u0661.\u0662", "is not an id: write SAMPLE.POINT"),
        (
            "mc gain_cell dc -o c --shard \uff11/\uff12",
            "--shard '\uff11/\uff12' is not a part: write I/N, for example 2/8",
        ),
        ("mc gain_cell dc -o c --shard 99999999999999/99999999999999", "--shard|shard"),
        ("mc gain_cell dc -o c --seed 99999999999999999999", r"seed = \d+ must be a whole number from 0 to 2\^63 - 1"),
        ("export gc28/gain_cell.dc --to csv --at model=1", "no fit of the record has a condition 'model'; have corner"),
        ("export gc28/gain_cell.dc --to csv --at to=1", "no fit of the record has a condition 'to'; have corner"),
        ("export gc28/gain_cell.dc --to csv --at folder=1", "no fit of the record has a condition 'folder'"),
        ("export gc28/gain_cell.dc --to csv --at record=1", "no fit of the record has a condition 'record'"),
        ("export gc28/gain_cell.dc --to csv --at companions=1", "no fit of the record has a condition 'companions'"),
        ("export gc28/gain_cell.dc --to csv --at self=1", "no fit of the record has a condition 'self'"),
        ("export gc28/gain_cell.dc --to csv --companions nope", "--companions has no effect here: csv needs no other"),
        ("export gc28/gain_cell.dc --to torch --model cubic", "torch exports the whole record: omit the model"),
        ("compare -o c --instances 1e20", "'1e20' is not a valid int"),
        ("compare -o c --instances 100000000000000000000", r"instances = 1\d+ is outside \[1, 100000\]"),
        ("compare -o c --columns 100000000000000000000", r"columns = 1\d+ is outside \[0, 100000\]"),
        ("netlist gain_cell dc --temp 1,2", "--temp 1,2: a deck has one temperature; give one value"),
        ("netlist gain_cell dc --temp -500", "temp = -500 degC is outside"),
        ("mc gain_cell dc -o c --until sigma<1e999%", "1e999|not a percentage"),
    ],
)
def test_a_request_that_cannot_be_done_is_one_sentence(refused, words, sentence):
    assert re.search(sentence, refused(*words.split()))


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("i_bl > 1e999", "spec 'i_bl > 1e999': 1e999 is not a finite number"),
        ("i_bl > nan", "not a .*number"),
        ("i_bl@v_store=1e999 > 1u", "not a finite number"),
        ("nope > 1", "no output|nope"),
    ],
)
def test_a_limit_is_a_finite_number(refused, spec, sentence):
    assert re.search(sentence, refused("mc", "gain_cell", "dc", "-o", "c", "--spec", spec))


LONG = "x" * 300


@pytest.mark.parametrize(
    "words",
    [
        ("sweep", *DC, "-o", f"{LONG}.csv"), (*MC, "-n", 1, "-o", LONG), ("run", "-o", LONG),
        ("compare", "-o", LONG), ("export", "gc28/gain_cell.dc", "--to", "csv", "-o", LONG),
        ("fit", "t.csv", "-o", f"{LONG}.json"), ("tune", "gain_cell", "dc", "-o", f"{LONG}.json"),
        ("run", "--records", LONG), (*MC, "-n", 1, "-o", f"{LONG}/below"),
    ],
)  # fmt: skip
def test_a_name_that_is_too_long_is_refused(refused, words):
    assert re.search(r"File name too long\)?; choose another place", refused(*words))


@pytest.mark.parametrize(
    "words",
    [
        ("merge", LONG), ("fit", f"{LONG}.csv", "-o", "r.json"), ("netlist", "gain_cell", "dc", "--netlist", LONG),
        ("export", f"{LONG}.json", "--to", "csv"), ("show", "gain_cell", "--tech", LONG),
        ("tech", "get", LONG), ("compare", "-o", "c", "--records", LONG),
        ("compare", "-o", "c", "--inputs", LONG),
    ],
)  # fmt: skip
def test_a_name_that_cannot_be_one_is_refused_where_something_is_read(refused, words):
    refused(*words)


@pytest.mark.parametrize("many", ["1e9*(1+dvth)" + "+1" * 5000, "1e9*(1+dvth)" + "+(1" * 3000 + ")" * 3000,
                                  "-" * 5000 + "dvth", "dvth" + "**2" * 5000])  # fmt: skip
def test_an_expression_of_thousands_of_terms_is_refused(refused, tmp_path, many):
    body = f".subckt dev a b w=1u l=1u dvth=0\nrx a b {{{many}}}\n.ends\n"
    (tmp_path / "cell.cir").write_text(CELL.format("xd bl st dev\nr1 bl wlrb 1meg\nr2 st wlr 1g") + body)
    said = refused(*MC, "-n", 1, "-o", "c", "--netlist", "cell.cir")
    assert re.search(r"the maximum is 10000|nested too deep|not arithmetic|not a finite real number", said)
    assert len(said) < 500


# --- technologies ---------------------------------------------------------------------------------------------------


def _folder(tmp_path, change=lambda text: text, devices=lambda text: text, name="mine"):
    """A copy of gc28 with other texts in its files."""
    folder = tmp_path / name
    shutil.copytree(GC28, folder)
    for file, edit in (("technology.toml", change), ("devices.cir", devices)):
        text = (folder / file).read_text()
        (folder / file).write_text(edit(text))
    registry.load_technology.cache_clear()
    return folder


@pytest.mark.parametrize("pattern", ["(", "(?=x)", "(a)\\\\1", "[", "*", "(?P<x"])
def test_a_bad_pattern_is_refused_with_its_line(refused, tmp_path, pattern):
    sections = "\n".join(f'{corner} = ""' for corner in registry.load_technology().corners)
    edits = (
        f'\n[models]\nlib = "x.lib"\nfolders = ["."]\n[models.edits]\n"{pattern}" = ""\n[models.sections]\n{sections}\n'
    )
    (folder := _folder(tmp_path, lambda text: text + edits)).joinpath("x.lib").write_text("* none\n")
    said = refused("netlist", "gain_cell", "dc", "--tech", folder)
    assert re.search(r"technology\.toml: line \d+: models\.edits: .* is not a regular expression", said), said


def test_technology_errors_come_together_with_their_lines(refused, tmp_path):
    def wrong(text):
        return (
            re.sub(r"(?m)^temp = .*$", 'temp = "warm"', text)
            + "\n[corners.zz]\nnope = 1.0\n[circuits.gain_cell]\nw_n = inf\n"
        )

    said = refused("netlist", "gain_cell", "dc", "--tech", _folder(tmp_path, wrong))
    assert re.search(r"technology\.toml: line \d+: temp: .*; line \d+: circuits\.gain_cell\.w_n", said), said


@pytest.mark.ngspice
def test_what_a_technology_lacks_costs_its_studies_and_is_told_with_circuit_and_bench(gaincell, tmp_path, monkeypatch):
    """Without one flavour and one corner the main job runs the rest."""
    own = registry.load_circuit("capacitor_decay")
    from dataclasses import replace

    leak = replace(own.studies[1], sweep={"v_store": [0.0, 0.3, 0.6, 0.9]}, temps=(27.0,), models=())
    lacking = replace(leak, name="leak_nope", fixed={"write_flavour": "nope"})
    cornered = replace(leak, name="leak_corners", corners=("tt", "xx", "yy"))
    nowhere = replace(leak, name="leak_nowhere", corners=("xx",))
    fewer = replace(own, studies=(leak, lacking, cornered, nowhere), figures=(), merits=())
    monkeypatch.setattr(registry, "load_circuit", lambda _: fewer)
    status, _, err = gaincell("run", "--circuit", "capacitor_decay", "--workers", 1)
    assert status == 0
    flavour = (
        r"write_flavour = nope: technology gc28 has no such flavour; have .*: choose with --set, or write "
        r"write_flavour = \"lvt\" below \[circuits\.capacitor_decay\] in technology\.toml"
    )
    corner = r"technology gc28 has none of the corners xx; add \[corners\.xx\] to technology\.toml"
    fewer_corners = (
        r"only at tt, because technology gc28 has no corner xx, yy; add \[corners\.xx\], \[corners\.yy\] to "
        r"technology\.toml"
    )
    for said in (
        rf"skipped: capacitor_decay, study leak_nope \(bench leak\): {flavour}",
        rf"skipped: capacitor_decay, study leak_nowhere \(bench leak\): {corner}",
        rf"limited: capacitor_decay, study leak_corners \(bench leak\): {fewer_corners}",
        "2 studies were skipped, which this technology cannot run",
    ):
        assert re.search(said, err), (said, err)
    page = html.unescape((tmp_path / "results" / "index.html").read_text(encoding="utf-8"))
    for said in (rf"study leak_nope: {flavour}", rf"study leak_nowhere: {corner}", rf"leak_corners: {fewer_corners}"):
        assert re.search(said, page), said
    assert (tmp_path / "results" / "data" / "capacitor_decay.leak_corners.csv").exists()
    assert (tmp_path / "results" / "data" / "capacitor_decay.leak.csv").exists()


def test_tech_check_sees_what_cannot_be_planned():
    from gaincell_char.workflows.technology_checks import CHECKS, check_technology

    ours = registry.load_technology()
    lacking = ours.model_copy(update={"flavours": ours.flavours[:1], "circuits": {}})
    [planned] = [name for name in CHECKS if "can be planned" in name]
    [check] = check_technology(lacking, [planned])
    assert not check.passed
    said = " ".join(check.failures)
    assert re.search(
        r"gain_cell, .*study dc \(bench dc\), .*Monte Carlo of bench dc, .*: .*no such flavour; have", said
    )
    assert re.search(
        r"signed_c2p, .* write gate_flavour = \"lvt\", .* below \[circuits\.signed_c2p\] in technology\.toml", said
    )


def test_tech_check_notes_what_is_possible_with_restrictions():
    """A technology with one corner and a small range of temperatures is in order."""
    from gaincell_char.technology.toml_tables import Range
    from gaincell_char.workflows.technology_checks import CHECKS, check_technology

    ours = registry.load_technology()
    small = ours.model_copy(update={"corners": {"tt": {}}, "temp": Range(low=0.0, high=85.0)})
    [planned] = [name for name in CHECKS if "can be planned" in name]
    [check] = check_technology(small, [planned])
    assert not check.failures
    said = "\n".join(check.notes)
    assert re.search(r"gain_cell, study dc_corners \(bench dc\); .*skipped by run: temp = -40 degC is outside", said), (
        said
    )
    assert re.search(r"study dc_pvt \(bench dc\), .*skipped by run --all: temp = .* \[0, 85\] degC", said), said
    corners = r"has no corner ff, ss, sf, fs; add \[corners\.ff\], .* to technology\.toml"
    assert re.search(rf"signed_c2p, study transfer_corners \(bench transfer\): only at tt, .* {corners}", said), said


def test_a_missing_device_costs_its_studies_and_is_told_once():
    """A flavour that technology.toml lists without a p device stops the benches that use it, and no other."""
    from gaincell_char.workflows import study_plans

    ours = registry.load_technology()
    lacking = ours.model_copy(update={"text": ours.text.replace(".subckt p_hvt d", ".subckt nobody d")})
    own = registry.load_circuit("capacitor_decay")
    [study] = [study for study in own.studies if study.key == "leak_flavours"]
    planned = study_plans.plan_circuit(own, lacking)
    missing = (
        "neither the netlist nor the technology defines .subckt p_hvt; define it in the netlist, or in one of the "
    )
    assert planned.problems[study.key].startswith(missing)
    assert planned.plans.keys() >= {"leak", "decay"}
    [told] = [told for told in study_plans.problems([planned]) if "p_hvt" in told]
    assert re.match(r"capacitor_decay, .*study leak_flavours \(bench leak\): neither", told)


LEVEL_1 = """.subckt {0}_{1} d g s b w=1u l=0.2u dvth=0 dmu=0
.model {0}{1} {0}mos level=1 vto={{{2}*(0.35+process_vth_{0}+dvth)}} kp={{250u*(1+process_mu_{0})*(1+dmu)}}
m1 d g s b {0}{1} w={{w}} l={{l}}
.ends"""


@pytest.mark.ngspice
def test_level_1_cards_are_not_accused():
    """At 1.2 V, with a threshold of 0.35 V, such a card conducts nothing below it, which is then not compared."""
    from gaincell_char.workflows.technology_checks import CHECKS, check_technology

    ours = registry.load_technology()
    blocks = [LEVEL_1.format(kind, f, sign) for f in ours.flavours for kind, sign in (("n", 1), ("p", -1))]
    text = "\n".join([*blocks, ".subckt cap p n c=1f\nc1 p n {c*(1+process_c)}\n.ends"])
    mine = ours.model_copy(update={"text": text, "supply": 1.2, "absent": ()})
    wanted = [
        p
        for p in CHECKS
        if re.search("increases with gate|threshold voltage, in volts|relative change of the current", p)
    ]
    assert len(wanted) == 3
    broken = [check.name for check in check_technology(mine, wanted) if not check.passed]
    assert not broken


# --- records, tables, JSON ------------------------------------------------------------------------------------------


def _record_with(change):
    raw = json.loads(registry.load_record("gc28", "gain_cell.dc").to_json())
    change(raw)
    return json.dumps(raw)


def _renamed(coefficients):
    name = next(iter(coefficients))
    coefficients["renamed"] = coefficients.pop(name)


CONTRADICTIONS = {
    "a coefficient too few": (lambda r: [f["coefficients"].popitem() for f in r["fits"]], "covariance|coefficients"),
    "a coefficient too many": (
        lambda r: [f["coefficients"].update(extra=next(iter(f["coefficients"].values()))) for f in r["fits"]],
        "covariance|coefficients",
    ),
    "another coefficient": (lambda r: [_renamed(f["coefficients"]) for f in r["fits"]], "coefficients of .* model has"),
    "a text vdd": (lambda r: r["parameters"].update(vdd="high"), "parameter vdd is 'high'; it must be a number"),
    "a ragged covariance": (lambda r: r["fits"][0]["covariance"][0].pop(), "covariance of 4 fitted coefficients must"),
    "a covariance of one row": (lambda r: r["fits"][0].update(covariance=[[1.0]]), "covariance"),
    "no such model": (lambda r: r["fits"][0].update(model="nope"), "no model 'nope'"),
    "no such circuit": (lambda r: r.update(circuit="nope"), "no circuit 'nope'"),
    "no such bench": (lambda r: r.update(bench="nope"), "no bench 'nope'"),
    "other inputs": (lambda r: r["fits"][0].update(inputs=["v_in"], valid_range={"v_in": [0, 1]}), "inputs of cubic"),
    "a range that runs backwards": (lambda r: r["fits"][0]["valid_range"].update(v_store=[1, 0]), "does not end above"),
    "no number": (lambda r: r["parameters"].update(vdd=float("nan")), "NaN"),
}  # fmt: skip


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_a_record_that_contradicts_its_circuit_is_refused(refused, tmp_path, what):
    change, sentence = CONTRADICTIONS[what]
    (tmp_path / "record.json").write_text(_record_with(change))
    for target in ("csv", "spice", "crosssim"):
        said = refused("export", "record.json", "--to", target)
        assert re.search(sentence, said), said


def test_json_without_end_is_refused(refused, tmp_path):
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match="nested too deep"):
        read_record(tmp_path / "deep.json")
    assert "nested too deep" in refused("export", "deep.json", "--to", "csv")
    (tmp_path / "campaign.json").write_text('{"request":' * 100_000)
    assert "nested too deep" in refused("merge", ".")


@pytest.mark.parametrize(
    ("ending", "name", "value"),
    [
        (".csv", "parameters", "[1]"), (".parquet", "parameters", "[1]"), (".nc", "parameters", "[1]"),
        (".csv", "parameters", "1"), (".csv", "parameters", '{"vdd": "[]"}'), (".parquet", "parameters", "{"),
        (".parquet", "options", '"x"'), (".csv", "circuit", 3.0), (".csv", "n_ok", "many"),
    ],
)  # fmt: skip
def test_attributes_of_a_table_that_are_something_else_are_refused(refused, tmp_path, ending, name, value):
    from gaincell_char.storage import tables

    plan = registry.plan_bench("gain_cell", "dc", sweep={"v_store": np.linspace(0, 0.9, 19).tolist()})
    x = np.linspace(-0.45, 0.45, 19)
    attrs = {
        "circuit": "gain_cell", "bench": "dc", "technology": "gc28", "technology_digest": "0", "plan_digest": "0",
        "parameters": json.dumps(dict(plan.fixed)), "options": "{}", "simulator": "ngspice", "package": "any",
        "n_points": 19, "n_ok": 19, "n_failed": 0,
    }  # fmt: skip
    frame = pd.DataFrame({"v_store": x + 0.45, "i_bl": 1e-6 * (0.2 + 3 * x - x**2 + 5 * x**3)}).set_index("v_store")
    dataset = frame.to_xarray().assign_attrs({**attrs, name: value})
    tables.write_dataset(dataset, tmp_path / f"t{ending}")
    said = refused("fit", f"t{ending}", "--model", "cubic", "-o", "r.json")
    assert f"t{ending}" in said or "no circuit" in said


def _table(tmp_path, **columns):
    x = np.linspace(-0.45, 0.45, 19)
    frame = pd.DataFrame({"v_store": x + 0.45, "i_bl": 1e-6 * (0.2 + 3 * x - x**2 + 5 * x**3)}).assign(**columns)
    np.savez(tmp_path / "t.npz", **{name: frame[name].to_numpy() for name in frame})
    frame.to_csv(tmp_path / "t.csv", index=False)
    return frame


FIT = ("-o", "r.json", "--circuit", "gain_cell", "--model", "cubic", "--map", "v_store=v_store,i_bl=i_bl")


def test_complex_columns_are_refused(refused, tmp_path):
    _table(tmp_path, i_bl=1e-6 * (np.linspace(0, 1, 19) + 1j))
    said = refused("fit", "t.npz", *FIT)
    assert "column i_bl contains complex numbers; use its real part or its magnitude" in said


def test_rows_that_say_they_failed_are_left_out_and_told(gaincell, tmp_path):
    frame = _table(tmp_path)
    wild = frame["i_bl"].where(frame.index != 7, 1.0)
    _table(tmp_path, i_bl=wild, status=["failed" if i == 7 else "ok" for i in frame.index])
    status, _, err = gaincell("fit", "t.csv", *FIT)
    assert status == 0, err
    assert re.search(r"1 .*(failed|status)", err), err
    assert read_record(tmp_path / "r.json").fit("cubic").coefficients["c3"].value == pytest.approx(5e-6)


def test_a_temperature_below_absolute_zero_is_refused(refused, tmp_path):
    _table(tmp_path, temp=-500.0)
    said = refused("fit", "t.csv", *FIT[:-1], "v_store=v_store,i_bl=i_bl,temp=temp")
    assert "temp reaches -500 degC, below absolute zero (-273.15 degC)" in said
    with pytest.raises(GaincellError, match="below absolute zero"):
        run.simulate("v1 a 0 1\nr1 a 0 1k", Op(), ["v(a)"], temp=-500.0)


def test_what_is_no_file_is_not_waited_for(refused, tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    os.mkfifo(tmp_path / "pipe.csv")
    os.mkfifo(tmp_path / "campaign.json")
    (tmp_path / "t").mkdir()
    os.mkfifo(tmp_path / "t" / "technology.toml")
    for words in (
        ("export", "pipe.json", "--to", "csv"), ("fit", "pipe.csv", "-o", "r.json"), ("merge", "."),
        ("show", "gain_cell", "--tech", "t"), ("netlist", "gain_cell", "dc", "--netlist", "pipe.csv"),
        ("compare", "-o", "c", "--inputs", "pipe.json"),
    ):  # fmt: skip
        assert re.search(r"cannot be read: not a file|not a file", refused(*words)), words


# --- Python ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decay", [
    None, "x", float("nan"), float("inf"), -1.0,
    [1.0],
])  # fmt: skip
def test_a_decay_that_is_no_number_is_refused(decay):
    import torch

    from gaincell_char.torch import attention

    q = torch.full((1, 3, 2), 0.4, dtype=torch.float64)
    with pytest.raises(GaincellError, match="decay_per_token"):
        attention(q, q, q, decay_per_token=decay)


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("options", "said"),
    [({"maxord": 99}, "maxord"), ({"maxord": 1.5}, "maxord"), ({"reltol": 1e300}, "reltol"), ({"nope": 1}, "nope")],
)
def test_options_of_simulate_are_checked(pool, options, said):
    with pytest.raises(RequestError, match=said):
        run.simulate("v1 a 0 1\nr1 a 0 1k", Op(), ["v(a)"], options=options, pool=pool)


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("vector", "said"),
    [
        ("v(nope)", r"v\(nope\)"), ("i(v9)", r"i\(v9\)"), ("v(a", "is not a vector; write v"),
        ("v(a)\n.control", "is not a vector"), ("x", "is not a vector; write"),
    ],
)  # fmt: skip
def test_a_vector_that_is_not_there_is_named(pool, vector, said):
    with pytest.raises(GaincellError) as refusal:
        run.simulate("v1 a 0 1\nr1 a 0 1k", Op(), ["v(a)", vector], pool=pool)
    assert re.search(said, str(refusal.value))
    name = vector.split("\n")[0]
    assert name in str(refusal.value)


# --- saved arrays, exported models ----------------------------------------------------------------------------------


def _edits(tree):
    """Each place of a JSON tree left out, and replaced by what does not belong there."""
    for place in paths(tree):
        for value in (None, "x", -1, [], {}, "gone", True, 1e300):
            changed = deepcopy(tree)
            holder = changed
            for key in place[:-1]:
                holder = holder[key]
            if value == "gone":
                del holder[place[-1]]
            else:
                holder[place[-1]] = value
            yield changed


def _data_errors(load, path, trees):
    """Everything but a `DataError` that reading edited files raises."""
    whole = path.read_text()
    wrong, refusals = [], 0
    try:
        for tree in trees:
            path.write_text(json.dumps(tree))
            try:
                load()
            except DataError:
                refusals += 1
            except Exception as error:
                wrong.append(f"{type(error).__name__}: {error}"[:100])
    finally:
        path.write_text(whole)
    assert refusals
    return wrong


def test_an_edited_model_is_a_data_error_or_a_model(saved):
    from gaincell_char.torch import load_exported

    path = saved / "model" / "model.json"
    tree = json.loads(path.read_text())
    tree["fits"] = tree["fits"][:1]
    model = tree["fits"][0]["model"]
    edits = (edited for edited in _edits(tree) if edited.get("circuit") != "x")
    assert not _data_errors(lambda: load_exported(saved / "model", model), path, edits)


def test_an_exported_model_of_an_unknown_circuit_is_a_data_error(saved):
    from gaincell_char.torch import load_exported

    path = saved / "model" / "model.json"
    tree = json.loads(path.read_text())
    model = tree["fits"][0]["model"]
    assert not _data_errors(lambda: load_exported(saved / "model", model), path, [{}, {**tree, "circuit": "nope"}])


def test_an_edited_array_is_a_data_error_or_an_array(saved):
    from gaincell_char.torch import load_array

    path = saved / "array" / "array.json"
    assert not _data_errors(lambda: load_array(saved / "array"), path, _edits(json.loads(path.read_text())))
    for path in (saved / "array" / "records").glob("*.json"):
        tree = json.loads(path.read_text())
        some = ({k: v for k, v in tree.items() if k != left_out} for left_out in tree)
        assert not _data_errors(lambda: load_array(saved / "array"), path, some)


# --- campaign folders -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """The folder of a campaign of two samples, one of which fails."""
    folder = tmp_path_factory.mktemp("simulated")
    [netlists] = importlib.import_module("gaincell_char.netlists").__path__
    ours = (Path(netlists) / "gain_cell.cir").read_text()
    # A sample whose first transistor conducts more than the typical one has no solution.
    (folder / "cell.cir").write_text(
        re.sub(r"(?m)^\.ends", "b9 q9 0 v = sqrt(v(st)-0.5)\nr9 q9 0 1k\n.ends", ours, count=1)
    )
    patch = pytest.MonkeyPatch()
    patch.chdir(folder)
    words = ["gaincell", *map(str, MC), "--axis", "v_in=0.9", "-n", "2", "-o", "good", "--shard", "1/2"]
    for number in ("1/2", "2/2"):
        patch.setattr("sys.argv", [*words[:-1], number])
        with pytest.raises(SystemExit) as ended:
            gaincell_char.cli.main()
        assert ended.value.code == 0
    patch.undo()
    return folder


@pytest.mark.ngspice
def test_an_edited_campaign_is_refused_in_one_sentence(simulated, gaincell, monkeypatch):
    """Every place of campaign.json: merge and replay say one sentence, or are about the same campaign."""
    monkeypatch.chdir(simulated)

    def simulates(*_, **__):
        raise GaincellError("what is there is analysed")

    monkeypatch.setattr(Pool, "map", simulates)
    path = Path("good/campaign.json")
    whole = path.read_text()
    tree = json.loads(whole)
    wrong = []
    try:
        for number, changed in enumerate(_edits(tree)):
            if number % (3 if ALL else 9) or changed == tree:
                continue
            path.write_text(json.dumps(changed))
            status, _, err = gaincell("merge", "good")
            # Some of what it says, such as who made it, decides nothing.
            same = status == 1 and err.endswith("gaincell: what is there is analysed\n")
            if not same and (status not in (1, 2) or "Traceback" in err or "unexpected" in err):
                wrong.append((status, err[-200:]))
    finally:
        path.write_text(whole)
    assert not wrong


@pytest.mark.ngspice
def test_rows_with_other_keys_are_not_merged(simulated, gaincell, monkeypatch, tmp_path):
    shutil.copytree(simulated / "good", tmp_path / "edited")
    monkeypatch.chdir(tmp_path)
    shards = list(Path("edited/shards").glob("*.parquet"))
    for shard in shards:
        frame = pd.read_parquet(shard)
        data = frame.assign(key=frame["key"].str[::-1]).to_parquet(index=False)
        shard.unlink()
        shard.with_name(f"{shard.name[:8]}-{hashlib.sha256(data).hexdigest()[:16]}.parquet").write_bytes(data)
    status, _, err = gaincell("merge", "edited")
    assert status != 0
    assert re.search(r"2 points in edited belong to a different campaign; they are not used", err)
    assert "Traceback" not in err


@pytest.mark.ngspice
def test_a_folder_without_its_manifest_goes_on(simulated, gaincell, tmp_path):
    shutil.copytree(simulated / "good", tmp_path / "good")
    (tmp_path / "good" / "campaign.json").unlink()
    for part in ("1/2", "2/2"):
        status, out, err = gaincell(*MC, "--axis", "v_in=0.9", "-n", 2, "-o", "good", "--shard", part)
        assert status == 0, err
        assert "0 points simulated" in out
    status, _, err = gaincell(*MC, "--axis", "v_in=0.9", "-n", 2, "-o", "good", "--shard", part, "--seed", 2)
    assert (status, "seed is 1 there and 2 here" in err) == (2, True)


@pytest.mark.ngspice
def test_a_folder_that_is_gone_is_said_to_be_gone(gaincell, monkeypatch):
    """Somebody deletes the folder of a campaign while it runs: room would not help."""
    from gaincell_char.storage import shards

    write = shards.write_shard

    def deleted(folder, rows):
        shutil.rmtree(folder)
        return write(folder, rows)

    monkeypatch.setattr(shards, "write_shard", deleted)
    status, _, err = gaincell(*MC, "-n", 1, "-o", "c", "--shard", "1/1")
    assert status == 1
    assert "could not be written (No such file or directory)" in err
    assert "create its folder again" in err
    assert "make room" not in err


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((*MC, "-n", 1, "-o", "c", "--spec", "i_bl@v_store=9 > 1u"), "is not swept over v_store"),
        (("mc", "gain_cell", "dc", "-o", "c", "--spec", "i_bl@v_store=9 > 1u"), "v_store = 9 is not in the grid; have"),
        (("compare", "-o", "c", "--form", "nope"), "no form 'nope' in these records; have cubic, dc, pulsed"),
        (("mc", "gain_cell", "dc", "-o", "c", "--until", "yield<1%"), "needs a limit: add --spec"),
        (("mc", "capacitor_decay", "decay", "-o", "c", "--spec", "retention > 1"), "is only known up to"),
        (("mc", "capacitor_decay", "decay", "-o", "c", "--spec", "retention > 1n"), "is only known from 1e-06 s, the"),
    ],
)  # fmt: skip
def test_what_cannot_be_analysed_is_refused_before_the_first_run(refused, monkeypatch, words, sentence):
    monkeypatch.setattr(Pool, "map", lambda *_, **__: pytest.fail("it simulates"))
    assert sentence in refused(*words)


@pytest.mark.ngspice
def test_a_value_that_a_study_sweeps_can_be_held(gaincell):
    """The typical circuit's study, against which samples are held, takes the value, too."""
    status, out, err = gaincell(
        "mc", "gain_cell", "dc", "-o", "c", "-n", 2, "--vary", "mismatch", "--set", "v_store=0.3", "--workers", 1
    )
    assert status == 0, err
    assert "open c/index.html" in out


@pytest.mark.parametrize("words", [("--timeout", "0"), ("--workers", "0"), ("--records", "/proc/x"), ("--tech", "nope"),
                                   ("--circuit", "nope"), ("--timeout", "1e-300")])  # fmt: skip
def test_a_refused_main_job_leaves_no_folder(refused, words):
    refused("run", *words)


# --- surroundings ---------------------------------------------------------------------------------------------------


def test_no_temporary_folder_is_one_sentence(gaincell, monkeypatch):
    def none():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", none)
    monkeypatch.setattr(tempfile, "tempdir", None)
    status, _, err = gaincell("sweep", *DC, "-o", "out.csv")
    assert (status, err.count("\n")) == (1, 1)
    assert "no folder for temporary files can be written" in err
    assert "set TMPDIR to a writable folder" in err


def _typed(*words, cwd, code=None, **environment):
    [entry] = entry_points(group="console_scripts", name="gaincell")
    started = f"from {entry.module} import {entry.attr} as main; main()"
    env = {k: v for k, v in os.environ.items() if not k.startswith("LC_") and k != "LANG"} | environment
    return subprocess.Popen(
        [sys.executable, "-c", f"{code or ''}\n{started}", *map(str, words)], cwd=cwd, env=env, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip


def _ended(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


@pytest.mark.ngspice
def test_any_path_is_written_in_any_locale(tmp_path):
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    path = os.fsencode(tmp_path) + "/µ/µ.parquet".encode()
    (tmp_path / "µ").mkdir()
    words = ["sweep", *DC, "-o", os.fsdecode(path)]
    status, _, err = _ended(_typed(*words, cwd=tmp_path, **locale))
    assert status == 0, err
    assert os.path.isfile(path)  # noqa: PTH113  bytes
    assert pd.read_parquet(Path(os.fsdecode(path))).status.tolist()[0] == "ok"


@pytest.mark.ngspice
def test_any_result_is_printed_to_any_stream(tmp_path):
    words = ("sweep", *DC, "-o", "µ.csv")
    status, out, err = _ended(_typed(*words, cwd=tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0"))
    assert (status, err) == (0, "")
    assert out.endswith(", in \\xb5.csv\n")
    assert (tmp_path / "µ.csv").is_file()


# The signal comes when a library that takes long is imported.
_AT_IMPORT = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.{signal})
sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize(("name", "number", "status"), [("numpy", "SIGINT", 130), ("pydantic", "SIGTERM", 143)])
def test_ctrl_c_during_the_imports_ends_with_130(tmp_path, name, number, status):
    code = _AT_IMPORT.format(name=name, signal=number)
    found, out, err = _ended(_typed("list", cwd=tmp_path, code=code))
    assert (found, out) == (status, ""), err
    assert err.strip() == f"gaincell: {'interrupted' if number == 'SIGINT' else 'terminated'}"


def _descendants(pid):
    found = set()
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found |= set(map(int, listed.read_text().split()))
    return found.union(*map(_descendants, found))


def _until(true, seconds=20.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


ENDLESS = CELL.format("r1 bl wlrb 1meg\nr2 st wlr 1g\nv1 q 0 sin(0 1 1e15)\nr3 q p 1k\nc3 p 0 1p")


@pytest.fixture
def endless(tmp_path):
    """A command in the middle of a run that never ends, its temporary folders in a place of their own; its worker."""
    (tmp_path / "cell.cir").write_text(ENDLESS)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    words = ("sweep", "gain_cell", "pulse", "--axis", "t_pulse=1n", "--axis", "v_store=0.9", "--workers", 1,
             "--netlist", "cell.cir", "-o", "out.csv")  # fmt: skip
    process = _typed(*words, cwd=tmp_path, TMPDIR=str(scratch))
    workers = []

    def computes():
        assert process.poll() is None, process.communicate()
        for child in _descendants(process.pid):
            with contextlib.suppress(OSError, IndexError):
                times = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()
                if (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK") > 0.7:
                    workers[:] = [child]
        return bool(workers)

    try:
        _until(computes, 60)
        yield process, workers[0], scratch
    finally:
        for pid in (process.pid, *workers):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@needs_proc
@pytest.mark.ngspice
def test_sigterm_ends_with_143_and_leaves_nothing(endless):
    process, worker, scratch = endless
    process.send_signal(signal.SIGTERM)
    status, _, err = _ended(process)
    assert (status, err.strip()) == (143, "gaincell: terminated")
    _until(lambda: not _alive(worker))
    assert list(scratch.iterdir()) == []


@needs_proc
@pytest.mark.ngspice
def test_a_stopped_worker_ends_with_its_parent_and_the_next_command_removes_what_they_left(
    endless, monkeypatch, gaincell
):
    process, worker, scratch = endless
    os.kill(worker, signal.SIGSTOP)
    process.kill()
    process.wait()
    _until(lambda: not _alive(worker), 5)
    assert list(scratch.iterdir())
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    assert gaincell("list")[0] == 0
    assert list(scratch.iterdir()) == []


@pytest.mark.ngspice
def test_a_relative_path_of_the_library_is_found_by_children(gaincell, tmp_path, monkeypatch):
    library = next((path for place in ("/usr/lib", "/opt") for path in Path(place).rglob("libngspice.so*")), None)
    if library is None:
        pytest.skip("the library is in no usual place")
    (tmp_path / "mine.so").symlink_to(library)
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", "./mine.so")
    status, _, err = gaincell("sweep", *DC, "-o", "out.csv")
    assert (status, err) == (0, "")


@pytest.mark.ngspice
def test_a_colon_in_a_path_is_a_colon(gaincell, tmp_path):
    (tmp_path / ":x:").mkdir()
    status, out, _ = gaincell("sweep", *DC, "-o", ":x:/:smile:.csv")
    assert status == 0
    assert ":x:/:smile:.csv" in out
    status, _, err = gaincell("merge", ":warning:")
    assert (status, ":warning: contains no campaign" in err) == (2, True)


# --- what is shown --------------------------------------------------------------------------------------------------


@pytest.mark.ngspice
def test_a_comparison_runs_in_another_technology(gaincell, load_technology, monkeypatch):
    load_technology("sky130")
    small = ("--tokens", 2, "--dim", 2, "--columns", 1, "--operation", "scores", "--workers", 1)
    status, out, err = gaincell("compare", "--tech", "sky130", "-o", "c", *small)
    assert status == 0, err
    assert "1 of 1 passes simulated" in out
    status, out, err = gaincell("compare", "--tech", "osfet", "-o", "d", *small)
    assert status == 0, err
    assert "1 of 1 passes simulated" in out
    monkeypatch.setattr(request_checks, "record_sets", lambda: ("gc28",))
    status, _, err = gaincell("compare", "--tech", "sky130", "-o", "e", *small)
    assert (status, err.count("\n")) == (2, 1)
    assert "there are no records of technology sky130; create them with gaincell run --tech sky130" in err


@pytest.mark.ngspice
def test_a_page_of_a_comparison_links_its_decks_and_waves(gaincell, tmp_path):
    small = ("--tokens", 2, "--dim", 2, "--columns", 1, "--operation", "scores", "--workers", 1)
    assert gaincell("compare", "-o", "c", *small)[0] == 0
    page = (tmp_path / "c" / "index.html").read_text()
    links = re.findall(r'href="([^"#:]+)"', page)
    assert [link for link in links if link.startswith("decks/")]
    assert [link for link in links if "waves" in link and link.endswith(".csv")]
    assert all((tmp_path / "c" / link).is_file() for link in links)


@pytest.mark.ngspice
def test_a_page_with_failures_tells_why_and_how_to_see_it_again(gaincell, tmp_path):
    [netlists] = importlib.import_module("gaincell_char.netlists").__path__
    ours = (Path(netlists) / "gain_cell.cir").read_text()
    (tmp_path / "cell.cir").write_text(re.sub(r"(?m)^\.ends", "b9 q9 0 v = sqrt(-1)\nr9 q9 0 1k\n.ends", ours, count=1))
    status, _, err = gaincell(*MC, "-n", 2, "-o", "c", "--netlist", "cell.cir")
    assert status == 1
    assert "2 of 2 points failed" in err
    page = (tmp_path / "c" / "index.html").read_text()
    links = re.findall(r'href="([^"#:]+)"', page)
    assert {"failed/0.0.cir", "failed/0.0.log", "failed/1.0.cir"} <= set(links)
    assert all((tmp_path / "c" / link).is_file() for link in links)
    shown = re.sub(r"<style.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL)
    assert "sqrt" in shown, "the reason"
    assert not re.search(r"\bnan\b|\{'|\.\.\.|&#39;\}", shown), re.search(r".{40}(\bnan\b|\{'|\.\.\.).{40}", shown)
    [command, *_] = re.findall(r"<code>(gaincell mc [^<]*--replay [^<]*)</code>", page)
    import html
    import shlex

    words = shlex.split(html.unescape(command))
    assert words[-1] == "0.0"
    status, out, err = gaincell(*words[1:])
    assert status in (0, 1)
    assert ".subckt" in out or "* gain_cell.dc" in out or "sqrt" in err
    assert "no effect" not in err
