"""Requests that were taken in silence, results of another request: each is refused or said, in one sentence."""

import io
import json
import re
import shutil
import time
import zipfile
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest

from gaincell_char import cli, registry
from gaincell_char.cli import command_options
from gaincell_char.errors import DataError, GaincellError, ParameterError, RequestError
from gaincell_char.fitting.specs import parse_spec
from gaincell_char.fitting.statistics import wilson
from gaincell_char.montecarlo import campaign, sampling
from gaincell_char.montecarlo.tune import tune
from gaincell_char.storage import manifest, shards, tables
from gaincell_char.storage.foreign_tables import read_columns
from gaincell_char.validation import score, simulate
from gaincell_char.validation.cases import cases, make_validation
from gaincell_char.validation.coverage import CLEAR, Coverage
from gaincell_char.validation.score import ValidationResult
from gaincell_char.validation.tensors import read_inputs
from gaincell_char.workflows import characterize_all

SMALL = ("compare", "--tokens", 2, "--dim", 2, "--operation", "scores", "--columns", 0, "--workers", 1)
MC = ("mc", "gain_cell", "dc", "--vary", "mismatch", "--axis", "v_store=0.5", "--axis", "v_in=0.45", "--workers", 1)
SWEEP = ("sweep", "gain_cell", "dc", "--axis", "v_store=0.5", "--workers", 1)


# --- rows of a comparison -------------------------------------------------------------------------------------------


def _pulses(v_store, _):
    return np.full(v_store.shape[1], 3e-9)


def _folder_of(tmp_path, comparison, todo):
    """A folder with a made-up row for each column."""
    manifest.open_folder(tmp_path / "c", comparison.manifest(todo))
    for case in todo:
        rows = [{"q_bl": 0.0, "output": 1e-9, "dv_bl": 0.0, "status": "ok", "reason": "", "spent_s": 0.1}]
        shards.write_shard(tmp_path / "c", simulate._frame(comparison, "", case, rows * len(case.columns)))
    return tmp_path / "c"


def _comparison(**request):
    found = make_validation(**{"tokens": 3, "dim": 2, "columns": 0, **request})
    return found, list(cases(found, _pulses))


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 2}, {"clamp": "passive"}, {"c_wire": 1e-15}, {"r_wire": 1.0}, {"mismatch": True}, {"dim": 4},
        {"head": "attention_switched"}, {"clamp": "resistor", "r_clamp": 10.0},
    ],
)  # fmt: skip
def test_rows_of_another_comparison_count_as_not_simulated(tmp_path, other):
    folder = _folder_of(tmp_path, *_comparison())
    comparison, todo = _comparison(**other)
    said = []
    found = simulate.finished_cases(comparison, folder, todo, said.append)
    assert found is not None
    assert found.empty
    assert re.search(r"\d+ columns in \S+/c belong to a different comparison; they are not used", said[0])


def test_rows_of_the_same_comparison_are_used_whatever_else_is_asked_for(tmp_path):
    folder = _folder_of(tmp_path, *_comparison())
    said = []
    for comparison, todo in (_comparison(), _comparison(operations=("scores",))):
        found = simulate.finished_cases(comparison, folder, todo, said.append)
        assert len(found) == sum(len(case.columns) for case in todo)
    assert not said


def test_records_of_another_name_that_give_the_same_pulses_resume_a_comparison(tmp_path):
    """What counts is what SPICE is given: decks and stimuli."""
    home = Path(__file__).parents[1] / "fits" / "gc28"
    (first, todo), (other, same) = _comparison(), _comparison(records=str(home))
    folder = _folder_of(tmp_path, first, todo)
    manifest.open_folder(folder, other.manifest(same))
    assert len(simulate.finished_cases(other, folder, same)) == sum(len(case.columns) for case in same)


def test_rows_without_keys_or_of_other_source_count_as_not_simulated(tmp_path, monkeypatch):
    folder = _folder_of(tmp_path, *_comparison())
    later, todo = _comparison()
    monkeypatch.setitem(later.__dict__, "source_digest", "0" * 16)
    assert simulate.finished_cases(later, folder, todo).empty
    again, todo = _comparison()
    for path in (folder / "shards").glob("*.parquet"):
        rows = pd.read_parquet(path).drop(columns="key")
        path.unlink()
        shards.write_shard(folder, rows)
    said = []
    assert simulate.finished_cases(again, folder, todo, said.append).empty
    assert len(said) == 1


