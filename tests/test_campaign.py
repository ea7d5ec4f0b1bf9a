"""Monte Carlo on real ngspice: the same bits whoever simulates it, in however many pieces; and right."""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gaincell_char.declare.bench import Output
from gaincell_char.errors import DataError, GaincellError, ParameterError, RequestError, SimulationError, StorageError
from gaincell_char.montecarlo import execute, results, verify
from gaincell_char.montecarlo.campaign import plan_campaign, restore_campaign
from gaincell_char.montecarlo.finished import read_finished
from gaincell_char.montecarlo.replay import parse_id, replay
from gaincell_char.spice import pool as pools
from gaincell_char.spice.batch import program
from gaincell_char.spice.measure import measure
from gaincell_char.spice.pool import Pool
from gaincell_char.storage import manifest, shards
from gaincell_char.sweeping.run import FAILED, OK, Failure
from gaincell_char.sweeping.step_control import Steps
from gaincell_char.workflows.kept_failures import keep_failures

pytestmark = pytest.mark.ngspice
N = 48


def planned(copies=4, **request):
    asked = {"vary": "both", "seed": 7, "sweep": {"v_store": [0.2, 0.7]}, "set_": {"t_pulse": 2e-9}, **request}
    return plan_campaign("gain_cell", "pulse", steps=Steps(copies=copies), **asked)


def table(campaign, folder, n=N):
    rows = results.complete(campaign, read_finished(campaign, folder, n), n)
    return results.flat_results(campaign, rows, n)


def same(a, b):
    """Bit for bit, keys and reasons included."""
    return a.equals(b) and (a.attrs == b.attrs)


@pytest.fixture(autouse=True)
def _quick_check():
    """Here campaigns are checked as they are in earnest."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The uninterrupted campaign."""
    folder = tmp_path_factory.mktemp("whole")
    with Pool(2) as two:
        done = execute.run_campaign(planned(), N, folder, pool=two)
    assert (done.simulated, done.kept, done.failed) == (2 * N, 0, 0)
    return table(planned(), folder)


def test_the_number_of_workers_does_not_matter(whole, pool, tmp_path):
    execute.run_campaign(planned(), N, tmp_path, pool=pool)
    assert same(table(planned(), tmp_path), whole)


def test_more_samples_keep_the_first_ones(whole, pool, tmp_path):
    for n, simulated in ((10, 24), (30, 40), (N, 32)):
        done = execute.run_campaign(planned(), n, tmp_path, pool=pool)
        assert (done.n, done.simulated) == (n, simulated)
    assert same(table(planned(), tmp_path), whole)
    fewer = table(planned(), tmp_path, 10)
    assert fewer.equals(whole[whole["sample"] < 10])


def test_nothing_is_simulated_twice(pool, tmp_path, monkeypatch):
    execute.run_campaign(planned(), N, tmp_path, pool=pool)
    monkeypatch.setattr(pools.Simulator, "run", lambda *_: pytest.fail("it simulated"))
    done = execute.run_campaign(planned(), N, tmp_path, pool=pool)
    assert (done.simulated, done.kept) == (0, 2 * N)


def test_parts_of_an_array_of_jobs_make_the_whole(whole, pool, tmp_path):
    for part in (3, 1):
        execute.run_campaign(planned(), N, tmp_path, pool=pool, part=(part, 3))
    with pytest.raises(
        DataError, match=r"32 of 96 points are not simulated yet, of samples 4, 5, 6, 7, 16, \.\.\.; run"
    ):
        table(planned(), tmp_path)
    execute.run_campaign(planned(), N, tmp_path, pool=pool, part=(2, 3))
    assert same(table(planned(), tmp_path), whole)


def test_any_executor_will_do(whole, tmp_path):
    with ThreadPoolExecutor(2) as executor:
        execute.run_campaign(planned(), N, tmp_path, pool=executor)
    assert same(table(planned(), tmp_path), whole)


