"""Simulations that fail: exit status 1, the evidence kept and its place told, and nothing lost that was done."""

import contextlib
import errno
import itertools
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fakes import FakePool

from gaincell_char import cli, registry
from gaincell_char.declare.bench import Op, Output, Tran
from gaincell_char.errors import NgspiceMissingError, RequestError, SimulationError, StorageError
from gaincell_char.spice import ngspice, preloaded
from gaincell_char.spice import pool as pools
from gaincell_char.spice import simulator as simulators
from gaincell_char.spice.deck import Deck, Template
from gaincell_char.spice.ngspice import Outcome
from gaincell_char.spice.pool import Pool
from gaincell_char.spice.reader import read_netlist
from gaincell_char.storage import tables
from gaincell_char.sweeping import run
from gaincell_char.sweeping.plan import make_plan
from gaincell_char.sweeping.run import FAILED, NOT_RUN, OK, Failure, characterize
from gaincell_char.workflows.kept_failures import keep_failures

GAINCELL = [sys.executable, "-P", "-c", "from gaincell_char.__main__ import main; main()"]
SUBCIRCUIT = ".subckt gain_cell bl wlr wlrb wbl we web st vdd vss\nr1 bl wlrb 1meg\nr2 st wlr 1g\n{}\n.ends\n"
# Above 0.5 V, v(q) has no solution that an iteration finds; or a source too fast for the transient ever to end.
TROUBLED = SUBCIRCUIT.format("b1 q 0 v = v(st) > 0.5 ? (v(q) > 0.5 ? 0 : 1) : 0\nr3 q 0 1k")
ENDLESS = SUBCIRCUIT.format("v1 q 0 sin(0 1 {v_store > 0.5 ? 1e15 : 1})\nr3 q p 1k\nc3 p 0 1p")
PULSE = ("sweep", "gain_cell", "pulse", "--axis", "t_pulse=1n", "--workers", "1")


@pytest.fixture(autouse=True)
def netlists(tmp_path):
    """A netlist that fails at some points and one that never ends, beside whatever is typed."""
    (tmp_path / "troubled.cir").write_text(TROUBLED)
    (tmp_path / "endless.cir").write_text(ENDLESS)


def deck(body, save="v(a)", analysis=None, params=None):
    template = Template(
        title="any", temp=27.0, options=(), body=f"{read_netlist(body).text}\n.save {save}", save=(save,)
    )
    return Deck(template=template, params=params or {}, analysis=analysis or Op(), initial={})


def outcomes(pool, decks):
    """Outcome of every deck, in order."""
    decks = list(decks)
    found = dict(pool.map(range(len(decks)), lambda i: decks[i], count=len(decks)))
    return [found[i] for i in range(len(decks))]


GOOD = deck("v1 a 0 0.75\nr1 a 0 1k")
LONG = deck("v1 a 0 sin(0 1 1e9)\nr1 a b 1k\nc1 b 0 1p", analysis=Tran(stop=1.5e-6, max_step=1e-11))
HUNG = deck("v1 a 0 sin(0 1 1e15)\nr1 a b 1k\nc1 b 0 1p", analysis=Tran(stop=1.0, max_step=1e-12))
BAD = {
    "syntax": ("v1 a 0 1\nr1 a 0 1k 2k 3k", "r1 a 0 1k 2k 3k"),
    "unknown model": ("v1 a 0 1\nm1 a a 0 0 nosuch", "can't find model 'nosuch'"),
    "unknown model type": ("v1 a 0 1\nm1 a a 0 0 mm\n.model mm nmoss", "could not find a valid modelname"),
    "unknown parameter": ("v1 a 0 1\nr1 a 0 1k foo=3", "unknown parameter (foo)"),
    "unknown subcircuit": ("v1 a 0 1\nx1 a 0 nosuch", "unknown subckt"),
    "open brace": ("v1 a 0 1\nr1 a 0 {1k*(2", 'closing "}" not found'),
    "wrong expression": ("v1 a 0 1\nr1 a 0 {1k*/2}", "expression err"),
    "missing node": ("v1 b 0 1\nr1 b 0 1k", "the circuit has none of the vectors to save: v"),
    "loop of sources": ("v1 a 0 1\nv2 a 0 2", "timestep too small"),
    "no operating point": ("b1 a 0 v = v(a) > 0.5 ? 0 : 1\nr1 a 0 1k", "timestep too small; trouble with node"),
    "not a number": ("b1 a 0 v = sqrt(-1)\nr1 a 0 1k", "out of range for sqrt"),
}  # fmt: skip