@pytest.mark.ngspice
def test_a_comparison_without_its_manifest_takes_no_row_of_another(gaincell, tmp_path):
    assert gaincell(*SMALL, "-o", "a", "--seed", 1)[0] == 0
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / "campaign.json").unlink()
    status, out, err = gaincell(*SMALL, "-o", "b", "--seed", 2)
    assert status == 0, err
    assert "1 of 1 passes simulated" in out
    assert err.count("columns in b belong to a different comparison; they are not used") == 1
    (tmp_path / "b" / "campaign.json").unlink()
    assert "0 of 1 passes simulated" in gaincell(*SMALL, "-o", "b", "--seed", 2)[1]
    one, two = (pd.read_csv(tmp_path / name / "tables" / "outcomes.csv") for name in "ab")
    assert not one["q_bl"].equals(two["q_bl"])
    assert "key" not in one


@pytest.mark.ngspice
def test_a_comparison_that_failed_is_repaired_by_repeating_it(gaincell, monkeypatch):
    def failing(_comparison, _circuit, case, _pool):
        return [simulate._failed("made to fail", 0.0) for _ in case.columns], []

    with monkeypatch.context() as patch:
        patch.setattr(simulate, "_by_cells", failing)
        status, _, err = gaincell(*SMALL, "-o", "c")
        assert status == 1
        assert "2 of 2 columns failed; the first: made to fail" in err
        assert "the same command simulates them again" in err
    status, out, err = gaincell(*SMALL, "-o", "c")
    assert status == 0, err
    assert "1 of 1 passes simulated" in out
    assert "again" in gaincell("compare", "--help")[1]


# --- a verdict without outcomes -------------------------------------------------------------------------------------


def _agreement(outcomes, *, mismatch, silent=0):
    share = wilson(0, outcomes)
    line = {
        "operation": "scores",
        "form": "only",
        "n": outcomes,
        "n_silent": silent,
        "rms_ns": np.nan,
        "ratio": np.nan,
        "agrees": False,
    }
    cover = tuple(Coverage(operation="scores", level=v, columns=CLEAR, share=share) for v in score.LEVELS)
    rows = pd.DataFrame({"operation": [], "status": [], "output": []})
    return ValidationResult(
        rows=rows, summary=pd.DataFrame([line]), coverage=cover if mismatch else (), forms={"scores": ("only",)},
        scales={}, model_s=0.0,
    )  # fmt: skip


@pytest.mark.parametrize("mismatch", [True, False])
def test_no_outcome_is_no_verdict(mismatch):
    found = _agreement(0, mismatch=mismatch)
    assert found.disagreements() == []
    [sentence] = found.undecided()
    assert sentence.startswith("scores: undecided: ")
    assert "nan" not in sentence
    [silent] = _agreement(0, mismatch=mismatch, silent=4).undecided()
    assert silent == "scores: undecided: no column has a pulse; simulate more columns or queries"
    some = _agreement(5, mismatch=mismatch)
    assert (len(some.disagreements()), some.undecided()) == (1, [])


@pytest.mark.ngspice
def test_a_gate_says_that_there_is_no_verdict(gaincell, tmp_path):
    q = np.zeros((2, 2))
    np.savez(tmp_path / "in.npz", Q=q, K=q, V=q)
    words = ("--operation", "scores", "--inputs", "in.npz", "--workers", 1, "--mismatch", "--draws", 10, "--gate")
    status, _, err = gaincell("compare", "-o", "c", *words)
    assert (status, "disagree" in err, "nan" in err) == (0, False, False), err
    assert "scores: undecided: " in err
    assert "undecided" in (tmp_path / "c" / "index.html").read_text()


