"""The Python functions give the results of the commands, and refuse with the same messages."""

import doctest
import importlib
import inspect
import json
import re
import typing
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gaincell_char as gc
from gaincell_char import registry
from gaincell_char.cli import cli
from gaincell_char.errors import RequestError
from gaincell_char.montecarlo import execute
from gaincell_char.spice.pool import Pool
from gaincell_char.storage.flat import flatten_dataset
from gaincell_char.storage.tables import read_table
from gaincell_char.workflows import compare_verb

VERBS = {
    "sweep": ("circuit", "bench"), "fit": ("table",), "monte_carlo": ("circuit", "bench"), "compare": ("folder",),
    "export": ("record", "to", "folder"), "report": ("results",), "run": ("folder",),
}  # fmt: skip
COMMANDS = {"monte_carlo": "mc", "report": "merge"}
# The command's name of an option where it is another one.
OPTIONS = {"technology": "tech", "n": "samples", "timeout_s": "timeout"}
# What is not there is None in Python, and the command shows what it stands for.
UNSTATED = {**compare_verb._DRAWN, "draws": compare_verb._DRAWS, "r_clamp": compare_verb._R_CLAMP, "periphery": "ideal"}
AXES = {"v_store": [0.0, 0.45, 0.9], "v_in": [0.9]}
ONE_CELL = {"axes": {"v_store": [0.9], "v_in": "900m"}, "n": 4, "vary": "mismatch", "specs": ["i_bl > 8u"]}
MC = (
    "mc", "gain_cell", "dc", "-n", 4, "--vary", "mismatch", "--axis", "v_store=0.9", "--axis", "v_in=900m", "--spec",
    "i_bl > 8u", "-o", "c", "--workers", 1,
)  # fmt: skip
FIT = "fit t.csv -o a.json --circuit gain_cell --model cubic"
HEAD = {"tokens": 4, "dim": 4, "columns": 1, "operations": ["scores"]}


@pytest.fixture(scope="module")
def current(pool):
    return gc.sweep("gain_cell", "dc", axes={"v_store": "0:900mV:7", "v_in": [0.9]}, pool=pool)


@pytest.fixture(scope="module")
def samples(pool):
    return gc.monte_carlo("gain_cell", "dc", **ONE_CELL, pool=pool)


# --- the same as the command ----------------------------------------------------------------------------------------


@pytest.mark.ngspice
def test_sweep_gives_what_the_command_writes(gaincell, tmp_path, pool):
    status, _, err = gaincell(
        "sweep", "gain_cell", "dc", "--axis", "v_store=0:0.9:3", "--axis", "v_in=0.9", "--corner", "tt,ss", "--temp",
        "27,85", "--set", "vdd=950m", "--option", "reltol=1e-5", "-o", "a.nc", "--workers", 1,
    )  # fmt: skip
    assert status == 0, err
    found = gc.sweep(
        "gain_cell", "dc", axes=AXES, corners=["tt", "ss"], temps=[27.0, 85.0], fixed={"vdd": "950mV"},
        options={"reltol": 1e-5}, pool=pool,
    )  # fmt: skip
    table = read_table(tmp_path / "a.nc")
    pd.testing.assert_frame_equal(flatten_dataset(found), table.frame, check_dtype=False, check_exact=True)
    assert table.attrs == found.attrs
    assert np.ptp(found.i_bl.to_numpy()) > 1e-6


@pytest.mark.ngspice
def test_a_failed_point_is_a_row_and_a_count(pool):
    axes, options = {"v_store": [0.3], "t_pulse": [1e-9]}, {"itl4": 1, "reltol": 1e-12}
    found = gc.sweep("gain_cell", "pulse", axes=axes, options=options, pool=pool)
    assert (found.attrs["n_failed"], found.attrs["n_points"]) == (1, 1)
    assert set(found.status.to_numpy().ravel()) == {"failed"}
    assert all(found.reason.to_numpy().ravel())


