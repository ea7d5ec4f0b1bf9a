"""The wrong and lost results of November 2026, by kind: what is not proved is not used, what is lost is said."""

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gaincell_char
from gaincell_char import registry
from gaincell_char.errors import TechnologyError
from gaincell_char.exporting import export_files
from gaincell_char.montecarlo.campaign import plan_campaign
from gaincell_char.workflows import technology_checks

ROWS = {
    "F1": (
        "test_a_measure_that_was_edited_is_not_mixed_with_what_the_old_one_measured",
        "test_a_comparison_whose_records_changed_is_not_resumed",
    ),
    "F2": (
        "test_failures.py::test_a_simulator_that_somebody_ends_is_replaced_and_its_deck_run_again",
        "test_failures.py::test_a_simulator_that_somebody_ends_while_it_starts_is_started_again",
        "test_a_campaign_with_failed_rows_never_ends_well",
    ),
    "F3": (
        "test_a_campaign_with_mismatch_runs_where_a_circuit_sizes_its_devices_by_expressions",
        "test_every_technology.py::test_every_check_passes",
    ),
    "F4": (
        "test_a_campaign_whose_sweep_is_one_value_has_its_page",
        "test_what_cannot_be_drawn_costs_itself_and_is_said",
    ),
    "F5": (
        "test_statistics_of_a_bound_are_none",
        "test_a_main_job_says_what_it_could_not_fit_and_how_far_it_looked",
        "test_the_time_axis_is_that_of_the_technology",
    ),
    "F6": ("test_a_main_job_says_what_it_could_not_fit_and_how_far_it_looked",),
    "F7": ("test_an_option_of_fit_has_an_effect_on_every_kind_of_table",),
    "F8": ("test_a_signal_while_a_campaign_is_analysed_keeps_its_samples",),
    "F9": (
        "test_exports_consumers.py::test_the_crosssim_device_spreads_and_drifts_as_the_records_say",
        "test_exports_consumers.py::test_weights_are_written_to_the_crosssim_device_so_that_products_are_linear",
    ),
    "F10": (
        "test_exports_consumers.py::test_the_loader_puts_the_circuit_into_an_attention_module",
        "test_files_for_other_tools_say_what_they_need_and_change",
    ),
    "F11": ("test_a_comparison_says_on_the_terminal_what_its_gate_counted",),
    "F13": ("test_a_clone_is_used_from_its_root_with_another_copy_installed",),
    "F14": ("test_files_for_other_tools_say_what_they_need_and_change",),
}
PARTS = ("circuits", "netlists", "fits")
ONE = ("gain_cell", "dc", "--axis", "v_store=0.9", "--workers", 1)
DOCS = Path(__file__).parents[1] / "docs"


# --- F1, F13: which code is run -------------------------------------------------------------------------------------


def _copied(to, *, beside):
    """A copy of this package, its data inside as when it is installed, or beside as in a clone."""
    to.mkdir()
    ours = Path(gaincell_char.__file__).parent
    shutil.copytree(ours, to / "gaincell_char", ignore=shutil.ignore_patterns("__pycache__", *PARTS))
    for part in PARTS:
        [place] = importlib.import_module(f"gaincell_char.{part}").__path__
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(place, to / part if beside else to / "gaincell_char" / part, ignore=ignored)
    (to / "pyproject.toml").write_text("")
    return to


# The copy that is installed to be worked on is found by a finder of its own.
_ALONE = "import sys; sys.meta_path[:] = [f for f in sys.meta_path if 'Editable' not in getattr(f, '__name__', '')]; "


def _python(code, *words, cwd, path=None):
    where = {**os.environ, "PYTHONPATH": str(path)} if path else os.environ
    return subprocess.run(
        [sys.executable, "-c", _ALONE + code, *map(str, words)], cwd=cwd, env=where, capture_output=True, text=True
    )