class Lossy(ThreadPoolExecutor):
    """An executor that loses every second thing it is handed."""

    def submit(self, function, /, *words):
        self.count = getattr(self, "count", 0) + 1
        return super().submit(function, *words) if self.count % 2 else super().submit(int, "lost")


def test_what_an_executor_loses_is_said_and_made_up_for(whole, tmp_path):
    with (
        Lossy(2) as executor,
        pytest.raises(
            GaincellError,
            match=r"\d+ of \d+ tasks of the executor failed, the first with ValueError: .*'lost'; finished points are",
        ),
    ):
        execute.run_campaign(planned(), N, tmp_path, pool=executor)
    assert 0 < len(shards.read_shards(tmp_path)) < 2 * N
    with ThreadPoolExecutor(2) as executor:
        execute.run_campaign(planned(), N, tmp_path, pool=executor)
    assert same(table(planned(), tmp_path), whole)


KILLED = """
import sys
from pathlib import Path
from gaincell_char.montecarlo import execute
from gaincell_char.spice.pool import Pool
from test_campaign import LONG, planned
execute._FLUSH_S = 0.02
with Pool(2) as pool:
    execute.run_campaign(planned(sweep={"v_store": [0.7]}), LONG, Path(sys.argv[1]), pool=pool)
"""
LONG = 1200


@pytest.mark.long
def test_killed_at_ten_moments_and_resumed_it_is_the_same(pool, tmp_path):
    """``kill -9`` of the process that runs it; nothing finished is simulated again."""
    campaign, folder, finished = planned(sweep={"v_store": [0.7]}), tmp_path / "killed", [0]
    for wait_s in np.random.default_rng(1).uniform(0.0, 0.06, 10):
        command = [sys.executable, "-c", KILLED, str(folder)]
        with (tmp_path / "stderr").open("wb") as words:
            process = subprocess.Popen(command, cwd=Path(__file__).parent, stderr=words)
            _until_it_writes(process, folder)
            time.sleep(wait_s)
            process.kill()
            assert process.wait() in (0, -9), (tmp_path / "stderr").read_text()
        rows = shards.read_shards(folder)
        finished.append(0 if rows is None else len(rows))
    assert finished == sorted(finished), "what was finished is still there"
    assert len({count for count in finished if 0 < count < LONG}) >= 3, "it has to be killed in the middle"
    done = execute.run_campaign(campaign, LONG, folder, pool=pool)
    assert (done.kept, done.simulated) == (finished[-1], LONG - finished[-1])
    raw = pd.concat([pd.read_parquet(path) for path in (folder / manifest.SHARDS).glob("*.parquet")])
    assert not raw.duplicated(["sample", "point"]).any(), "something was simulated twice"
    execute.run_campaign(campaign, LONG, tmp_path / "whole", pool=pool)
    assert same(table(campaign, folder, LONG), table(campaign, tmp_path / "whole", LONG))


def _until_it_writes(process, folder):
    """Wait until the campaign has begun to simulate: a kill while Python starts tells nothing."""
    deadline = time.monotonic() + 60
    before = len(list((folder / manifest.SHARDS).glob("*.parquet"))) if folder.exists() else 0
    while time.monotonic() < deadline and process.poll() is None:
        if folder.exists() and len(list((folder / manifest.SHARDS).glob("*.parquet"))) > before:
            return
        time.sleep(0.005)


def test_a_damaged_shard_is_put_aside_and_simulated_again(whole, pool, tmp_path):
    execute.run_campaign(planned(), 24, tmp_path, pool=pool)
    execute.run_campaign(planned(), N, tmp_path, pool=pool)
    shard = sorted((tmp_path / manifest.SHARDS).glob("*.parquet"))[0]
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 0xFF
    shard.write_bytes(data)
    said = []
    done = execute.run_campaign(planned(), N, tmp_path, pool=pool, listener=execute.Listener(say=said.append))
    assert said == [
        f"{shard} is damaged; it is renamed to {shard.stem}.damaged, and its points will be simulated again"
    ]
    assert done.simulated > 0
    assert same(table(planned(), tmp_path), whole)


