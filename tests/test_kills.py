"""Commands that are interrupted, ended or killed at any moment: the same results afterwards, and nothing left behind.

The long form kills sixty times; the short one twice.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytestmark = [
    pytest.mark.ngspice,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]
# In the short form pictures are put together, and not drawn; one point of a campaign is simulated again, not four.
SHORT = """
from matplotlib.backends import backend_agg, backend_svg
backend_agg.FigureCanvasAgg.print_png = lambda _, file, **__: file.write(b"png")
backend_svg.FigureCanvasSVG.print_svg = lambda _, file, **__: file.write("<svg/>")
from gaincell_char.montecarlo import verify
verify._POINTS = 1
"""
MAIN = "from gaincell_char.__main__ import main; main()"
GAINCELL = [sys.executable, "-P", "-c", MAIN]
COMMANDS = {
    "run": "run --circuit capacitor_decay --workers 2 --out out",
    "mc": "mc gain_cell dc -n 400 --axis v_store=0.2 --workers 2 -o out",
    "sweep": "sweep gain_cell pulse --axis v_store=0:0.9:60 --axis t_pulse=1n,2n --workers 2 -o out/sweep.parquet",
    "compare": "compare --tokens 2 --queries 2 --columns 4 --operation scores --workers 2 -o out",
}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
TARGETS = ("parent", "worker", "group")
KILLS = 60
ALL = os.environ.get("GAINCELL_TESTS") == "all"
SETTLED_S = 5.0
# Pages and summaries say when it was and how long it took; what a folder of shards says is in the tables.
TIMED = ("index.html", "run.json", "compare.json", "summary.csv")
TIMED_COLUMN = "spent_s"


@dataclass(frozen=True)
class Kill:
    """Who is sent which signal, and after which part of the time that the command takes."""

    command: str
    signal: signal.Signals
    target: str
    moment: float

    def __str__(self) -> str:
        return f"{self.command}-{self.signal.name}-{self.target}-{self.moment:.2f}"


def _kills():
    moments = np.random.default_rng(20261121).uniform(0.02, 1.0, KILLS)
    cells = itertools.cycle(itertools.product(COMMANDS, SIGNALS, TARGETS))
    return [Kill(*cell, float(moment)) for cell, moment in zip(cells, moments, strict=False)]


QUICK = [Kill("mc", signal.SIGKILL, "worker", 0.4), Kill("sweep", signal.SIGTERM, "group", 0.5)]


def _grouped(kills, *marks):
    """Kills of a command run in one test process, which then makes its reference once."""
    return [
        pytest.param(kill, id=str(kill), marks=[*marks, pytest.mark.xdist_group(f"kills of {kill.command}")])
        for kill in kills
    ]


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """What a command writes when nobody disturbs it, and how long that takes [s]."""

    @cache
    def undisturbed(command):
        place = tmp_path_factory.mktemp("undisturbed")
        began = time.monotonic()
        process = start(command, place)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        return contents(place / "out"), time.monotonic() - began

    return undisturbed


def start(command, place):
    """Start a command in a folder, with a folder of its own for what is temporary."""
    for folder in (place / "tmp", place / "out"):
        folder.mkdir(parents=True, exist_ok=True)
    words = [*GAINCELL[:-1], SHORT + MAIN] if command == "mc" and not ALL else GAINCELL
    return subprocess.Popen(
        [*words, *COMMANDS[command].split()], cwd=place, env={**os.environ, "TMPDIR": str(place / "tmp")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def contents(out):
    """Every file that a command wrote and what is in it, without what depends on the clock."""
    found = {}
    for path in sorted(p for p in out.rglob("*") if p.is_file() and p.parent.name != "shards"):
        name = str(path.relative_to(out))
        found[name] = b"" if path.name in TIMED else path.read_bytes()
        if path.name == "outcomes.csv":
            found[name] = pd.read_csv(path).drop(columns=TIMED_COLUMN).to_csv().encode()
        elif path.suffix == ".svg":  # beside its .png
            found[name] = b""
        elif path.parent.name == "records":
            found[name] = json.dumps({**json.loads(path.read_text()), "provenance": None}).encode()
    return found


def descendants(pid):
    """Every process below another one."""
    found = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in map(int, listed.read_text().split()):
                found += [child, *descendants(child)]
        except OSError:  # it ended
            continue
    return found


def hit(process, kill):
    """Send the signal; returns who was there, whether or not it got one."""
    family = descendants(process.pid)
    while kill.target == "worker" and not workers(family) and process.poll() is None:
        time.sleep(0.005)
        family = descendants(process.pid)
    targets = {"parent": [process.pid], "worker": workers(family)[:1], "group": [process.pid, *family]}[kill.target]
    for pid in targets:
        try:
            os.kill(pid, kill.signal)
        except ProcessLookupError:
            continue
    return family


def workers(pids):
    """Those that contain a simulator, each with the one that it was forked from behind it."""
    named = [pid for pid in pids if "gaincell_char.spice.worker" in _words(pid)]
    return sorted(named, key=lambda pid: _parent(pid) not in named)


def _words(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _parent(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def alive(pids):
    """Those that still run."""
    return [pid for pid in pids if Path(f"/proc/{pid}/stat").exists() and _state(pid) not in "ZX"]


def _state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def left(place):
    """What is in the folder for temporary files."""
    return [str(path.relative_to(place)) for path in (place / "tmp").rglob("*")]


def _killed(kill, reference, place, record_property):
    wanted, duration_s = reference(kill.command)
    process = start(kill.command, place)
    time.sleep(kill.moment * duration_s)
    family = hit(process, kill)
    out, err = process.communicate(timeout=120)
    status = process.returncode if process.returncode >= 0 else 128 - process.returncode
    record_property("finished_before", status == 0 and kill.target != "worker")
    _check_end(kill, status, out + err)
    end = time.monotonic() + SETTLED_S
    while (others := alive(family)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not others, "its simulators go with it"
    if kill.signal is not signal.SIGKILL or kill.target == "worker":
        assert left(place) == []
    if status == 0:
        assert contents(place / "out") == wanted, "exit 0 means that everything is there"
    again = start(kill.command, place)
    _, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert left(place) == []
    assert contents(place / "out") == wanted


def _check_end(kill, status, said):
    assert "Traceback" not in said
    if kill.target == "worker":  # somebody else takes its work over
        assert status == 0, said
    else:
        assert status in (0, 128 + kill.signal), said


@pytest.mark.parametrize("kill", _grouped(QUICK))
@pytest.mark.slow
def test_killed_once_and_run_again(kill, reference, tmp_path, record_property):
    _killed(kill, reference, tmp_path, record_property)


@pytest.mark.long
@pytest.mark.parametrize("kill", _grouped(_kills()))
def test_killed_at_any_moment_and_run_again(kill, reference, tmp_path, record_property):
    _killed(kill, reference, tmp_path, record_property)