@pytest.mark.ngspice
@pytest.mark.slow
def test_a_measure_that_was_edited_is_not_mixed_with_what_the_old_one_measured(tmp_path):
    site = _copied(tmp_path / "site", beside=False)
    words = ("mc", *ONE, "--vary", "mismatch", "-n", 2, "--shard", "1/1", "-o", "c")
    started = "from gaincell_char.cli import main; main()"
    first = _python(started, *words[:-4], "--shard", "1/2", "-o", "c", cwd=tmp_path, path=site)
    assert first.returncode == 0, first.stderr
    benches = site / "gaincell_char" / "circuits" / "gain_cell" / "_benches.py"
    text = benches.read_text()
    edited = text.replace('at_end("i(vbl)", -1)', 'at_end("i(vbl)", -2)')
    assert edited != text
    benches.write_text(edited)
    second = _python(started, *words[:-4], "--shard", "1/2", "-o", "c", cwd=tmp_path, path=site)
    assert second.returncode == 2, second.stdout
    assert second.stderr.startswith("gaincell: c contains a different campaign: the source code of ")
    assert "old and new results are not mixed; choose another folder" in second.stderr


def test_a_clone_is_used_from_its_root_with_another_copy_installed(tmp_path):
    clone = _copied(tmp_path / "clone", beside=True)
    done = _python(
        "import gaincell_char; record = gaincell_char.load_record('gc28', 'gain_cell.dc'); "
        "circuit = gaincell_char.load_circuit('gain_cell'); plan = gaincell_char.plan_bench('gain_cell', 'dc'); "
        "print(gaincell_char.__file__, record.circuit, circuit.name)",
        cwd=clone,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(clone / "gaincell_char" / "__init__.py"), "gain_cell", "gain_cell"]


@pytest.mark.ngspice
def test_a_comparison_whose_records_changed_is_not_resumed(gaincell, tmp_path):
    [fits] = importlib.import_module("gaincell_char.fits").__path__
    shutil.copytree(Path(fits) / "gc28", tmp_path / "mine")
    words = ("compare", "-o", "c", "--records", "mine", "--tokens", 4, "--dim", 3, "--columns", 1)
    assert gaincell(*words)[0] == 0
    path = tmp_path / "mine" / "relu_c2p.transfer.json"
    record = json.loads(path.read_text())
    for fit in record["fits"]:
        for estimate in fit["coefficients"].values():
            estimate["value"] *= 1.001
    path.write_text(json.dumps(record))
    status, _, err = gaincell(*words)
    assert (status, err.count("\n")) == (2, 1)
    assert "c contains a different campaign: the netlist, the technology or the records have changed since" in err


# --- F2 to F5, F8: campaigns ----------------------------------------------------------------------------------------


@pytest.mark.ngspice
def test_a_campaign_with_failed_rows_never_ends_well(gaincell, tmp_path):
    """Not the first time, not when nothing is left to do, and not when they fail again."""
    [netlists] = importlib.import_module("gaincell_char.netlists").__path__
    ours = (Path(netlists) / "gain_cell.cir").read_text()
    hopeless = "b9 q9 0 v = sqrt(-1)\nr9 q9 0 1k\n"
    (tmp_path / "cell.cir").write_text(re.sub(r"(?m)^\.ends", f"{hopeless}.ends", ours, count=1))
    words = ("mc", *ONE, "--vary", "mismatch", "-n", 1, "--shard", "1/1", "--netlist", "cell.cir", "-o", "c")
    for more in ((), (), ("--retry-failed",)):
        status, out, err = gaincell(*words, *more)
        assert status == 1, out
        assert re.search(r"1 of 1 points failed and are marked as failed in the results; the first, 0\.0: ", err)
        assert "decks and logs are in c/failed; --retry-failed simulates them again" in err
        assert (tmp_path / "c" / "failed" / "0.0.cir").exists()
    assert "1 points simulated" in out
    status, _, err = gaincell("merge", "c")
    assert (status, "1 of 1 points failed" in err) == (1, True)


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("circuit", "bench", "vary", "axis"),
    [
        ("gain_cell", "dc", "mismatch", "v_store=0.9"),
        ("gain_cell", "dc", "both", "v_store=0.9"),
        ("relu_c2p", "transfer", "mismatch", "q_in=100f"),
    ],
)
def test_a_campaign_with_mismatch_runs_where_a_circuit_sizes_its_devices_by_expressions(
    gaincell, tmp_path, load_technology, circuit, bench, vary, axis
):
    load_technology("sky130")
    status, out, err = gaincell(
        "mc", circuit, bench, "--tech", "sky130", "-n", 2, "--vary", vary, "--axis", axis, "--shard", "1/2", "-o", "c",
        "--workers", 1,
    )  # fmt: skip
    assert (status, err) == (0, "")
    assert "points simulated" in out
    [shard] = (tmp_path / "c" / "shards").glob("*.parquet")
    rows = pd.read_parquet(shard)
    assert set(rows["status"]) == {"ok"}
    assert len(rows) >= 1