@pytest.mark.ngspice
def test_fit_gives_what_the_command_writes(gaincell, tmp_path, current):
    gc.write_dataset(current, tmp_path / "a.nc")
    status, _, err = gaincell("fit", "a.nc", "-o", "a.json")
    assert status == 0, err
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = gc.fit(current)
    assert found.to_json() == (tmp_path / "a.json").read_text()
    assert {warning.category for warning in said} == {gc.FitWarning}
    assert [f"gaincell: {warning.message}" for warning in said] == err.splitlines()
    assert all(warning.filename == __file__ for warning in said)


@pytest.mark.ngspice
def test_fit_takes_a_table_from_elsewhere_like_the_command(gaincell, tmp_path, current):
    lab = pd.DataFrame(
        {"Vst": 1e3 * current.v_store.to_numpy(), "Id": 1e6 * current.i_bl.to_numpy().ravel(), "s": 0.01}
    )
    lab.to_csv(tmp_path / "lab.csv", index=False)
    status, _, err = gaincell(
        "fit", "lab.csv", "-o", "lab.json", "--circuit", "gain_cell", "--model", "cubic", "--map",
        "v_store=Vst,i_bl=Id", "--units", "v_store=mV,i_bl=uA", "--sigma", "s", "--set", "vdd=0.95", "--from", "chip 7",
        "--outliers", "robust",
    )  # fmt: skip
    assert status == 0, err
    words = {
        "circuit": "gain_cell", "models": ["cubic"], "columns": {"v_store": "Vst", "i_bl": "Id"},
        "units": {"v_store": "mV", "i_bl": "uA"}, "sigma": "s", "fixed": {"vdd": "0.95"}, "technology": "chip 7",
        "outliers": "robust",
    }  # fmt: skip
    assert gc.fit("lab.csv", **words).to_json() == (tmp_path / "lab.json").read_text()
    in_memory = gc.fit(pd.read_csv("lab.csv"), **words)
    assert in_memory.fits == gc.read_record(tmp_path / "lab.json").fits
    assert "a table in memory" in in_memory.provenance.source


@pytest.mark.ngspice
@pytest.mark.slow
def test_monte_carlo_gives_what_the_command_writes(gaincell, tmp_path, pool, samples, monkeypatch):
    status, out, err = gaincell(*MC)
    assert status == 0, err
    pd.testing.assert_frame_equal(
        samples.samples, pd.read_parquet(tmp_path / "c" / "results.parquet"), check_exact=True
    )
    assert samples.record.to_json() == (tmp_path / "c" / "record.json").read_text()
    [(text, share)] = samples.yields.items()
    assert f"{text}: yield {100 * share.value:.2f} % ({100 * share.low:.2f} to {100 * share.high:.2f} %)" in out
    assert (samples.failures, samples.folder, samples.n) == ((), None, 4)
    page = (tmp_path / "c" / "index.html").read_text()
    written = gc.report("c", specs=ONE_CELL["specs"], pool=pool)
    assert (written.path, written.missing) == (Path("c/index.html"), ())
    dated = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")  # the minute may have passed
    assert dated.sub("", written.path.read_text()) == dated.sub("", page)
    simulated = []
    plain = Pool.stream
    monkeypatch.setattr(Pool, "stream", lambda self, chunks, serve: plain(self, _counted(chunks, simulated), serve))
    again = gc.monte_carlo("gain_cell", "dc", folder="c", **ONE_CELL, pool=pool)
    assert again.record == samples.record
    assert simulated == [1], "the typical circuit alone: the samples were there"
    more = gc.monte_carlo("gain_cell", "dc", folder="c", **{**ONE_CELL, "n": 6}, pool=pool)
    assert more.samples["i_bl"].tolist()[:4] == samples.samples["i_bl"].tolist()
    assert simulated == [1, 2, 1]