# --- fit, mc, run ---------------------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path):
    plan = registry.plan_bench("gain_cell", "dc", sweep={"v_store": np.linspace(0, 0.9, 19).tolist()})
    x = np.linspace(-0.45, 0.45, 19)
    attrs = {
        "circuit": "gain_cell", "bench": "dc", "technology": "gc28", "technology_digest": "0", "plan_digest": "0",
        "parameters": json.dumps(dict(plan.fixed)), "options": "{}", "simulator": "ngspice", "package": "any",
        "n_points": 19, "n_ok": 19, "n_failed": 0,
    }  # fmt: skip
    frame = pd.DataFrame({"v_store": x + 0.45, "i_bl": 1e-6 * (0.2 + 3 * x - x**2 + 5 * x**3)}).set_index("v_store")
    for ending in ("csv", "parquet", "nc"):
        tables.write_dataset(frame.to_xarray().assign_attrs(attrs), tmp_path / f"t.{ending}")


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("ending", ["csv", "parquet", "nc"])
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--circuit", "gain_cell_switched"), "--circuit gain_cell_switched: t.{} is of circuit gain_cell; omit --ci"),
        (("--bench", "pulse"), "--bench pulse: t.{} is of bench dc; omit --bench"),
    ],
)
def test_fit_refuses_what_contradicts_the_table(refused, ending, words, says):
    assert says.format(ending) in refused("fit", f"t.{ending}", *words, "--model", "cubic", "-o", "r.json")


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_fit_refuses_it_with_options_for_foreign_tables_too(refused, ending):
    words = ("--circuit", "gain_cell_switched", "--model", "cubic", "--set", "vdd=0.9")
    assert f"t.{ending} is of circuit gain_cell; omit" in refused("fit", f"t.{ending}", *words, "-o", "r.json")


@pytest.mark.usefixtures("table")
def test_fit_takes_what_the_table_says_as_well(gaincell):
    words = ("--circuit", "gain_cell", "--bench", "dc", "--model", "cubic")
    assert gaincell("fit", "t.csv", *words, "-o", "r.json")[0] == 0


@pytest.mark.ngspice
def test_fewer_samples_in_one_part_do_not_shrink_a_campaign(gaincell, tmp_path):
    assert gaincell(*MC, "-o", "m", "-n", 8, "--shard", "1/2")[0] == 0
    assert gaincell(*MC, "-o", "m", "-n", 4, "--shard", "2/2")[0] == 0
    status, _, err = gaincell("merge", "m", "--workers", 1)
    assert status == 2
    assert "2 of 8 points are not simulated yet, of samples 5, 7" in err
    assert manifest.read_manifest(tmp_path / "m").n == 8


@pytest.mark.parametrize("place", ["R/run.json", "R/records/a.json", "R/data/a.csv.json", "S/a.json"])
def test_run_refuses_the_folder_of_another_technology(refused, tmp_path, place):
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    said = {"attrs": {"technology": "gc28"}} if "data" in place else {"technology": "gc28"}
    file.write_text(json.dumps(said))
    err = refused("run", "--circuit", "relu_c2p", "--tech", "osfet", "-o", "R", "--records", "S", "--workers", 1)
    assert f"{place} is of technology gc28, and this run is of osfet; choose another folder" in err


def test_run_takes_its_own_folder_and_what_says_nothing(tmp_path):
    for place, text in (
        ("run.json", '{"technology": "osfet"}'), ("records/a.json", "[1"), ("records/b.json", "[1]"),
        ("records/c.json", "{}"), ("data/d.csv.json", '{"attrs": 1}'), ("records/e.json", '{"technology": ""}'),
    ):  # fmt: skip
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(text)
    characterize_all.prepare(tmp_path, tmp_path / "records", "osfet")


# --- limits and blocks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [" " * 100_000 + "x", "x" + " " * 100_000, "a@" + " " * 100_000 + "x", "a@" * 50_000, "<" * 100_000,
             "a @" + " b" * 50_000, " " * 50_000 + "@" + " " * 50_000 + "> 1", "a > " + "1" * 100_000 + "x"]
)  # fmt: skip
def test_a_limit_is_read_in_a_time_that_grows_with_its_length(text):
    began = time.perf_counter()
    with pytest.raises(ParameterError) as refusal:
        parse_spec(text)
    assert time.perf_counter() - began < 1
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("i_bl>8", ("i_bl", ">", 8.0, {})), (" i_bl  @ v = 1 , w=2 <= 3 ", ("i_bl", "<=", 3.0, {"v": 1.0, "w": 2.0})),
        ("offset of it >= 1", ("offset of it", ">=", 1.0, {})), ("a<1", ("a", "<", 1.0, {})),
    ],
)  # fmt: skip
def test_a_limit_is_read_as_it_was(text, read):
    spec = parse_spec(text)
    assert (spec.output, spec.relation, spec.limit, dict(spec.where)) == read


@pytest.mark.parametrize("text", ["a > ", "> 1", "a", "", "a > 1 2", "a => 1", "a > = 1", "a@ > 1", "a < 1 < 2", "a=1"])
def test_what_is_no_limit_is_refused(text):
    with pytest.raises(ParameterError, match="spec"):
        parse_spec(text)