@pytest.mark.ngspice
@pytest.mark.parametrize("what", BAD)
def test_a_deck_that_fails_says_why_and_the_next_one_is_unharmed(pool, what):
    body, reason = BAD[what]
    before, failed, after = outcomes(pool, [GOOD, deck(body), GOOD])
    assert reason in failed.reason.lower()
    assert failed.log
    assert not failed.vectors
    assert (before.reason, after.reason) == ("", "")
    assert before.vectors["v(a)"] == after.vectors["v(a)"] == 0.75


@pytest.mark.ngspice
def test_no_deck_is_answered_by_the_one_before(pool):
    decks = [deck(f"v1 a 0 {value}\nr1 a 0 1k\n{BAD[what][0] if value % 2 else ''}") for value, what in enumerate(BAD)]
    for number, outcome in enumerate(outcomes(pool, decks)):
        if number % 2 == 0:
            assert outcome.vectors["v(a)"] == number
        else:
            assert outcome.reason or outcome.vectors["v(a)"] == number


@pytest.mark.ngspice
def test_an_operating_point_that_does_not_exist_is_an_error_with_deck_and_log():
    with pytest.raises(SimulationError, match="Timestep too small; trouble with node") as failure:
        run.simulate(BAD["no operating point"][0], Op(), ["v(a)"])
    assert failure.value.deck.startswith("* gaincell-char\n")
    assert "b1 a 0 v = v(a) > 0.5 ? 0 : 1\n" in failure.value.deck
    assert "Transient op failed" in failure.value.log


@pytest.mark.ngspice
def test_a_transient_that_stops_early_is_an_error_and_not_half_a_result():
    bistable = "v1 a 0 pulse(0 1 1n 1p 1p 1 2)\nb1 b 0 v = v(b) > 0.5*v(a) ? 0 : v(a)\nr1 b 0 1k"
    with pytest.raises(SimulationError, match="TRAN: Timestep too small; time = 1e-09") as failure:
        run.simulate(bistable, Tran(stop=1e-7, max_step=1e-9), ["v(b)"])
    assert "tran simulation(s) aborted" in failure.value.log


@pytest.mark.ngspice
def test_the_log_of_a_failure_names_an_undefined_parameter(pool):
    """Undeclared names are refused before; here one hides where only ngspice looks, and takes the library with it."""
    failed, after = outcomes(pool, [deck("v1 a 0 1\nr1 a 0 '1k*nosuch'"), GOOD])
    assert "nosuch" in failed.log
    assert after.vectors["v(a)"] == 0.75


# What the user sees