def _counted(chunks, simulated):
    chunks = list(chunks)
    if chunks:
        simulated.append(sum(len(chunk.runs) for chunk in chunks))
    return chunks


@pytest.mark.ngspice
def test_the_page_of_samples_in_memory_needs_a_folder(tmp_path, samples, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match="these results are in memory; give the folder of the page with folder="):
        gc.report(samples)
    assert "Gain cell" in gc.report(samples, folder="page").path.read_text()
    assert (tmp_path / "page" / "record.json").exists()


@pytest.mark.ngspice
def test_failed_samples_are_rows_and_failures(pool, tmp_path, monkeypatch, samples):
    """Every second sample gets a threshold that ngspice cannot solve."""
    rows = execute.Campaign.rows

    def spoiled(self, point, draws):
        targets, values = rows(self, point, draws)
        values = values.copy()
        values[1::2, targets.index("@m.xcell.xn.m1[delvto]")] = 1e300
        return targets, values

    monkeypatch.setattr(execute.Campaign, "rows", spoiled)
    found = gc.monte_carlo("gain_cell", "dc", folder=tmp_path / "c", **ONE_CELL, pool=pool)
    assert found.samples["status"].tolist() == ["ok", "failed", "ok", "failed"]
    assert found.samples["i_bl"].tolist()[::2] == samples.samples["i_bl"].tolist()[::2]
    assert [failure.name for failure in found.failures] == ["1.0", "3.0"]
    assert found.failures[0].deck == (tmp_path / "c" / "failed" / "1.0.cir").read_text()
    page = gc.report(found, folder=tmp_path / "page").path
    assert "2 points failed" in page.read_text()
    assert (tmp_path / "page" / "failed" / "1.0.cir").exists()


@pytest.mark.ngspice
def test_monte_carlo_simulates_on_an_executor(samples):
    with ThreadPoolExecutor(1) as executor:
        found = gc.monte_carlo("gain_cell", "dc", **ONE_CELL, pool=executor, workers=1)
    assert found.record == samples.record


@pytest.mark.ngspice
def test_compare_gives_what_the_command_writes(gaincell, tmp_path, pool):
    status, _, err = gaincell(
        "compare", "-o", "v", "--tokens", 4, "--dim", 4, "--columns", 1, "--operation", "scores", "--workers", 1
    )
    assert status == 0, err
    found = gc.compare(**HEAD, pool=pool)
    told = json.loads((tmp_path / "v" / "compare.json").read_text())
    assert json.dumps(told["summary"]) == json.dumps(found.summary.to_dict("records"))
    outcomes = pd.read_csv("v/tables/outcomes.csv")
    assert outcomes["q_bl"].tolist() == found.rows["q_bl"].tolist()
    assert 0 < abs(found.rows["q_bl"].iloc[0]) < 1e-12
    with np.load("v/inputs.npz") as file:
        arrays = dict(file)
    same = gc.compare("w", inputs=arrays, columns=1, operations=["scores"], pool=pool)
    assert same.rows["q_bl"].tolist() == found.rows["q_bl"].tolist()
    assert (tmp_path / "w" / "compare.json").exists()


def test_export_gives_what_the_command_writes(gaincell, tmp_path):
    status, _, err = gaincell(
        "export", "gc28/gain_cell.dc", "--to", "csv", "--model", "cubic", "--at", "corner=tt", "-o", "a"
    )
    assert status == 0, err
    found = gc.export(gc.load_record("gc28", "gain_cell.dc"), "csv", "b", model="cubic", at={"corner": "tt"})
    assert {p.name: p.read_bytes() for p in found} == {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()}


@pytest.fixture
def small(monkeypatch):
    """A circuit with one small study."""
    own = registry.load_circuit("gain_cell")
    sweep = {"v_store": [0.0, 0.2, 0.4, 0.6, 0.9], "v_in": [0.9]}
    study = replace(own.studies[0], sweep=sweep, temps=(27.0,), models=("cubic",))
    monkeypatch.setattr(registry, "load_circuit", lambda _: replace(own, studies=(study,), figures=(), merits=()))