PULSE = (
    "mc", "gain_cell", "pulse", "-n", 32, "--vary", "mismatch", "--axis", "t_pulse=5n",
    "--axis", "v_store=0:0.9:7",
)  # fmt: skip


@pytest.mark.ngspice
@pytest.mark.slow
def test_a_campaign_whose_sweep_is_one_value_has_its_page(gaincell, tmp_path):
    status, out, err = gaincell(*PULSE, "-o", "c", "--workers", 1)
    assert status == 0, err
    assert "open c/index.html" in out
    assert "the page lacks" not in err
    assert (tmp_path / "c" / "record.json").exists()
    campaign_page = (tmp_path / "c" / "index.html").read_text()
    for link in re.findall(r'(?:src|href)="([^"#:]+)"', campaign_page):
        assert (tmp_path / "c" / link).is_file(), link


@pytest.fixture(scope="module")
def campaign(finished):
    """A campaign of a curve that ends before what is looked for happens."""
    return finished(*DECAY)[0]


DECAY = (
    "mc", "capacitor_decay", "decay", "-n", 8, "--vary", "mismatch", "--axis", "time=1n:10n:4", "--axis", "v_init=0.9",
    "-o", "c", "--workers", 1,
)  # fmt: skip


@pytest.mark.ngspice
def test_statistics_of_a_bound_are_none(campaign, gaincell, monkeypatch):
    monkeypatch.chdir(campaign)
    moments = pd.read_csv("c/tables/moments.csv")
    [row] = moments[moments["name"] == "retention"].to_dict("records")
    assert (row["n"], row["n_beyond"], row["censored"]) == (8, 8, "> 1e-08 in 8")
    assert np.isnan(row["mean"])
    assert np.isnan(row["sigma"])
    quantiles = pd.read_csv("c/tables/quantiles.csv").query("name == 'retention'")
    assert quantiles["value"].isna().all()
    assert quantiles["censored"].str.startswith("value > 1e-08").all()
    campaign_page = Path("c/index.html").read_text()
    assert re.search(r"&gt;\s10\sns\sin 8 of 8", campaign_page)
    assert "nan" not in re.sub(r"<[^>]*>", "", campaign_page).lower().split()
    record = json.loads(Path("c/record.json").read_text())
    [spread] = [o for o in record["spread"]["outputs"] if o["name"] == "retention"]
    assert (spread["mean"], spread["sigma"], spread["n_beyond"]) == (None, None, 8)
    status, out, _ = gaincell(*DECAY)
    assert status == 0
    assert re.search(r">\s10\sns\sin 8 of 8", out)


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("name", "number", "status", "said"),
    [
        ("montecarlo.analysis.analyse", signal.SIGINT, 130, "interrupted"),
        ("montecarlo.verify.check", signal.SIGINT, 130, "interrupted"),
        ("montecarlo.results.complete", signal.SIGINT, 130, "interrupted"),
        ("reporting.write_campaign", signal.SIGTERM, 143, "terminated"),
    ],
)
def test_a_signal_while_a_campaign_is_analysed_keeps_its_samples(
    campaign, gaincell, monkeypatch, name, number, status, said
):
    monkeypatch.chdir(campaign)
    module, _, function = name.rpartition(".")
    home = importlib.import_module(f"gaincell_char.{module}")
    plain = getattr(home, function)

    def interrupted(*words, **named):
        os.kill(os.getpid(), number)
        return plain(*words, **named)

    monkeypatch.setattr(home, function, interrupted)
    before = sorted(Path("c/shards").iterdir())
    found, out, err = gaincell(*DECAY)
    assert (found, err.splitlines()[-1]) == (status, f"gaincell: {said}")
    assert "Traceback" not in err
    assert "8 already finished" in out
    assert sorted(Path("c/shards").iterdir()) == before