BLOCKS = (0, -5, 10**9, None, float("nan"), [], True, 2.5, "8")


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_is_a_number_of_samples(block):
    with pytest.raises(ParameterError, match="block = "):
        sampling.make_sampler("lhs", 1, block)
    with pytest.raises(ParameterError, match="block = "):
        campaign.plan_campaign("gain_cell", "dc", block=block, sampler="sobol")


@pytest.mark.parametrize("seed", [1.5, None, "1", True, [], float("nan")])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(ParameterError, match="seed = "):
        sampling.make_sampler("sobol", seed, 8)


def test_a_hypercube_larger_than_a_campaign_is_refused():
    with pytest.raises(ParameterError, match="block = 9000000: "):
        campaign.plan_campaign("gain_cell", "dc", vary="mismatch", sampler="lhs", block=9_000_000)


@pytest.mark.parametrize("block", [0, -5, 10**9])
def test_an_edited_block_is_refused(gaincell, tmp_path, block):
    planned = campaign.plan_campaign("gain_cell", "dc", vary="mismatch", sampler="lhs", block=8)
    manifest.open_folder(tmp_path / "c", planned.manifest(8))
    path = tmp_path / "c" / "campaign.json"
    path.write_text(path.read_text().replace('"block": 8', f'"block": {block}'))
    for words in (("merge", "c"), ("mc", "gain_cell", "dc", "--vary", "mismatch", "--sampler", "lhs", "-o", "c")):
        status, _, err = gaincell(*words)
        assert status == 2
        assert "request.block" in err, err


# --- a folder where a file has to go --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["results.parquet", "draws.parquet", "index.html", "record.json", "tables/moments.csv",
             "figures/convergence.svg"]
)  # fmt: skip
def test_mc_and_merge_refuse_a_folder_in_the_place_of_a_file(refused, tmp_path, name):
    (tmp_path / "d" / name).mkdir(parents=True)
    assert f"d/{name} is a folder, but must be a file; remove it, or ch" in refused(*MC, "-n", 2, "-o", "d")
    planned = campaign.plan_campaign("gain_cell", "dc", vary="mismatch")
    (tmp_path / "d" / "campaign.json").write_text(planned.manifest(8).to_json())
    assert f"d/{name} is a folder" in refused("merge", "d")


@pytest.mark.parametrize("name", ["shards", "tables", "figures"])
def test_a_file_in_the_place_of_a_folder_is_refused(refused, tmp_path, name):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / name).write_text("")
    assert f"d/{name} is a file, but must be a folder; remove it, or ch" in refused(*MC, "-n", 2, "-o", "d")
    assert f"d/{name} is a file" in refused(*SMALL, "-o", "d")


@pytest.mark.parametrize(
    "name", ["index.html", "compare.json", "inputs.npz", "tables/outcomes.csv", "decks/column_scores.cir"]
)
def test_compare_refuses_a_folder_in_the_place_of_a_file(refused, tmp_path, name):
    (tmp_path / "d" / name).mkdir(parents=True)
    assert f"d/{name} is a folder" in refused(*SMALL, "-o", "d")


@pytest.mark.parametrize("name", ["d/index.html", "d/run.json", "d/data/x.csv.json", "d/records/x.json", "s/x.json"])
def test_run_refuses_a_folder_in_the_place_of_a_file(refused, tmp_path, name):
    (tmp_path / name).mkdir(parents=True)
    words = ("run", "--circuit", "relu_c2p", "-o", "d", "--records", "s", "--workers", 1)
    assert f"{name} is a folder" in refused(*words)


def test_sweep_refuses_a_folder_in_the_place_of_the_note_of_a_table(refused, tmp_path):
    (tmp_path / "a.csv.json").mkdir()
    assert "a.csv.json is a folder" in refused(*SWEEP, "-o", "a.csv")
    tables.check_target(tmp_path / "a.parquet")


# --- what is typed --------------------------------------------------------------------------------------------------


def _commands(command=cli.cli):
    yield command
    for one in command.commands.values() if isinstance(command, click.Group) else ():
        yield from _commands(one)


def test_every_command_checks_its_words_in_the_same_way():
    for command in _commands():
        assert isinstance(command, command_options.Command | command_options.Group), command.name