@pytest.mark.ngspice
@pytest.mark.usefixtures("small")
def test_run_gives_what_the_command_writes(gaincell, tmp_path, pool):
    status, _, err = gaincell("run", "--circuit", "gain_cell", "-o", "a", "--workers", 1)
    assert status == 0, err
    page = gc.report(gc.run("b", circuits=["gain_cell"], pool=pool))
    assert page.missing == ()
    records = {p.name: p.read_text() for p in (tmp_path / "a" / "records").iterdir()}
    assert records
    assert {p.name: p.read_text() for p in (tmp_path / "b" / "records").iterdir()} == records
    sides = [re.sub(r"[\d.]+ s\b", "", (tmp_path / side / "index.html").read_text()) for side in "ab"]
    assert sides[0] == sides[1]


# --- what is refused ------------------------------------------------------------------------------------------------

LAB = pd.DataFrame({"v_store": np.linspace(0, 0.9, 13), "i_bl": 1e-6 * np.linspace(-1, 1, 13) ** 3})
RECORD = gc.load_record("gc28", "gain_cell.dc")
USES = {
    "sweep": lambda **given: gc.sweep(**{"circuit": "gain_cell", "bench": "dc", "axes": AXES, **given}),
    "fit": lambda **given: gc.fit(**{"table": LAB, "circuit": "gain_cell", "models": ["cubic"], **given}),
    "monte_carlo": lambda **given: gc.monte_carlo(**{"circuit": "gain_cell", "bench": "dc", **ONE_CELL, **given}),
    "compare": lambda **given: gc.compare(**{**HEAD, **given}),
    "export": lambda **given: gc.export(**{"record": RECORD, "to": "csv", "folder": "x", **given}),
    "report": lambda **given: gc.report(**{"results": "nowhere", **given}),
    "run": lambda **given: gc.run(**{"folder": "x", "circuits": ["relu_c2p"], **given}),
}
GRID = [
    ({"circuit": "gain_sell"}, "no circuit 'gain_sell'; have "),
    ({"bench": "ac"}, "gain_cell has no bench 'ac'; have dc"),
    ({"axes": {"v_sture": [0.1]}}, "no parameter 'v_sture'; have "),
    ({"axes": {"temp": [27.0]}}, r"axes: temp is not an axis; write temps=\[...\]"),
    ({"axes": {"v_store": "0:1A:3"}}, "v_store: '1A' is in A, expected V"),
    ({"axes": {"v_store": [99.0]}}, r"v_store = 99 V \(stored voltage\) is outside"),
    ({"axes": {"v_store": []}}, "sweep of v_store is empty"),
    ({"axes": {"v_store": [True]}}, "v_store = True must be a finite number"),
    ({"axes": {"v_store": 0.1}}, "v_store = 0.1 must be a list"),
    ({"axes": ["v_store"]}, "axes = .* must be a mapping of names to values"),
    ({"corners": "tt"}, "corners = 'tt' must be a list"),
    ({"corners": ["xx"]}, "corner"),
    ({"temps": 27.0}, "temps = 27.0 must be a list"),
    ({"temps": ["27"]}, "one of temps = '27' must be a finite number"),
    ({"fixed": 3}, "fixed = 3 must be a mapping of names to values"),
    ({"fixed": {"vdd": "1A"}}, "vdd: '1A' is in A, expected V"),
    ({"fixed": {"vd": 1.0}}, "no parameter 'vd'; have "),
    ({"technology": 3}, "technology is of type int; it must be a name or a path"),
    ({"technology": "gc29"}, "no technology 'gc29'; have "),
    ({"netlist": Path("nope.cir")}, r"nope\.cir cannot be read"),
    ({"options": {"reltoll": 1e-3}}, "reltoll"),
    ({"options": {"reltol": "x"}}, "reltol"),
]
SIMULATORS = [
    ({"workers": 0}, "workers = 0 must be a whole number of at least 1"),
    ({"workers": "2"}, "workers = '2' must be a whole number of at least 1"),
    ({"timeout_s": "1"}, "timeout_s = '1' must be a finite number"),
    ({"timeout_s": 0.0}, r"timeout = 0 s is outside \[0.1, 1e\+06\] s"),
    ({"pool": 2}, "pool is of type int; it must be a Pool"),
]
REFUSALS = {
    "sweep": [*GRID, *SIMULATORS],
    "fit": [
        ({"table": 3}, "table is of type int; it must be a path, a DataFrame or a Dataset"),
        ({"table": "nope.csv"}, r"table nope\.csv cannot be read"),
        ({"circuit": 3}, "circuit = 3 must be a text"),
        ({"circuit": None}, "table does not state its circuit; add --circuit NAME"),
        ({"bench": "ac"}, "gain_cell has no bench 'ac'; have "),
        ({"models": "cubic"}, "models = 'cubic' must be a list"),
        ({"models": ["cubik"]}, "gain_cell has no model 'cubik'; have "),
        ({"columns": {"v_store": "Vst"}}, "table: no column 'Vst' for v_store; it has v_store, i_bl"),
        ({"columns": {"v_store": 3}}, "columns: v_store = 3 must be a text"),
        ({"columns": "v_store"}, "columns = 'v_store' must be a mapping"),
        ({"units": {"i_bl": "mV"}}, "--units i_bl=mV: i_bl is in A; write for example i_bl=mA"),
        ({"units": ["mV"]}, "units = .* must be a mapping"),
        ({"sigma": 3}, "sigma = 3 must be a text"),
        ({"sigma": "s"}, "table: no column 's' for --sigma"),
        ({"nan": "skip"}, "nan = 'skip' is not one of refuse, drop"),
        ({"outliers": []}, r"outliers = \[\] is not one of keep, robust, drop"),
        ({"duplicates": 3}, "duplicates = 3 is not one of refuse, mean, keep"),
        ({"fixed": [1]}, "fixed = .* must be a mapping"),
        ({"fixed": {"vdd": "1A"}}, "vdd: '1A' is in A, expected V"),
        ({"technology": 3}, "technology = 3 must be a text"),
        ({"technology": "a/b"}, "the source of the data: 'a/b' is not a name"),
    ],
    "monte_carlo": [
        *GRID, *SIMULATORS,
        ({"n": 0}, "n = 0 must be a whole number of at least 1"),
        ({"n": 2.5}, "n = 2.5 must be a whole number of at least 1"),
        ({"vary": "all"}, "all"),
        ({"vary": 3}, "vary = 3 must be a text"),
        ({"sampler": "halton"}, "no sampler 'halton'; have "),
        ({"seed": "1"}, "seed = '1' must be a whole number"),
        ({"folder": 3}, "folder is of type int; it must be a path"),
        ({"accuracy": "1%"}, "accuracy = '1%' must be a finite number from 0 to 1"),
        ({"specs": "i_bl > 8u"}, "specs = 'i_bl > 8u' must be a list"),
        ({"specs": ["i_bl"]}, "spec 'i_bl': write OUTPUT > LIMIT"),
        ({"until": 3}, "until = 3 must be a text"),
        ({"until": "median<1%"}, "goal 'median<1%': write 'sigma<2%'"),
        ({"retry_failed": 1}, "retry_failed = 1 must be True or False"),
    ],
    "compare": [
        *SIMULATORS,
        ({"folder": 3}, "folder is of type int; it must be a path"),
        ({"head": "hed"}, "no head 'hed'; have "),
        ({"records": 3}, "records = 3 must be a text"),
        ({"records": "nope"}, "no records 'nope'; have "),
        ({"operations": "scores"}, "operations = 'scores' must be a list"),
        ({"operations": ["sums"]}, "sums"),
        ({"inputs": "t.npz"}, "tokens has no effect here: inputs specifies the tensors"),
        ({"inputs": 3, "tokens": None, "dim": None}, "inputs = 3 must be a path, or arrays named Q, K and V"),
        ({"inputs": {"Q": [1]}, "tokens": None, "dim": None}, "inputs contains Q; it must contain Q, K and V"),
        ({"instances": 0}, r"instances = 0 is outside \[1, "),
        ({"tokens": "4"}, "tokens = '4' must be a whole number"),
        ({"dim": 0.5}, "dim = 0.5 must be a whole number"),
        ({"seed": -1}, "seed = -1 must be a whole number"),
        ({"columns": -1}, r"columns = -1 is outside \[0, "),
        ({"queries": None}, "queries = None must be a whole number"),
        ({"clamp": "none"}, "clamp = 'none'; choose ideal, resistor, passive"),
        ({"r_clamp": 3.0}, "r_clamp has no effect here: it needs clamp='resistor'"),
        ({"c_wire": "1f"}, "c_wire = '1f' must be a finite number"),
        ({"r_wire": None}, "r_wire = None must be a finite number"),
        ({"mismatch": 1}, "mismatch = 1 must be True or False"),
        ({"draws": 10}, "draws has no effect here: it needs mismatch=True"),
        ({"technology": 3}, "technology = 3 must be a text"),
    ],
    "export": [
        ({"record": "gc28/gain_cell.dc"}, "record is of type str; it must be a Record"),
        ({"to": "xls"}, "no export format 'xls'; have "),
        ({"to": 3}, "to = 3 must be a text"),
        ({"folder": 3}, "folder is of type int; it must be a path"),
        ({"model": 3}, "model = 3 must be a text"),
        ({"model": "cubik"}, "no model 'cubik'"),
        ({"companions": 3}, "companions is of type int; it must be a name or a path"),
        ({"at": "corner=ss"}, "at = 'corner=ss' must be a mapping"),
        ({"at": {"korner": "ss"}}, "no fit of the record has a condition 'korner'"),
    ],
    "report": [
        *SIMULATORS,
        ({"results": 3}, "results is of type int; it must be a result of monte_carlo or run, or a folder"),
        ({}, "nowhere contains no campaign"),
        ({"specs": "x"}, "specs = 'x' must be a list"),
    ],
    "run": [
        *SIMULATORS,
        ({"folder": 3}, "folder is of type int; it must be a path"),
        ({"circuits": "relu_c2p"}, "circuits = 'relu_c2p' must be a list"),
        ({"circuits": ["relu"]}, "no circuit 'relu'; have "),
        ({"records": 3}, "folder is of type int; it must be a path"),
        ({"technology": 3}, "technology = 3 must be a name or a path"),
    ],
}  # fmt: skip


