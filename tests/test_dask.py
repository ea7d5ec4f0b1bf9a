"""A campaign on a Dask cluster of separate processes, one of them killed in the middle."""

import os
import signal
import threading
import time

import pytest

from gaincell_char.montecarlo import execute, results
from gaincell_char.montecarlo.campaign import plan_campaign
from gaincell_char.montecarlo.finished import read_finished
from gaincell_char.sweeping.step_control import Steps

distributed = pytest.importorskip("distributed")
N = 192


def planned():
    return plan_campaign(
        "gain_cell",
        "pulse",
        vary="mismatch",
        seed=2,
        sweep={"v_store": [0.7]},
        set_={"t_pulse": 2e-9},
        steps=Steps(copies=2),
    )


def table(folder):
    rows = results.complete(planned(), read_finished(planned(), folder, N), N)
    return results.flat_results(planned(), rows, N)


def local_cluster(**how):
    return distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, **how)


@pytest.fixture(scope="module")
def cluster():
    with local_cluster(processes=True) as local:
        yield local


@pytest.fixture(scope="module")
def threads():
    """A scheduler at an address of its own, its workers in this process."""
    with local_cluster(processes=False, protocol="tcp") as local:
        yield local


@pytest.mark.long
@pytest.mark.ngspice
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_loses_a_worker_gives_the_same_bits(cluster, pool, tmp_path, monkeypatch):
    execute.run_campaign(planned(), N, tmp_path / "here", pool=pool)
    monkeypatch.setattr(execute, "_FLUSH_S", 0.0)
    with distributed.Client(cluster) as client:
        pids = [worker["pid"] for worker in client.run(lambda: {"pid": os.getpid()}).values()]

        def kill_one():
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not any((tmp_path / "there" / "shards").glob("*")):
                time.sleep(0.01)
            os.kill(pids[0], signal.SIGKILL)

        killer = threading.Thread(target=kill_one)
        killer.start()
        done = execute.run_campaign(planned(), N, tmp_path / "there", pool=client.get_executor())
        killer.join()
        assert pids[0] not in [w["pid"] for w in client.run(lambda: {"pid": os.getpid()}).values()]
    assert (done.simulated, done.failed) == (N, 0)
    assert table(tmp_path / "there").equals(table(tmp_path / "here"))


@pytest.mark.ngspice
@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_the_command_takes_the_address_of_a_scheduler(threads, gaincell):
    words = ["mc", "gain_cell", "dc", "-n", "32", "--axis", "v_store=0.9", "--vary", "mismatch", "-o", "c", "--dask"]
    status, out, err = gaincell(*words, threads.scheduler_address)
    assert (status, err) == (0, "gaincell: left out: random_cell: 1 inputs are too few for 4 coefficients\n")
    assert "32 points simulated" in out


def test_an_address_where_nobody_answers_is_refused(gaincell, monkeypatch):
    monkeypatch.setattr(distributed, "Client", _unreachable)
    status, _, err = gaincell(*["mc", "gain_cell", "dc", "-n", "4", "-o", "c", "--dask", "tcp://127.0.0.1:9"])
    assert status == 2
    assert "--dask tcp://127.0.0.1:9: no scheduler answers at this address" in err


def _unreachable(address, timeout):
    raise OSError(f"Timed out trying to connect to {address} after {timeout} s")
