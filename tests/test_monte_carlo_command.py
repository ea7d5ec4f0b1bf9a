"""``gaincell mc``, ``merge`` and ``tune`` as a user types them."""

import json
import re
import shutil
import signal
import threading
import time
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from gaincell_char import read_record, registry
from gaincell_char.errors import SimulationError
from gaincell_char.montecarlo import execute, verify
from gaincell_char.sweeping.run import FAILED
from gaincell_char.sweeping.step_control import StepControlSurvey

pytestmark = [pytest.mark.ngspice, pytest.mark.xdist_group("campaigns")]  # they share folders
CELL = ["mc", "gain_cell", "dc", "--vary", "mismatch", "-n", "64", "-o", "c"]
ONE = [*CELL, "--axis", "v_store=0.9", "--workers", "1"]


def instead(words, *more):
    """A command with other values for some of its options, which may be given once only."""
    pairs = [words[i : i + 2] for i in range(3, len(words), 2)]
    return [*words[:3], *(word for pair in pairs if pair[0] not in more for word in pair), *more]


@pytest.fixture(scope="module")
def page(finished):
    """The folder of a finished campaign."""
    return finished(*CELL, "--spec", "i_bl@v_store=0.9 > 9u", "--workers", "1")[0] / "c"


@pytest.fixture(scope="module")
def _one(finished):
    return finished(*ONE)[0]


@pytest.fixture
def done(_one, tmp_path):
    """A folder with a finished campaign of one point per sample, for a test to change."""
    shutil.copytree(_one, tmp_path, dirs_exist_ok=True)