@pytest.fixture
def no_simulation(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("map", "stream"):
        monkeypatch.setattr(Pool, name, lambda *_, **__: pytest.fail("it simulates"))


@pytest.mark.ngspice
@pytest.mark.usefixtures("no_simulation")
@pytest.mark.parametrize(
    ("verb", "given", "says"),
    [pytest.param(verb, given, says, id=f"{verb}-{says}") for verb, cases in REFUSALS.items() for given, says in cases],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(verb, given, says, tmp_path):
    with pytest.raises(RequestError, match=says) as refused:
        USES[verb](**given)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.ngspice
@pytest.mark.usefixtures("no_simulation")
def test_what_would_have_no_effect_is_refused(pool, samples):
    with pytest.raises(RequestError, match="workers = 2 has no effect with a pool; omit it"):
        USES["sweep"](pool=pool, workers=2)
    with pytest.raises(RequestError, match="timeout_s = 5 s differs from the 60 s of the pool"):
        USES["monte_carlo"](pool=pool, timeout_s=5.0)
    with pytest.raises(RequestError, match="specs has no effect here: the results are already analysed"):
        gc.report(samples, specs=["i_bl > 8u"], folder="x")


@pytest.mark.parametrize(
    ("verb", "given", "words"),
    [
        ("sweep", {"axes": {"v_sture": "1"}}, "sweep gain_cell dc -o a.nc --axis v_sture=1"),
        ("sweep", {"fixed": {"vdd": "1A"}}, "sweep gain_cell dc -o a.nc --set vdd=1A"),
        ("sweep", {"corners": ["xx"]}, "sweep gain_cell dc -o a.nc --corner xx"),
        ("sweep", {"technology": "gc29"}, "sweep gain_cell dc -o a.nc --tech gc29"),
        ("fit", {"table": "t.csv", "units": {"i_bl": "V"}}, f"{FIT} --units i_bl=V"),
        ("fit", {"table": "t.csv", "bench": "pulse"}, f"{FIT} --bench pulse"),
        ("monte_carlo", {"seed": -1}, "mc gain_cell dc -o c --seed -1"),
        ("monte_carlo", {"until": "x"}, "mc gain_cell dc -o c --until x"),
        ("compare", {"head": "hed"}, "compare -o v --head hed"),
        ("compare", {"columns": -1}, "compare -o v --columns -1"),
        ("export", {"to": "xls"}, "export gc28/gain_cell.dc --to xls"),
        ("run", {"circuits": ["relu"]}, "run --circuit relu"),
    ],
)  # fmt: skip
@pytest.mark.ngspice
@pytest.mark.usefixtures("no_simulation")
def test_the_command_says_the_same(verb, given, words, gaincell):
    LAB.to_csv("t.csv", index=False)
    with pytest.raises(RequestError) as refused:
        USES[verb](**given)
    assert gaincell(*words.split()) == (2, "", f"gaincell: {refused.value}\n")


# --- how they are written -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_every_keyword_has_a_type_and_stands_in_the_docstring(verb):
    function = getattr(gc, verb)
    hints = typing.get_type_hints(function)
    text = inspect.getdoc(function)
    for name, parameter in inspect.signature(function).parameters.items():
        assert name in hints
        assert parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        assert (parameter.kind == parameter.KEYWORD_ONLY) == (name not in VERBS[verb])
        assert name in VERBS[verb] or re.search(rf"^(\w+, )*{name}(, \w+)*( : |$)", text, re.MULTILINE), name
    assert "return" in hints
    for section in ("Parameters", "Returns", "Raises", "Examples"):
        assert f"\n{section}\n---" in text
    assert verb in gc.__all__


@pytest.mark.parametrize("verb", VERBS)
def test_defaults_are_those_of_the_command(verb):
    options = {option.name: option for option in cli.commands[COMMANDS.get(verb, verb)].params}
    for name, parameter in inspect.signature(getattr(gc, verb)).parameters.items():
        option = options.get(OPTIONS.get(name, name))
        if option is None or name in VERBS[verb] or name == "timeout_s":
            continue
        default = None if str(option.default) == "Sentinel.UNSET" else option.default
        stated = UNSTATED.get(name) if parameter.default is None else parameter.default
        assert (stated or None) == (default or None), name


@pytest.mark.ngspice
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("verb", ["run"])
def test_the_example_of_the_main_job_runs(verb, tmp_path, monkeypatch):
    run_example(verb, tmp_path, monkeypatch)


@pytest.mark.ngspice
@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "run"])
def test_the_example_in_the_docstring_runs(verb, tmp_path, monkeypatch):
    run_example(verb, tmp_path, monkeypatch)


def run_example(verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function = getattr(gc, verb)
    [test] = doctest.DocTestFinder(recurse=False).find(function, verb, importlib.import_module(function.__module__))
    said = []
    runner = doctest.DocTestRunner()
    runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)
    assert len(test.examples) > 1
