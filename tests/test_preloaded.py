"""Simulators that are forked: the same bits as from one that is started, and nothing left when they have ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gaincell_char import registry
from gaincell_char.errors import NgspiceMissingError
from gaincell_char.spice import preloaded
from gaincell_char.spice.pool import Pool
from gaincell_char.spice.simulator import Simulator
from gaincell_char.sweeping.run import characterize

pytestmark = [
    pytest.mark.ngspice,
    pytest.mark.skipif(sys.platform != "linux", reason="only there are simulators forked"),
]
GOOD = registry.plan_bench("gain_cell", "pulse", sweep={"v_store": [0.2, 0.7], "t_pulse": [1e-9]})


@pytest.fixture(autouse=True)
def shared(monkeypatch):
    """As in a process that has started no simulator yet."""
    monkeypatch.setattr(preloaded, "_SHARED", preloaded._Shared())
    return preloaded._SHARED


@pytest.fixture
def started(monkeypatch):
    """Words of every process that is started, but of those that look for the library."""
    words, start = [], subprocess.Popen

    def note(command, **how):
        if "gaincell_char.spice.worker" in command:
            words.append(command)
        return start(command, **how)

    monkeypatch.setattr(preloaded.subprocess, "Popen", note)
    return words


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def gone(pid, within_s=5.0):
    end = time.monotonic() + within_s
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.02)
    return not Path(f"/proc/{pid}").exists()


def currents(pool):
    return characterize(GOOD, pool=pool).dataset["q_bl"].to_numpy()


def test_all_are_forked_from_one_which_ends_with_the_last(started):
    first, second = Simulator(), Simulator()
    first.start()
    second.start()
    origin = parent(first._process.pid)
    assert (len(started), parent(second._process.pid)) == (1, origin)
    assert origin != os.getpid()
    first.close()
    assert Path(f"/proc/{origin}").exists()
    second.close()
    assert gone(origin)


def test_a_forked_simulator_gives_the_bits_of_one_that_was_started(monkeypatch, started):
    with Pool(1) as pool:
        forked = currents(pool)
        assert parent(pool._all[0]._process.pid) != os.getpid()
    monkeypatch.setattr(preloaded, "_FORKS", False)
    with Pool(1) as pool:
        alone = currents(pool)
        assert parent(pool._all[0]._process.pid) == os.getpid()
    assert len(started) == 2
    assert np.isfinite(alone).all()
    assert np.array_equal(forked, alone)


def test_each_has_the_variables_of_its_start_and_a_directory_of_its_own(monkeypatch, tmp_path, started):
    first, second, third = simulators = [Simulator(), Simulator(), Simulator()]
    first.start()
    second.start()
    (tmp_path / "libngspice.so").write_text("no library")
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", str(tmp_path / "libngspice.so"))
    with pytest.raises(NgspiceMissingError, match="cannot be loaded"):
        third.start()
    assert len(started) == 1
    children = [first._process.pid, second._process.pid]
    assert len({Path(f"/proc/{pid}/cwd").readlink() for pid in children}) == 2
    assert [os.getsid(pid) for pid in children] == children
    for simulator in simulators:
        simulator.close()


def test_what_only_a_new_process_reads_is_read_by_one(monkeypatch):
    simulators = [Simulator(), Simulator()]
    simulators[0].start()
    monkeypatch.setenv("LD_LIBRARY_PATH", "/somewhere/else")
    simulators[1].start()
    assert parent(simulators[0]._process.pid) != os.getpid()
    assert parent(simulators[1]._process.pid) == os.getpid()
    for simulator in simulators:
        simulator.close()


def test_simulators_whose_origin_is_killed_are_replaced():
    with Pool(1) as pool:
        before = currents(pool)
        child = pool._all[0]._process
        origin = parent(child.pid)
        os.kill(origin, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        assert gone(child.pid)
        assert np.array_equal(currents(pool), before)
        assert pool._all[0]._process.pid != child.pid


def test_how_one_ended_is_known():
    simulator = Simulator()
    simulator.start()
    child = simulator._process
    assert child.poll() is None
    os.kill(child.pid, signal.SIGTERM)
    assert child.wait() == child.poll() == -signal.SIGTERM
    child.kill()
    simulator.close()


COPIED = """
import os
from gaincell_char.spice.simulator import Simulator

def parent(pid):
    return int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])

def origin_is_a_child():
    simulator = Simulator()
    simulator.start()
    found = parent(parent(simulator._process.pid)) == os.getpid()
    simulator.close()
    return found

kept = Simulator()
kept.start()
copy = os.fork()
if not copy:
    os._exit(0 if origin_is_a_child() else 7)
print(os.waitpid(copy, 0)[1], origin_is_a_child(), kept._process.poll())
kept.close()
"""


def test_a_copy_of_this_process_has_simulators_of_its_own(tmp_path):
    done = subprocess.run([sys.executable, "-c", COPIED], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "0 True None\n", done.stderr