WORDS = {
    "show": ("gain_cell",), "netlist": ("gain_cell", "dc"), "sweep": ("gain_cell", "dc", "-o", "a.csv"),
    "fit": ("a.csv", "-o", "r.json"), "run": (), "mc": ("gain_cell", "dc", "-o", "m"), "merge": ("m",),
    "tune": ("gain_cell", "dc", "-o", "t.json"), "compare": ("-o", "c"), "export": ("a.json", "--to", "csv"),
    "get": ("x",), "check": ("x",), "list": (),
}  # fmt: skip


def _options(kind):
    """Command, option, and the least that the command takes, for each option of every command."""
    found = []
    for name, command in cli.cli.commands.items():
        for param in command.params:
            if isinstance(param, click.Option) and not param.is_flag and kind(param):
                rest = list(WORDS[name])
                for spelled in param.opts:
                    if spelled in rest:
                        at = rest.index(spelled)
                        del rest[at : at + 2]
                found.append((name, max(param.opts, key=len), tuple(rest)))
    return found


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_value_is_refused(refused, empty):
    for name, option, rest in _options(lambda _: True):
        assert f"{option} is empty; " in refused(name, *rest, option, empty), (name, option)


def test_an_empty_word_is_refused(refused):
    for name in ("show", "netlist", "fit", "merge", "export"):
        first, *rest = WORDS[name]
        assert " is empty; " in refused(name, "", *rest), first
    assert " is empty; " in refused("tech", "check", "")
    assert "-o" in refused(*MC, "-n", 1, "-o", "") + "-o"
    assert "--out is empty; " in refused(*MC, "-n", 1, "-o", "")


@pytest.mark.parametrize("given", [("--corner", ","), ("--temp", ","), ("--temp", "27,,85"), ("--corner", "tt,")])
def test_an_empty_place_in_a_list_is_refused(refused, given):
    assert f"'{given[1]}' contains an empty value; write values with one comma between them" in refused(
        *SWEEP, "-o", "a.csv", *given
    )


@pytest.mark.parametrize("digits", ["\u0661\u0666", "\uff11", "1_6"])
def test_other_digits_are_refused(refused, digits):
    def number(param):
        return isinstance(param.type, click.types.IntParamType | click.types.FloatParamType)

    for name, option, rest in _options(number):
        assert f"{option} {digits}: write a number with the digits 0 to 9" in refused(name, *rest, option, digits)


def test_an_option_that_is_given_twice_is_refused(refused):
    for name, option, rest in _options(lambda param: not param.multiple):
        assert f"{option} is given twice; give it once" in refused(name, *rest, option, "1", option, "2")
    assert "--out is given twice" in refused(*MC, "-n", 1, "-o", "a", "--out", "b")


def test_options_that_may_be_repeated_still_may(gaincell):
    words = ("--set", "v_store=0.5", "--set", "v_in=0.45", "--corner=tt")
    assert gaincell("netlist", "gain_cell", "dc", *words)[0] == 0
    assert gaincell("compare", "--help")[0] == 0
    assert gaincell("export", "--list")[0] == 0


# --- tune, arrays ---------------------------------------------------------------------------------------------------


def test_tune_takes_multiples_of_eight(refused, gaincell):
    said = refused("tune", "gain_cell", "dc", "-o", "t.json", "-n", 15)
    assert "n = 15 samples is not a multiple of 8; write 8 or 16" in said
    with pytest.raises(ParameterError, match="multiple of 8"):
        tune("gain_cell", "dc", pool=None, samples=15)
    help_ = " ".join(gaincell("tune", "--help")[1].split())
    assert "one per core" not in help_
    assert "1 by default" in help_


def _archive(path, *names):
    buffer = io.BytesIO()
    np.save(buffer, np.full((2, 2), 0.5))
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, buffer.getvalue())
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("again", ["Q.npy", "q.npy", "Q"])
def test_two_arrays_of_one_name_are_refused(tmp_path, again):
    path = _archive(tmp_path / "in.npz", "Q.npy", "K.npy", "V.npy", again)
    with pytest.raises(DataError, match=r"two arrays.*Q"):
        read_inputs(path, 0.9)
    if again == "q.npy":
        assert {"Q", "q"} <= set(read_columns(path))
    else:
        with pytest.raises(GaincellError, match="two arrays 'Q'"):
            read_columns(path)


def test_records_without_a_name_are_refused():
    with pytest.raises(RequestError, match="records is empty; give the name of a set or a folder"):
        make_validation(tokens=2, dim=2, records="")