@pytest.mark.ngspice
@pytest.mark.parametrize("ending", tables.FORMATS)
def test_failed_points_leave_a_table_with_the_others_and_their_evidence(gaincell, tmp_path, ending):
    status, out, err = gaincell(
        "sweep", "gain_cell", "dc", "--axis", "v_store=0.2,0.4,0.8,0.9", "--axis", "v_in=0.9", "--axis", "v_bl=0.45",
        "--netlist", "troubled.cir", "--workers", "1", "-o", f"out{ending}",
    )  # fmt: skip
    assert status == 1
    assert "2 of 4 points in" in out
    assert err.startswith("gaincell: 2 of 4 points failed; the first, at corner = tt, temp = 27.0, v_store = 0.8, ")
    assert 'trouble with node "' in err
    assert err.endswith(f"decks and logs are in out{ending}.failed\n")
    assert err.count("\n") == 1
    table = tables.read_table(tmp_path / f"out{ending}").frame
    assert table.status.tolist() == [OK, OK, FAILED, FAILED]
    assert np.isfinite(table.i_bl).tolist() == [True, True, False, False]
    assert "trouble with node" in table.reason[2]
    assert table.reason[0] == ""
    kept = tmp_path / f"out{ending}.failed"
    assert sorted(p.name for p in kept.iterdir()) == ["1.cir", "1.log", "2.cir", "2.log"]
    assert "Transient op failed" in (kept / "1.log").read_text()
    if program := shutil.which("ngspice"):
        by_hand = subprocess.run([program, "-b", kept / "1.cir"], capture_output=True, text=True, timeout=60)
        assert "Timestep too small" in by_hand.stdout + by_hand.stderr


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("r9 bl 0 1k 2k 3k", "r9"),
        ("m1 bl st 0 0 nosuch", "can't find model 'nosuch'"),
        ("r9 bl 0 1k foo=2", "unknown parameter"),
    ],
)
def test_a_netlist_that_ngspice_does_not_take_fails_with_its_words(gaincell, tmp_path, line, reason):
    (tmp_path / "cell.cir").write_text(SUBCIRCUIT.format(line))
    status, _, err = gaincell(
        "sweep", "gain_cell", "dc", "--axis", "v_store=0.2", "--axis", "v_in=0.9", "--netlist", "cell.cir",
        "--workers", "1", "-o", "out.csv",
    )  # fmt: skip
    assert status == 1
    assert reason in err
    assert line in (tmp_path / "out.csv.failed" / "1.cir").read_text()


@pytest.mark.ngspice
def test_a_run_that_never_ends_is_ended_and_the_next_points_still_run(gaincell, tmp_path):
    began = time.monotonic()
    status, _, err = gaincell(
        *PULSE, "--axis", "v_store=0.1,0.8,0.2,0.3", "--netlist", "endless.cir", "--timeout", "1", "-o", "out.csv"
    )
    assert time.monotonic() - began < 30
    assert status == 1
    assert "1 of 4 points failed; the first, at corner = tt, temp = 27.0, v_store = 0.8, t_pulse = 1e-09: " in err
    assert "no result after 1 s" in err
    assert tables.read_table(tmp_path / "out.csv").frame.status.tolist() == [OK, FAILED, OK, OK]
    assert "sin(0 1 {v_store > 0.5 ? 1e15 : 1})" in (tmp_path / "out.csv.failed" / "1.cir").read_text()


def test_evidence_goes_elsewhere_if_its_folder_cannot_be_made(tmp_path):
    (tmp_path / "out.csv.failed").write_text("a file")
    failure = Failure(where={}, reason="why", deck="* deck", log="log")
    kept = keep_failures([failure], tmp_path / "out.csv.failed")
    try:
        assert (kept / "1.cir").read_text() == "* deck"
        assert (kept / "1.log").read_text() == "why\nlog\n"
    finally:
        shutil.rmtree(kept)


# Children that die


def _kill_when_busy(simulator, number, times=1):
    """Send a signal to a simulator's child, and to so many in its place, as soon as each has begun to compute."""
    end = time.monotonic() + 60
    most_s = _cpu_s(simulator._process.pid) + 0.1

    def kill():
        nonlocal most_s
        for _ in range(times):
            while (process := simulator._process) is None or _cpu_s(process.pid) < most_s:
                if time.monotonic() > end:
                    return
                time.sleep(0.01)
            os.kill(process.pid, number)
            process.wait()
            most_s = 0.25  # more than a start takes

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


def _cpu_s(pid):
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.ngspice
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_deck_that_ends_every_simulator_costs_one_point(number):
    with Pool(1, timeout_s=60) as pool:
        first = outcomes(pool, [GOOD])
        thread = _kill_when_busy(pool._all[0], number, times=3)
        before, crashed, after = outcomes(pool, [GOOD, HUNG, GOOD])
        thread.join()
    assert crashed.reason == "ngspice crashed while it simulated this deck"
    assert [o.reason for o in (*first, before, after)] == ["", "", ""]


@pytest.mark.ngspice
def test_simulations_may_be_limited_for_a_while():
    with Pool(1, timeout_s=60) as pool:
        with pool.limited(1.0):
            hung, after = outcomes(pool, [HUNG, GOOD])
        with pool.limited(100.0):
            assert pool.timeout_s == 60
    assert (hung.reason, after.reason) == ("no result after 1 s", "")