@pytest.mark.ngspice
def test_what_cannot_be_drawn_costs_itself_and_is_said(campaign, gaincell, monkeypatch):
    monkeypatch.chdir(campaign)
    from gaincell_char.reporting import campaign_page

    def fails(*_, **__):
        raise KeyError("t_pulse")

    monkeypatch.setattr(campaign_page.variation_figures, "draw_distribution", fails)
    Path("c/index.html").unlink()
    status, out, err = gaincell(*DECAY)
    assert status == 0
    assert "open c/index.html" in out
    assert re.search(r"gaincell: the page lacks .*: 't_pulse'", err)
    assert "t_pulse" in Path("c/index.html").read_text()


# --- F5, F6: the main job -------------------------------------------------------------------------------------------


@pytest.mark.ngspice
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of a fit that goes astray, as it is to
def test_a_main_job_says_what_it_could_not_fit_and_how_far_it_looked(gaincell, tmp_path, monkeypatch):
    """With one level of the bitline a model cannot be fitted; of what does not move, retention is a bound."""
    load = registry.load_circuit
    own = load("capacitor_decay")
    few = {"v_init": [0.0, 0.45, 0.9]}
    decay = replace(own.studies[0], sweep=few, temps=(27.0,), models=("exponential",))
    leak = replace(own.studies[1], sweep={"v_store": [0.0, 0.45, 0.9], "v_wbl": [0.45]}, temps=(27.0,))
    idle = replace(next(s for s in own.studies if s.name == "decay_idle"), sweep={"v_wbl": [0.0], "v_init": [0.9]})
    fewer = replace(own, studies=(decay, leak, idle), figures=())
    monkeypatch.setattr(registry, "load_circuit", lambda name: fewer if name == own.name else load(name))
    status, out, err = gaincell("run", "--tech", "osfet", "--circuit", "capacitor_decay", "--workers", 1)
    assert status == 1, err
    assert re.search(r"oxide_leak \(NOT\s+FITTED", re.sub(r"[│┃]", "", out)), out
    assert "1.000000000" not in out
    assert re.search(r"retention\s>\s\S+\s\S?s", out), out
    assert re.search(r"could not be fitted; the first: model oxide_leak", err)
    campaign_page = (tmp_path / "results" / "index.html").read_text()
    assert re.search(r"&gt;\s\S+\s\S?s<", campaign_page)
    merits = pd.read_csv(tmp_path / "results" / "tables" / "merits.csv").set_index("name")
    assert np.isnan(merits["value"]["retention"])
    assert merits["censored"]["retention"] == "> 1000"


def test_the_time_axis_is_that_of_the_technology():
    ends = {t: registry.plan_bench("capacitor_decay", "decay", technology=t).curve[-1] for t in ("gc28", "osfet")}
    assert ends["osfet"] >= 1000.0
    assert ends["gc28"] < 1.0
    assert plan_campaign("capacitor_decay", "decay", technology="osfet").plan.curve[-1] == ends["osfet"]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("1k:1m:61:log", "axis 'time=1k:1m:61:log' is descending: write the smaller limit first"),
        ("0:1k:61", "time = 0 s (time since the write) is outside [1e-09, 1e+06] s"),
        ("1k", "time has one value, but a curve needs at least two: write time = START:STOP:COUNT"),
        ("1,1", "sweep of time has 1.0 twice"),
    ],
)
def test_a_wrong_time_axis_of_a_technology_is_refused_with_its_entry(spec, says):
    changed = registry.load_technology("osfet").model_copy(update={"axes": {"capacitor_decay": {"time": spec}}})
    with pytest.raises(TechnologyError) as told:
        registry.plan_bench("capacitor_decay", "decay", technology=changed)
    assert str(told.value) == f"technology osfet, [axes.capacitor_decay] in its technology.toml: {says}"


@pytest.mark.slow
def test_tech_check_finds_a_wrong_time_axis():
    changed = registry.load_technology("osfet").model_copy(update={"axes": {"capacitor_decay": {"time": "1k"}}})
    [planned] = [name for name in technology_checks.CHECKS if "can be planned" in name]
    [check] = technology_checks.check_technology(changed, [planned])
    assert "study decay (bench decay)" in check.failures[0]
    assert "[axes.capacitor_decay] in its technology.toml: time has one value" in check.failures[0]


# --- F7: options without effect -------------------------------------------------------------------------------------