def test_a_missing_shard_is_noticed(pool, tmp_path):
    execute.run_campaign(planned(), 24, tmp_path, pool=pool)
    for shard in (tmp_path / manifest.SHARDS).glob("*.parquet"):
        shard.unlink()
    with pytest.raises(DataError, match=r"48 of 48 points are not simulated yet, of samples 0, 1, 2, 3, 4, \.\.\."):
        table(planned(), tmp_path, 24)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"seed": 8}, "seed is 7 there and 8 here"),
        ({"sweep": {"v_store": [0.2, 0.6]}}, r"sweep is \{'v_store': \[0.2, 0.7\]\} there and"),
        ({"vary": "process"}, "vary is both there and process here"),
        ({"temps": [85.0]}, r"temps is \[27.0\] there and \[85.0\] here"),
        ({"copies": 2}, "steps is "),
        ({"sampler": "random"}, "sampler is sobol there and random here"),
    ],
)
def test_a_folder_of_another_campaign_is_refused(pool, tmp_path, other, says):
    manifest.open_folder(tmp_path, planned().manifest(4))
    with pytest.raises(RequestError, match=f"contains a different campaign: .*{says}.*; choose another folder"):
        execute.run_campaign(planned(**other), N, tmp_path, pool=pool)


def test_a_campaign_is_the_same_after_a_round_trip_through_its_file(tmp_path):
    manifest.open_folder(tmp_path, planned().manifest(4))
    there = manifest.read_manifest(tmp_path)
    assert restore_campaign(there.request).digest == there.digest == planned().digest


@pytest.mark.parametrize("n", [0, -3])
def test_no_samples_are_refused(pool, tmp_path, n):
    with pytest.raises(RequestError, match=f"n = {n}: a campaign needs at least one sample"):
        execute.run_campaign(planned(), n, tmp_path / "new", pool=pool)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("part", [(0, 3), (4, 3), (1, 0)])
def test_a_part_that_is_none_is_refused(pool, tmp_path, part):
    with pytest.raises(RequestError, match=f"shard {part[0]}/{part[1]} does not exist: write I/N"):
        execute.run_campaign(planned(), 4, tmp_path, pool=pool, part=part)


def test_a_full_disk_keeps_what_is_finished(whole, pool, tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "_FLUSH_S", 0.0)
    written = []
    write = manifest.write_atomically

    def full(path, how):
        if path.parent.name == manifest.SHARDS:
            if len(written) == 3:
                raise OSError(28, "No space left on device")
            written.append(path)
        write(path, how)

    monkeypatch.setattr(manifest, "write_atomically", full)
    with pytest.raises(
        StorageError, match=r"the disk is full\); finished points are kept: free disk space and run the same"
    ):
        execute.run_campaign(planned(), N, tmp_path, pool=pool)
    monkeypatch.undo()
    assert len(shards.read_shards(tmp_path)) > 0
    execute.run_campaign(planned(), N, tmp_path, pool=pool)
    assert same(table(planned(), tmp_path), whole)


def _sabotaged(monkeypatch, campaign, bad, target="@m.xcell.xn.m1[delvto]"):
    """Samples whose transistor gets a threshold that ngspice cannot solve."""
    rows = type(campaign).rows

    def broken(self, point, draws):
        targets, values = rows(self, point, draws)
        values = values.copy()
        values[[b for b in bad if b < len(values)], targets.index(target)] = 1e300
        return targets, values

    monkeypatch.setattr(type(campaign), "rows", broken)