@pytest.fixture(scope="module")
def alone(pool):
    """What the long deck gives when nobody disturbs it."""
    [outcome] = outcomes(pool, [LONG])
    return outcome


@pytest.mark.ngspice
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_simulator_that_somebody_ends_is_replaced_and_its_deck_run_again(number, alone):
    """What it gives is what it would have given, to the bit."""
    with Pool(1, timeout_s=60) as pool:
        outcomes(pool, [GOOD])
        thread = _kill_when_busy(pool._all[0], number)
        _, again, _ = outcomes(pool, [GOOD, LONG, GOOD])
        thread.join()
    assert alone.reason == again.reason == ""
    assert np.array_equal(alone.vectors["v(a)"], again.vectors["v(a)"])


@pytest.mark.ngspice
def test_a_simulator_that_dies_while_idle_is_replaced():
    with Pool(1) as pool:
        outcomes(pool, [GOOD])
        os.kill(pool._all[0]._process.pid, signal.SIGKILL)
        pool._all[0]._process.wait()
        for _ in range(2):
            assert [o.reason for o in outcomes(pool, [GOOD, GOOD])] == ["", ""]
        # and if nobody has noticed yet that it is dead:
        process = pool._all[0]._process
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.poll = lambda: None
        assert [o.reason for o in outcomes(pool, [GOOD, GOOD])] == ["", ""]


@pytest.mark.ngspice
def test_a_simulator_that_somebody_ends_while_it_starts_is_started_again(monkeypatch):
    start, begun = simulators.start_worker, []

    def killed_at_once(*words, **how):
        process = start(*words, **how)
        begun.append(process)
        if len(begun) == 1:
            process.kill()
        return process

    with Pool(1) as pool:
        monkeypatch.setattr(simulators, "start_worker", killed_at_once)
        assert outcomes(pool, [GOOD])[0].reason == ""
    assert len(begun) == 2


@pytest.mark.ngspice
def test_a_simulator_that_does_not_start_again_fails_the_points_and_keeps_the_others(monkeypatch):
    def no_memory(*_, **__):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    with Pool(1) as pool:
        done = outcomes(pool, [GOOD])
        pool._all[0].close()
        monkeypatch.setattr(preloaded._SHARED, "fork", no_memory)
        monkeypatch.setattr(preloaded.subprocess, "Popen", no_memory)
        lost = outcomes(pool, [GOOD, GOOD])
    assert done[0].reason == ""
    assert all("does not start again: " in o.reason and "Cannot allocate memory" in o.reason for o in lost)


def test_an_answer_cut_short_is_a_death_like_any_other(tmp_path):
    ours, theirs = Pipe()
    os.write(theirs.fileno(), struct.pack("!i", 1000) + b"the beginning")
    theirs.close()
    (tmp_path / "stderr").write_text("last words")
    simulator = pools.Simulator()
    simulator._scratch = SimpleNamespace(path=tmp_path)
    outcome = simulator._receive(ours, 1.0)
    assert (outcome.reason, outcome.log) == ("ngspice crashed while it simulated this deck", "last words")


@pytest.mark.ngspice
def test_ctrl_c_on_a_terminal_reaches_the_parent_alone(pool):
    outcomes(pool, [GOOD])
    assert os.getpgid(pool._all[0]._process.pid) != os.getpgid(0)


SAME = FakePool(lambda _: Outcome(vectors={"i(vbl)": np.array([1e-6])}))