@pytest.fixture
def tables(tmp_path):
    """A table as gaincell sweep writes it, and one with names of its own."""
    v = np.linspace(0, 0.9, 12)
    x = v - 0.45
    ours = pd.DataFrame({"v_store": v, "v_in": 0.9, "v_bl": 0.45, "i_bl": 1e-6 * (0.2 + 3 * x - x**2 + 5 * x**3)})
    ours.to_csv(tmp_path / "t.csv", index=False)
    ours.to_parquet(tmp_path / "t.parquet", index=False)
    ours.to_xarray().to_netcdf(tmp_path / "t.nc", engine="h5netcdf")
    ours.rename(columns={"v_store": "Vst"}).to_csv(tmp_path / "lab.csv", index=False)


FIT = ("--circuit", "gain_cell", "--model", "cubic", "-o", "r.json")


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    "words",
    [
        ("--outliers", "drop"), ("--nan", "drop"), ("--duplicates", "mean"), ("--from", "chip 7"), ("--sigma", "i_bl"),
        ("--units", "i_bl=mA"), ("--set", "vdd=0.9"), ("--map", "v_store=v_store"),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_an_option_of_fit_has_an_effect_on_every_kind_of_table(gaincell, tmp_path, words):
    for name in ("t.nc", "t.csv", "t.parquet"):
        status, _, err = gaincell("fit", name, *FIT, "--bench", "dc", *words)
        if words[0] == "--sigma":
            assert (status, err) == (2, f"gaincell: {name}: i_bl, the standard deviation, must be above 0 everywhere\n")
        else:
            assert status == 0, err
            record = json.loads((tmp_path / "r.json").read_text())
            source = record["provenance"]["source"]
            assert source.startswith(f"{name}, sha256 ")
            assert (words[1].partition("=")[2] or words[1]) in source or words[1] == record["technology"]


@pytest.mark.usefixtures("tables")
def test_a_bench_that_the_model_does_not_belong_to_is_refused(gaincell):
    status, _, err = gaincell("fit", "lab.csv", *FIT, "--map", "v_store=Vst", "--bench", "pulse")
    assert (status, err) == (2, "gaincell: --bench pulse: model cubic is of bench dc\n")


# --- F10, F11, F14: what is said ------------------------------------------------------------------------------------


@pytest.mark.ngspice
def test_a_comparison_says_on_the_terminal_what_its_gate_counted(gaincell):
    status, out, _ = gaincell(
        "compare", "-o", "agree", "--columns", 4, "--tokens", 32, "--dim", 8, "--operation", "scores", "--gate"
    )
    assert status == 0, out
    plain = " ".join(out.split())
    assert re.search(r"stated ps, .*median", plain)
    assert re.search(r"noise .*floor .*ps", plain)
    assert re.search(r"scores, \w+: 4 columns, \d of them without a pulse in SPICE and model", plain)
    assert re.search(
        r"the worst is column \d+ of query \d+, with an error of \S+ ps at \S+ fC, where the records state", plain
    )
    assert re.search(r"errors relative to the stated errors have rms \S+; the limit for agreement is 3", plain)


@pytest.mark.parametrize(
    ("record", "target", "file", "words"),
    [
        ("gain_cell.dc_both", "neurosim", "mem_states.txt", ("--bitcell 3", "CUDA", "below 0")),
        ("relu_c2p.transfer_both", "neurosim", "output_noise.txt", ("--adc_precision 4 --output_noise -1", "CUDA")),
        ("gain_cell.dc", "aihwkit", "gaincell_aihwkit.py", ("returns other numbers than before", "scale", "train")),
        ("gain_cell.dc", "crosssim", "gaincell_crosssim.py", ("to_write", "SCALE", "BALANCED", "OffsetCore")),
        ("gain_cell.dc", "gaincellattention", "gaincell_circuit.py", ("bfloat16", "third digit")),
    ],
)
def test_files_for_other_tools_say_what_they_need_and_change(record, target, file, words):
    text = " ".join(export_files(registry.load_record("gc28", record), target, companions="gc28")[file].split())
    for word in words:
        assert word in text, word
    section = " ".join((DOCS / "exports.md").read_text().split())
    for word in words[:1]:
        assert word in section or word.lower() in section.lower(), f"docs/exports.md lacks {word}"