def test_a_sample_that_fails_fails_alone_and_is_a_row_with_its_reason(whole, pool, tmp_path, monkeypatch):
    bad = [3, 17, 18]
    _sabotaged(monkeypatch, planned(), bad)
    done = execute.run_campaign(planned(), N, tmp_path, pool=pool)
    found = table(planned(), tmp_path)
    assert done.failed == 2 * len(bad)
    assert sorted(set(found.loc[found["status"] == FAILED, "sample"])) == bad
    assert (found.loc[found["status"] == FAILED, "reason"].str.len() > 5).all()
    assert found.loc[found["status"] == FAILED, "q_bl"].isna().all()
    assert found.attrs["n_failed"] == sum(found.attrs["failed_by_reason"].values()) == 2 * len(bad)
    assert {f.sample for f in done.failures} == set(bad)
    good = found[~found["sample"].isin(bad)]
    error = np.abs(good["q_bl"] - whole.loc[good.index, "q_bl"]).max() / np.abs(whole["q_bl"]).max()
    assert error < 1e-3, "the others of its group were run alone"


def test_what_failed_stays_failed_until_it_is_asked_for_again(pool, tmp_path, monkeypatch):
    _sabotaged(monkeypatch, planned(), [5])
    execute.run_campaign(planned(), N, tmp_path, pool=pool)
    assert execute.run_campaign(planned(), N, tmp_path, pool=pool).simulated == 0
    done = execute.run_campaign(planned(), N, tmp_path, pool=pool, retry_failed=True)
    assert (done.simulated, done.failed) == (8, 2)


def test_a_hung_sample_ends_after_its_time_and_the_others_go_on(tmp_path, monkeypatch):
    """A stopped child answers nothing: it is killed, its group is taken apart, the campaign is whole."""
    monkeypatch.setattr(execute, "_SAMPLES_PER_CHUNK", 8)
    with Pool(1, timeout_s=2.0) as one:
        execute.simulate_samples(planned(), 4, one)
        os.kill(one._all[0]._process.pid, signal.SIGSTOP)
        done = execute.run_campaign(planned(), N, tmp_path, pool=one)
    assert (done.simulated, done.failed) == (2 * N, 0)


def test_every_sample_can_be_replayed_exactly(whole):
    for sample, point in ((0, 0), (17, 1), (N - 1, 0)):
        again_ = replay(planned(), sample, point, timeout_s=60)
        row = whole[whole["id"] == f"{sample}.{point}"].iloc[0]
        assert {name: float(v) for name, v in again_.values.items()} == {name: row[name] for name in again_.values}
        assert "alter @m.xcopy" in again_.deck.text


def test_the_printed_deck_of_a_sample_gives_its_numbers(pool, tmp_path):
    """The deck of one sample alone, run by the ngspice program, agrees with the campaign."""
    campaign = planned(copies=1)
    [item] = [i for i in execute.simulate_samples(campaign, 3, pool) if (i.sample, i.point) == (2, 1)]
    deck = campaign.deck(2, 1, campaign.draws(3)[2])
    (tmp_path / "a.cir").write_text(deck.text)
    subprocess.run(
        [shutil.which("ngspice"), "-b", "-r", "a.raw", "a.cir"], cwd=tmp_path, check=True, capture_output=True
    )
    waves = _raw(tmp_path / "a.raw")
    measured, reason = measure(campaign.plan.bench.outputs, waves, campaign.points[1].values)
    assert not reason
    assert float(measured["q_bl"]) == pytest.approx(float(item.values["q_bl"]), rel=1e-9)


def _raw(path):
    head, _, data = path.read_bytes().partition(b"Binary:\n")
    names = [line.split()[1] for line in head.decode().partition("Variables:\n")[2].splitlines() if line.strip()]
    return dict(zip(names, np.frombuffer(data).reshape(-1, len(names)).T, strict=True))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("abc", "'abc' is not an id"), ("3", r"sample 3 has 2 points: write 3.0 up to 3.1"),
        ("3.2", r"3.2: the grid has 2 points"), ("-1.0", "is not an id"), ("1.x", "is not an id"),
    ],
)  # fmt: skip
def test_an_id_that_is_none_is_refused(text, says):
    with pytest.raises(ParameterError, match=says):
        parse_id(planned(), text)