@pytest.mark.parametrize("error", [ValueError("no crossing"), KeyError("v(q)"), ZeroDivisionError("by zero")])
def test_a_measurement_that_fails_costs_its_point_alone(error):
    def measure(_, values):
        if values["v_store"] > 0.5:
            raise error
        return values["v_store"]

    cell = registry.load_circuit("gain_cell")
    output = Output(name="i_bl", unit="A", doc="any", measure=measure)
    cell = replace(cell, benches=(replace(cell.bench("dc"), outputs=(output,)),))
    plan = make_plan(
        cell, "dc", registry.load_technology(), registry.load_netlist("gain_cell"),
        sweep={"v_store": [0.1, 0.9, 0.2], "v_in": [0.9]},
    )  # fmt: skip
    result = characterize(plan, pool=SAME)
    assert result.dataset.status.to_numpy().ravel().tolist() == [OK, FAILED, OK]
    assert result.dataset.reason.to_numpy().ravel()[1] == f"i_bl could not be measured: {error}"


# Interruption


def _interrupting(monkeypatch, after):
    """Let Ctrl-C arrive when the given number of points is done."""

    @contextlib.contextmanager
    def progress(*_):
        count = itertools.count(1)

        def tick():
            if next(count) == after:
                os.kill(os.getpid(), signal.SIGINT)

        yield tick

    for module in (cli.sweeping, cli.main_job):
        monkeypatch.setattr(module, "progress", progress)


@pytest.mark.ngspice
@pytest.mark.parametrize("ending", tables.FORMATS)
def test_ctrl_c_stops_and_keeps_what_is_done(gaincell, tmp_path, monkeypatch, ending):
    _interrupting(monkeypatch, after=3)
    handler = signal.getsignal(signal.SIGINT)
    status, out, err = gaincell(
        "sweep", "gain_cell", "dc", "--axis", "v_store=0:0.9:2000", "--axis", "v_in=0.9", "--workers", "1",
        "-o", f"out{ending}",
    )  # fmt: skip
    assert status == 130
    assert err.splitlines()[0].startswith("gaincell: stopping after the points in progress; press Ctrl-C again to stop")
    assert err.split("\n")[1:] == ["", "gaincell: interrupted", ""]  # the first ends the line in which ^C stands
    assert "of 2000 points in" in out
    table = tables.read_table(tmp_path / f"out{ending}").frame
    assert len(table) == 2000
    assert set(table.status) == {OK, NOT_RUN}
    assert 3 <= (table.status == OK).sum() < 1000
    assert np.isfinite(table.i_bl[table.status == OK]).all()
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.ngspice
@pytest.mark.parametrize(("number", "status", "said"), [(2, 130, "interrupted"), (15, 143, "terminated")])
def test_a_signal_that_ends_a_simulator_while_it_starts(gaincell, monkeypatch, number, status, said):
    """A terminal's Ctrl-C reaches children, too: their end is no sign of a missing library."""

    def ended(_):
        os.kill(os.getpid(), number)
        raise NgspiceMissingError("the ngspice library cannot be loaded: KeyboardInterrupt")

    monkeypatch.setattr(pools.Simulator, "_started", ended)
    words = ("mc", "gain_cell", "dc", "-n", 2, "--vary", "mismatch", "--axis", "v_store=0.9", "--axis", "v_in=0.9")
    found, _, err = gaincell(*words, "--workers", 1, "-o", "c")
    assert (found, err.splitlines()[-1]) == (status, f"gaincell: {said}")
    assert "library" not in err


@pytest.mark.ngspice
def test_ctrl_c_after_a_failure_tells_both(gaincell, tmp_path, monkeypatch):
    _interrupting(monkeypatch, after=1)
    status, _, err = gaincell(
        "sweep", "gain_cell", "dc", "--axis", "v_store=0.8:0.9:200", "--axis", "v_in=0.9", "--workers", "1",
        "--netlist", "troubled.cir", "-o", "out.csv",
    )  # fmt: skip
    assert status == 130
    assert "decks and logs are in out.csv.failed" in err
    assert (tmp_path / "out.csv.failed" / "1.cir").exists()


@pytest.mark.ngspice
def test_ctrl_c_during_the_main_job_keeps_what_is_done(gaincell, tmp_path, monkeypatch):
    _interrupting(monkeypatch, after=3)
    status, out, err = gaincell("run", "--circuit", "capacitor_decay", "--workers", "1", "--out", "results")
    assert (status, err.splitlines()[-1]) == (130, "gaincell: interrupted")
    assert "results/index.html" in out
    [first] = (file for file in (tmp_path / "results" / "data").glob("*.csv") if file.name.count(".") == 2)
    assert (tables.read_table(first).frame.status == OK).any()