class Links(HTMLParser):
    """Files a page refers to."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, _, attrs):
        self.found += [value for name, value in attrs if name in ("href", "src")]


def test_a_campaign_writes_results_draws_tables_pictures_record_and_page(page):
    results, draws = pd.read_parquet(page / "results.parquet"), pd.read_parquet(page / "draws.parquet")
    assert len(results) == 64 * 37
    assert list(results.columns) == ["id", "sample", "corner", "temp", "v_store", "i_bl", "status", "reason", "key"]
    assert len(draws) == 64
    assert results.attrs["n_failed"] == 0
    html = (page / "index.html").read_text()
    links = Links()
    links.feed(html)
    assert len(links.found) > 10
    assert all((page / link).is_file() for link in links.found), links.found
    for words in ("64", "sobol", "seed 1", "random_cell", "Worst samples", "Yield"):
        assert words in html


def test_the_tables_say_what_the_results_say(page):
    results = pd.read_parquet(page / "results.parquet")
    moments = pd.read_csv(page / "tables" / "moments.csv")
    assert len(moments) == 37
    column = results[results["v_store"] == 0.9]["i_bl"]
    row = moments[moments["v_store"] == 0.9].iloc[0]
    assert (row["mean"], row["sigma"]) == (pytest.approx(column.mean()), pytest.approx(column.std()))
    quantiles = pd.read_csv(page / "tables" / "quantiles.csv")
    median = quantiles[(quantiles["v_store"] == 0.9) & (quantiles["probability"] == 0.5)]["value"].iloc[0]
    assert median == pytest.approx(column.median())
    worst = pd.read_csv(page / "tables" / "worst.csv")
    assert column.iloc[np.argmax(np.abs(column - column.median()))] in worst["value"].to_list()
    shares = pd.read_csv(page / "tables" / "contributions.csv")
    high = shares[shares["quantity"] == "i_bl at v_store=0.9"].set_index("group")["share"]
    assert high["xcell.xn"] > 0.9, "at a high stored voltage the n transistor decides"
    assert high.drop(["xcell.xn", "rest"]).abs().max() < 1e-3, "and no other device"
    low = shares[shares["quantity"] == "i_bl at v_store=0"].set_index("group")["share"]
    assert low["xcell.xp"] > 0.95


def test_the_record_holds_whole_cells(page):
    record = read_record(page / "record.json")
    spread = record.spread
    assert (spread.vary, spread.sampler, spread.seed, spread.n_requested) == ("mismatch", "sobol", 1, 64)
    assert (spread.n_points, spread.n_ok, spread.failed) == (64 * 37, 64 * 37, {})
    [fit] = spread.random
    assert [c.name for c in fit.coefficients] == ["gain_n", "shift_n", "gain_p", "shift_p"]
    assert list(fit.covariance) == ["mismatch"]
    assert fit.explained > 0.99
    assert np.linalg.eigvalsh(fit.covariance["mismatch"]).min() > 0
    assert record.numerics["i_bl"] < 1e-6


def test_the_random_shift_of_a_cell_is_its_transistors_mismatch(page):
    """Theory: sigma of the n branch's shift is a_vt / sqrt(w l) of the n transistor, the gain's a_beta / sqrt(w l)."""
    [fit] = read_record(page / "record.json").spread.random
    sigma = {c.name: c.sigma for c in fit.coefficients}
    mismatch, area = registry.load_technology().mismatch, np.sqrt(100e-9 * 460e-9)
    assert sigma["shift_n"] == pytest.approx(mismatch.a_vt / area, rel=0.15)
    assert sigma["gain_n"] == pytest.approx(mismatch.a_beta / area, rel=0.35)


def test_a_replay_prints_the_deck_and_finds_the_same_numbers(page, gaincell, monkeypatch):
    monkeypatch.chdir(page.parent)
    status, out, err = gaincell(*CELL, "--replay", "17.36")
    stored = pd.read_parquet(page / "results.parquet").set_index("id").loc["17.36"]
    assert status == 0
    assert out.startswith("* gain_cell.dc, gc28, 27 degC")
    assert out.endswith(".endc\n.end\n")
    assert f"i_bl = {float(stored['i_bl'])!r}" in err
    assert err.splitlines()[-1] == "gaincell: identical to the campaign"


@pytest.mark.usefixtures("done")
def test_more_samples_join_the_ones_that_are_there(gaincell):
    status, out, _ = gaincell(*instead(ONE, "-n", "96"))
    assert status == 0
    assert re.search(r"32 points simulated .*, 64 already finished, in c \(", out)


def test_it_stops_when_sigma_is_known_well_enough(gaincell, tmp_path):
    status, out, _ = gaincell(*instead(ONE, "-n", "4000", "--until", "sigma<7%"))
    told = re.findall(r"^(\d+) samples: relative half-width of sigma ([\d.]+) %$", out, flags=re.M)
    assert status == 0
    assert [int(n) for n, _ in told] == [64, 128, 256, 512]
    assert [float(width) < 7 for _, width in told] == [False, False, False, True]
    assert len(pd.read_parquet(tmp_path / "c" / "results.parquet")) == 512


def test_it_stops_when_the_yield_is_known_well_enough(gaincell):
    status, out, _ = gaincell(*instead(ONE, "-n", "2000", "--spec", "i_bl > 8u", "--until", "yield<4%"))
    assert status == 0
    assert re.search(r"^64 samples: relative half-width of yield 2\.\d+ %$", out, flags=re.M)
    assert re.search(r"^i_bl > 8u: yield 100\.00 % \(9\d\.\d+ to 100\.00 %\)$", out, flags=re.M)


def test_parts_are_merged(gaincell, tmp_path):
    for part in ("1/2", "2/2"):
        status, out, _ = gaincell(*ONE, "--shard", part)
        assert status == 0
        assert "32 points simulated" in out
    assert not (tmp_path / "c" / "results.parquet").exists()
    status, out, _ = gaincell("merge", "c")
    assert status == 0
    assert len(pd.read_parquet(tmp_path / "c" / "results.parquet")) == 64


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("-n 0", "n = 0: a campaign needs at least one sample"),
        ("--sampler halton", "no sampler 'halton'; have sobol, lhs, random"),
        ("--vary all", "cannot vary 'all'; choose process, mismatch, both"),
        ("--shard 3", "--shard '3' is not a part: write I/N, for example 2/8"),
        ("--shard 3/2", "shard 3/2 does not exist: write I/N with I from 1 to N"),
        ("--until sigma<2", "goal 'sigma<2': write 'sigma<2%', 'mean<1%' or 'yield<1%'"),
        ("--until yield<2%", "--until 'yield<2%' needs a limit: add --spec"),
        ("--spec i_bl", "spec 'i_bl': write OUTPUT > LIMIT"),
        ("--spec q_bl>1", "spec 'q_bl>1': there is no 'q_bl'; have i_bl"),
        ("--accuracy 5", "'5' is not a percentage between 0% and 100%; write for example 0.05%"),
        ("--accuracy 1e-30%", "no measured setting has an error of at most 1e-30 %; the best has"),
        ("--replay x", "'x' is not an id: write SAMPLE.POINT"),
        ("--corner ff --vary both", "corner ff fixes the process"),
        ("--seed -1", "seed = -1 must be a whole number from 0 to 2^63 - 1"),
        ("--axis v_stor=1", "v_stor"),
    ],
)
def test_bad_requests_are_refused_in_one_sentence(gaincell, tmp_path, words, says):
    status, out, err = gaincell(*instead(CELL, *words.split()))
    assert (status, out) == (2, "")
    assert says in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "c").exists()


@pytest.mark.usefixtures("done")
def test_a_folder_of_another_campaign_is_refused_and_keeps_what_it_holds(gaincell, tmp_path):
    before = {p: p.read_bytes() for p in (tmp_path / "c").rglob("*") if p.is_file()}
    status, _, err = gaincell(*ONE, "--seed", "2")
    assert status == 2
    assert err == (
        "gaincell: c contains a different campaign: seed is 1 there and 2 here; "
        "choose another folder, or the same request\n"
    )
    assert {p: p.read_bytes() for p in (tmp_path / "c").rglob("*") if p.is_file()} == before


def test_a_merge_without_a_campaign_or_with_a_hole_is_refused(gaincell, tmp_path):
    status, _, err = gaincell("merge", "nowhere")
    assert (status, err) == (2, "gaincell: nowhere contains no campaign: campaign.json is missing\n")
    gaincell(*ONE, "--shard", "2/2")
    status, _, err = gaincell("merge", "c")
    assert status == 2
    assert (
        "32 of 64 points are not simulated yet, of samples 0, 2, 4, 6, 8, ...; run the same command again, or the"
        in err
    )
    (tmp_path / "c" / "campaign.json").write_text("{")
    status, _, err = gaincell("merge", "c")
    assert status == 2
    assert re.search(r"c/campaign.json: not JSON: .*; delete it, and run the same command again", err)


@pytest.mark.usefixtures("done")
def test_a_technology_that_changed_under_a_campaign_is_noticed(gaincell, tmp_path):
    path = tmp_path / "c" / "campaign.json"
    raw = json.loads(path.read_text())
    path.write_text(json.dumps({**raw, "digest": "0" * 16}))
    status, _, err = gaincell("merge", "c")
    assert status == 2
    assert (
        "c: technology, netlist or source code of this package has changed since the simulation; simulate again" in err
    )
    status, _, err = gaincell(*ONE)
    assert "contains a different campaign: the netlist, the technology or the records have changed since" in err


def _spoil(monkeypatch, share):
    """Every so many samples get a threshold that ngspice cannot solve."""
    rows = execute.Campaign.rows

    def broken(self, point, draws):
        targets, values = rows(self, point, draws)
        values = values.copy()
        values[:: int(1 / share), targets.index("@m.xcell.xn.m1[delvto]")] = 1e300
        return targets, values

    monkeypatch.setattr(execute.Campaign, "rows", broken)


@pytest.mark.slow
def test_failed_samples_are_listed_and_left_out(gaincell, tmp_path, monkeypatch):
    """Five of a hundred fail: the campaign ends, says so, and its statistics are those of the others."""
    with monkeypatch.context() as spoiled:
        _spoil(spoiled, 0.05)
        spoiled.setattr(
            "gaincell_char.montecarlo.verify.check",
            lambda *_, **__: verify.Verification(ids=(), alone={}, tight={}),
        )
        status, _, err = gaincell(*instead(CELL, "-n", "100", "--axis", "v_store=0:0.9:3"))
    assert status == 1
    assert "15 of 300 points failed and are marked as failed in the results; the first, 0.0: " in err
    assert "decks and logs are in c/failed; --retry-failed simulates them again" in err
    assert len(list((tmp_path / "c" / "failed").glob("*.cir"))) == 15
    results = pd.read_parquet(tmp_path / "c" / "results.parquet")
    assert sorted(set(results[results["status"] == FAILED]["sample"])) == [0, 20, 40, 60, 80]
    spread = read_record(tmp_path / "c" / "record.json").spread
    assert sum(spread.failed.values()) == 15
    assert {o.n for o in spread.outputs} == {95}
    assert "15 points failed" in (tmp_path / "c" / "index.html").read_text()
    status, out, _ = gaincell(*instead(CELL, "-n", "100", "--axis", "v_store=0:0.9:3", "--retry-failed"))
    assert status == 0
    assert "15 points simulated" in out


def test_a_campaign_whose_check_fails_says_so_and_ends_with_1(gaincell, tmp_path, monkeypatch):
    def wrong(*_, **__):
        raise SimulationError("check failed: sample 3.0 has ...", deck="* deck", log="")

    monkeypatch.setattr("gaincell_char.montecarlo.verify.check", wrong)
    status, _, err = gaincell(*ONE)
    assert status == 1
    assert "check failed: sample 3.0 has ...; deck and log are in gaincell-failed" in err
    assert (tmp_path / "c" / "results.parquet").exists(), "what was simulated is kept"


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(gaincell, tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "_FLUSH_S", 0.01)

    def interrupt():
        while not any((tmp_path / "c" / "shards").glob("*.parquet")):
            time.sleep(0.01)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    words = ["mc", "relu_c2p", "transfer", "-n", "200", "--axis", "q_in=0.5p", "-o", "c", "--vary", "mismatch"]
    words += ["--workers", "1"]
    status, out, err = gaincell(*words)
    assert status == 130
    assert err.splitlines()[-1] == "gaincell: interrupted"
    first = int(re.search(r"(\d+) points simulated", out)[1])
    assert 0 < first < 200
    status, out, _ = gaincell(*instead(words, "-n", str(first + 8)))
    assert re.search(rf"(\d+) points simulated .* {first} already finished", out)


@pytest.mark.long
def test_step_control_is_measured_and_written(gaincell, tmp_path):
    words = [
        "tune",
        "gain_cell",
        "pulse",
        "--axis",
        "v_store=0.7",
        "--set",
        "t_pulse=1n",
        "-n",
        "8",
        "-o",
        "steps.json",
    ]
    status, out, _ = gaincell(*words)
    assert status == 0
    found = StepControlSurvey.from_json((tmp_path / "steps.json").read_text(), "steps.json")
    assert (found.circuit, found.bench, found.n_samples) == ("gain_cell", "pulse", 8)
    front = found.front()
    assert [t.cost_s for t in front] == sorted(t.cost_s for t in front)
    assert [t.error for t in front] == sorted((t.error for t in front), reverse=True)
    assert {t.steps.copies for t in found.trials} == {1, 2, 4, 8}
    assert f"{len(found.trials)} settings in steps.json" in out


def test_an_unmeasured_bench_has_no_accuracy_to_choose_by(gaincell, monkeypatch):
    monkeypatch.setattr(registry, "load_steps", lambda *_: None)
    status, _, err = gaincell(*CELL, "--accuracy", "0.1%")
    assert status == 2
    assert "no step-control measurement exists for gain_cell.dc in gc28; run gaincell tune, or omit --accuracy" in err