def test_the_check_finds_a_number_that_is_not_so(pool, tmp_path):
    campaign = planned()
    execute.run_campaign(campaign, 8, tmp_path, pool=pool)
    rows = results.complete(campaign, read_finished(campaign, tmp_path, 8), 8)
    found = verify.check(campaign, rows, 8, timeout_s=60)
    assert len(found.ids) == 4
    assert 0 < found.alone["q_bl"] < 1e-3
    assert 0 < found.tight["q_bl"] < 1e-3
    rows.loc[0, "q_bl"] *= 1.01
    with pytest.raises(
        SimulationError, match=r"check failed: sample 0\.0 has q_bl = \S+ there and \S+ here.*new process"
    ):
        verify.check(campaign, rows, 8, timeout_s=60)


def test_without_copies_a_fresh_process_gives_the_same_to_nine_digits(pool, tmp_path):
    campaign = planned(copies=1)
    execute.run_campaign(campaign, 8, tmp_path, pool=pool)
    rows = results.complete(campaign, read_finished(campaign, tmp_path, 8), 8)
    assert verify.check(campaign, rows, 8, timeout_s=60).alone["q_bl"] < 1e-12


def test_curves_make_a_row_per_value(pool, tmp_path):
    campaign = plan_campaign(
        "capacitor_decay", "decay", vary="mismatch", sweep={"time": [1e-4, 1e-3], "v_wbl": [0.45], "v_init": [0.9]}
    )
    execute.run_campaign(campaign, 4, tmp_path, pool=pool)
    found = table(campaign, tmp_path, 4)
    assert found["time"].tolist() == [1e-4, 1e-3] * 4
    assert list(found.columns[:2]) == ["id", "sample"]
    assert found["v_store"].between(0.3, 0.9).all()
    rows = results.complete(campaign, read_finished(campaign, tmp_path, 4), 4)
    grid = results.to_grid(campaign, rows, 4)
    assert grid["v_store"].dims == ("sample", "corner", "temp", "v_wbl", "v_init", "time")
    assert grid["v_store"].to_numpy().ravel().tolist() == found["v_store"].tolist()


def test_draws_are_written_next_to_the_results():
    drawn = results.tabulate_draws(planned(), 5)
    assert list(drawn.columns) == ["sample", *(v.name for v in planned().variables)]
    assert (drawn.iloc[:, 1:].to_numpy() == planned().draws(5)).all()
    assert drawn.attrs["sigma"]["process_vth_n"] == 0.015


def test_corners_and_temperatures_are_dimensions(pool, tmp_path):
    campaign = planned(vary="mismatch", corners=["ss", "ff"], temps=[0.0, 85.0])
    execute.run_campaign(campaign, 4, tmp_path, pool=pool)
    found = table(campaign, tmp_path, 4)
    assert len(found) == 4 * 2 * 2 * 2
    mean = found[found["v_store"] == 0.7].groupby(["corner", "temp"])["q_bl"].mean()
    assert mean["ff"].min() > mean["ss"].max()
    # The same sample is the same devices at every corner.
    assert (found["status"] == OK).all()


def test_tightened_campaign_keeps_its_draws():
    tight = replace(planned(), plan=planned().plan.tightened(10))
    assert (tight.draws(3) == planned().draws(3)).all()
    assert tight.digest != planned().digest


def test_evidence_does_not_follow_a_link_out_of_its_folder(tmp_path):
    """An untrusted folder may contain a link where decks and logs of failures go."""
    outside, folder = tmp_path / "outside", tmp_path / "campaign"
    outside.mkdir()
    folder.mkdir()
    (folder / "failed").symlink_to(outside)
    kept = keep_failures([Failure(where={}, reason="why", deck="* deck", log="log")], folder / "failed")
    try:
        assert (kept / "1.cir").read_text() == "* deck"
        assert list(outside.iterdir()) == []
    finally:
        shutil.rmtree(kept)


def test_a_measure_that_cannot_reach_another_process_is_refused():
    output = Output(name="v_out", unit="V", doc="output", measure=lambda w, _: w["v(out)"][-1])
    with pytest.raises(ParameterError, match=r"output v_out: its measure must be a function at the top level"):
        program((output,), ({},))