@pytest.fixture
def hanging(tmp_path):
    """A command in a process of its own, in the middle of a run that never ends; its child's id."""
    (tmp_path / "endless.cir").write_text(ENDLESS)
    words = [*GAINCELL, *PULSE, "--axis", "v_store=0.1,0.2,0.8,0.3", "--netlist", "endless.cir", "-o", "out.csv"]
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process, _busy_child(process)
    finally:
        process.kill()
        process.communicate()


def _busy_child(process):
    """Wait until a process below this one has computed for longer than a start and the good points take."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        for child in _descendants(process.pid):
            if _cpu_s(child) > 0.7:
                return child
        time.sleep(0.05)
    return pytest.fail(f"it never hung: {process.communicate()}")


def _descendants(pid):
    found = set()
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found |= set(map(int, listed.read_text().split()))
    return found.union(*map(_descendants, found))


@pytest.mark.ngspice
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_ctrl_c_twice_ends_a_run_that_hangs_and_keeps_what_is_done(hanging, tmp_path):
    process, child = hanging
    process.send_signal(signal.SIGINT)
    assert "stopping after the points in progress" in process.stderr.readline()
    time.sleep(0.3)
    assert process.poll() is None
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 2
    assert (process.returncode, err.strip()) == (130, "gaincell: interrupted")
    assert "of 4 points in" in out
    assert not Path(f"/proc/{child}").exists()
    assert tables.read_table(tmp_path / "out.csv").frame.status.tolist() == [OK, OK, NOT_RUN, NOT_RUN]


@pytest.mark.ngspice
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_children_go_when_the_parent_is_killed(hanging):
    process, child = hanging
    process.kill()
    process.wait()
    end = time.monotonic() + 5
    while Path(f"/proc/{child}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()


# Full disks


@pytest.fixture(scope="module")
def measured():
    """A dataset of a size that does not fit on the full disk."""
    plan = registry.plan_bench("gain_cell", "dc", sweep={"v_store": np.linspace(0, 0.9, 3000), "v_in": [0.9]})
    return characterize(plan, pool=SAME).dataset


@pytest.fixture
def full_disk(tmp_path, monkeypatch):
    """A folder on a disk of 64 kB; without the right to mount one, writing there fails as it would."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    words = [str(mount), "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    mounted = mount and umount and subprocess.run(words, capture_output=True).returncode == 0
    if not mounted:
        replace_file = Path.replace

        def full(path, target):
            if path.parent == folder:
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            return replace_file(path, target)

        monkeypatch.setattr(Path, "replace", full)
    yield folder
    if mounted:
        subprocess.run([str(umount), str(folder)], check=True)


@pytest.fixture
def rescue(tmp_path, monkeypatch):
    """Where temporary folders are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tables.tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("ending", tables.FORMATS)
def test_a_full_disk_costs_neither_the_results_nor_the_file_that_was_there(full_disk, rescue, measured, ending):
    path = full_disk / f"out{ending}"
    path.write_text("precious")
    big = measured.assign(noise=("v_store", np.random.default_rng(1).random(3000)), more=measured.i_bl * np.pi)
    big["noise2"] = ("v_store", np.random.default_rng(2).random(3000))
    big["noise3"] = ("v_store", np.random.default_rng(3).random(3000))
    with pytest.raises(
        StorageError, match=r"could not be written \(the disk is full\); the results are kept in "
    ) as said:
        tables.write_dataset(big, path)
    kept = Path(str(said.value).rpartition(" in ")[2])
    assert kept.is_relative_to(rescue)
    assert kept.name == path.name
    table = tables.read_table(kept)
    assert (len(table.frame), table.attrs["circuit"]) == (3000, "gain_cell")
    assert path.read_text() == "precious"
    assert {p.name for p in full_disk.iterdir()} <= {path.name, f"{path.name}.json"}


def test_a_table_and_its_note_are_replaced_together(measured, tmp_path, monkeypatch, rescue):
    """The note of a CSV is written before the table takes its place: never a new table beside an old note."""
    path = tmp_path / "out.csv"
    path.write_text("precious")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(StorageError, match="the results are lost"):
        tables.write_dataset(measured, path)
    assert path.read_text() == "precious"
    assert list(rescue.iterdir()) == []


def test_the_rescue_looks_for_a_place_that_can_be_written(measured, tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tables.tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(StorageError, match=r"the results are kept in .*/home/gaincell-rescue-.*/out\.csv"):
        tables.write_dataset(measured, tmp_path / "removed" / "out.csv")


@pytest.mark.ngspice
def test_a_sweep_onto_a_full_disk_says_where_its_results_are(gaincell, full_disk, rescue):
    (full_disk / "out.csv").write_text("precious")
    status, _, err = gaincell(
        "sweep", "gain_cell", "dc", "--axis", "v_store=0:0.9:1500", "--axis", "v_in=0.9", "-o", full_disk / "out.csv"
    )
    assert status == 1
    assert err.startswith(
        f"gaincell: {full_disk}/out.csv could not be written (the disk is full); the results are kept in "
    )
    kept = Path(err.strip().rpartition(" in ")[2])
    assert kept.is_relative_to(rescue)
    assert (tables.read_table(kept).frame.status == OK).sum() == 1500
    assert (full_disk / "out.csv").read_text() == "precious"


def test_a_disk_that_is_already_full_is_refused_before_the_first_run(monkeypatch, tmp_path):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tables.tempfile, "TemporaryFile", full)
    with pytest.raises(RequestError, match=r"cannot be written \(the disk is full\); choose another place"):
        tables.check_target(tmp_path / "out.nc")


# No ngspice


@pytest.fixture
def no_ngspice(monkeypatch):
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", "/nowhere/libngspice.so")


@pytest.mark.usefixtures("no_ngspice")
@pytest.mark.parametrize(
    "words", ["sweep gain_cell dc -o out.csv", "run --out results", "sweep gain_cell dc --workers 1 -o out.nc"]
)
def test_without_ngspice_one_line_says_how_to_install_it(gaincell, words):
    status, _, err = gaincell(*words.split())
    assert status == 1
    assert err.count("\n") == 1
    assert err.startswith("gaincell: NGSPICE_LIBRARY_PATH = /nowhere/libngspice.so does not exist; unset it or install")
    assert "apt install ngspice libngspice0 (Debian, Ubuntu), conda install -c conda-forge ngspice-lib" in err


@pytest.mark.usefixtures("no_ngspice")
@pytest.mark.parametrize(
    "words",
    ["list", "show gain_cell", "netlist gain_cell pulse", "--version", "sweep --help", "fit table.csv -o fit.json"],
)
def test_what_needs_no_ngspice_works_without(gaincell, measured, tmp_path, words):
    x = measured.v_store - 0.45
    tables.write_dataset(measured.assign(i_bl=measured.i_bl * 0 + 1e-6 * (1 + x + x**2 - x**3)), tmp_path / "table.csv")
    status, out, _ = gaincell(*words.split())
    assert status == 0
    assert out


def test_an_ngspice_that_is_nowhere_is_missed_with_the_way_to_install_it(monkeypatch, tmp_path):
    monkeypatch.delenv("NGSPICE_LIBRARY_PATH", raising=False)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    monkeypatch.setattr(ngspice, "Path", lambda _: tmp_path)
    monkeypatch.setattr(ngspice.ctypes.util, "find_library", lambda _: None)
    with pytest.raises(NgspiceMissingError, match="is not installed; install it with: apt install ngspice"):
        ngspice.find_library()


def test_a_folder_is_no_library(monkeypatch, tmp_path):
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", str(tmp_path))
    with pytest.raises(NgspiceMissingError, match=r"is a folder; it must be the path of the library itself, such as /"):
        ngspice.find_library()


@pytest.mark.ngspice
def test_an_empty_path_of_the_library_is_none(monkeypatch):
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", "")
    with Pool(1) as pool:
        assert not outcomes(pool, [GOOD])[0].reason


@pytest.mark.parametrize("library", ["text", "another library"])
def test_a_library_that_is_not_ngspice_is_an_error_in_one_line(monkeypatch, tmp_path, library):
    other = tmp_path / "libngspice.so"
    other.write_text("no library")
    if library == "another library":
        other = next(Path(np.__file__).parent.glob("_core/*.so"))
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", str(other))
    with pytest.raises(NgspiceMissingError, match="library cannot be loaded") as said, Pool(1) as pool:
        outcomes(pool, [GOOD])
    assert "\n" not in str(said.value)


# What lies about on a user's machine


# ngspice looks for the home in the system's list of users, not in HOME: lay ours over it, in a namespace of its own.
_AT_HOME = """
mount -t tmpfs tmpfs /mnt && mkdir /mnt/upper /mnt/work && cp "$0" /mnt/upper/.spiceinit &&
mount -t overlay overlay -o lowerdir="$HOME",upperdir=/mnt/upper,workdir=/mnt/work "$HOME" && exec "$@"
"""


@pytest.mark.ngspice
def test_a_users_own_initialisation_changes_nothing(tmp_path):
    hostile = tmp_path / ".spiceinit"
    hostile.write_text(f"* hostile\nset temp=125\nset tnom=80\noption reltol=0.3\nshell touch {tmp_path}/pwned\n")
    for name in ("scripts/spinit", "scripts/scripts/spinit", "home/.spiceinit"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(hostile, tmp_path / name)
    scripts = str(tmp_path / "scripts")
    variables = {
        "SPICE_SCRIPTS": scripts,
        "SPICE_LIB_DIR": scripts,
        "NGSPICE_INPUT_DIR": scripts,
        "SPICE_ASCIIRAWFILE": "1",
    }
    home = ["unshare", "-m", "sh", "-c", _AT_HOME, str(hostile)]
    may = shutil.which("unshare") and subprocess.run([*home, "true"], capture_output=True).returncode == 0
    if not may:
        home, variables["HOME"] = [], str(tmp_path / "home")
    words = [*GAINCELL, "sweep", "gain_cell", "dc", "--axis", "v_store=0.2,0.8", "--axis", "v_in=0.9", "--workers", "1"]
    results = {}
    for name, start, extra in (("plain", [], {}), ("hostile", home, variables)):
        cwd = tmp_path if extra else tmp_path / "home" / "elsewhere"
        cwd.mkdir(exist_ok=True)
        done = subprocess.run(
            [*start, *words, "-o", "out.csv"], cwd=cwd, env={**os.environ, **extra}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        results[name] = (cwd / "out.csv").read_text()
    assert results["hostile"] == results["plain"]
    assert not (tmp_path / "pwned").exists()


# A signal outside the simulation


IMPORTING = """
import os, signal, sys
from gaincell_char.cli.interrupts import Interrupts
from gaincell_char.storage.scratch import Scratch
with Interrupts():
    kept = Scratch()
    print(kept.path, flush=True)
    import interrupted_while_it_is_imported
print("not reached")
"""
SWALLOWED = """
import os, signal, sys, time, weakref
from gaincell_char.cli.interrupts import Interrupted, Interrupts
class Thing: pass
try:
    with Interrupts():
        thing = Thing()
        reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGTERM))
        del thing
        time.sleep(30)
except Interrupted as error:
    sys.exit(error.status)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_an_import_ends_the_process_without_an_exception(tmp_path, number):
    """An exception would pass through the C++ code of a library that is imported, which aborts."""
    (tmp_path / "interrupted_while_it_is_imported.py").write_text(
        f"import os\ntry:\n    os.kill(os.getpid(), {int(number)})\nexcept BaseException:\n    os.abort()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", IMPORTING], env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 128 + number
    assert done.stderr.strip() == ("gaincell: interrupted" if number == signal.SIGINT else "gaincell: terminated")
    assert not Path(done.stdout.strip()).exists()


def test_a_signal_that_the_interpreter_swallows_comes_again_and_is_not_talked_about():
    done = subprocess.run([sys.executable, "-c", SWALLOWED], capture_output=True, text=True, check=False, timeout=25)
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, "")
