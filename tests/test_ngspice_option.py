"""The option ``--ngspice``: the library that a command loads, in its results; versions are not mixed."""

import json
import os
import re
from pathlib import Path

import pytest

from gaincell_char.cli import cli
from gaincell_char.declare.bench import Op
from gaincell_char.fitting.record import read_record
from gaincell_char.storage import tables
from gaincell_char.sweeping.run import Pool, simulate

SWEEP = ("sweep", "gain_cell", "dc", "--axis", "v_store=0:0.9:37", "--set", "v_in=0.9", "--workers", "1")
CAMPAIGN = ("mc", "gain_cell", "dc", "-n", "2", "--axis", "v_store=0.4", "--set", "v_in=0.9", "-o", "cell")
MERGE = ("merge", "cell", "--workers", "1")
SIMULATING = ("sweep", "run", "mc", "merge", "tune", "compare", "tech check")


@pytest.mark.parametrize("name", SIMULATING)
def test_every_command_that_simulates_has_the_option(name):
    command = cli
    for word in name.split():
        command = command.commands[word]
    assert "--ngspice" in [text for option in command.params for text in option.opts]


def test_a_command_that_simulates_is_in_the_list():
    """A command with a time limit for simulations has the option, too."""
    have = [name for name, one in cli.commands.items() if any("--timeout" in option.opts for option in one.params)]
    assert set(have) == {*SIMULATING} - {"tech check"}


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (
            "none.so",
            r"--ngspice none.so cannot be read \(No such file or directory\); give the library",
        ),
        (".", r"--ngspice \. is a folder; give the library of ngspice itself, such as /usr/lib/libngspice.so.0"),
        ("text", "--ngspice text is not a shared library; give the library"),
    ],
)
def test_a_path_that_is_no_library_is_refused(refused, tmp_path, path, says):
    (tmp_path / "text").write_text("no library")
    assert re.search(says, refused(*SWEEP, "-o", "out.nc", "--ngspice", path))


def test_a_cluster_has_its_own_libraries(refused, newer_ngspice):
    said = refused(*CAMPAIGN, "--dask", "tcp://localhost:1", "--ngspice", newer_ngspice)
    assert "--ngspice has no effect here: the workers of the cluster load their own libraries" in said


@pytest.mark.ngspice
def test_a_table_and_its_record_name_the_library(gaincell, other_ngspice, tmp_path):
    relative = os.path.relpath(other_ngspice, tmp_path)
    assert gaincell(*SWEEP, "-o", "i.nc", "--ngspice", relative)[0] == 0
    attrs = tables.read_table(tmp_path / "i.nc").attrs
    assert Path(attrs["library"]).samefile(other_ngspice)
    assert attrs["simulator"] == "ngspice 46"
    assert gaincell("fit", "i.nc", "--model", "ekv", "-o", "i.json")[0] == 0
    record = read_record(tmp_path / "i.json")
    assert (record.provenance.library, record.provenance.simulator) == (attrs["library"], "ngspice 46")


@pytest.mark.ngspice
def test_the_option_ends_with_its_command(gaincell, other_ngspice, tmp_path, monkeypatch):
    monkeypatch.delenv("NGSPICE_LIBRARY_PATH", raising=False)
    assert gaincell(*SWEEP, "-o", "newer.nc", "--ngspice", other_ngspice)[0] == 0
    assert gaincell(*SWEEP, "-o", "own.nc")[0] == 0
    own, newer = (tables.read_table(tmp_path / f"{name}.nc").attrs for name in ("own", "newer"))
    assert own["simulator"] != newer["simulator"]
    assert "library" not in own


@pytest.mark.ngspice
def test_a_record_without_the_option_has_no_path(gaincell, tmp_path, monkeypatch):
    monkeypatch.delenv("NGSPICE_LIBRARY_PATH", raising=False)
    assert gaincell(*SWEEP, "-o", "i.nc")[0] == 0
    assert gaincell("fit", "i.nc", "--model", "ekv", "-o", "i.json")[0] == 0
    assert "library" not in json.loads((tmp_path / "i.json").read_text())["provenance"]


@pytest.mark.ngspice
def test_a_campaign_has_one_version(gaincell, other_ngspice, tmp_path):
    """Resumed, merged, replayed: each is refused with one sentence, and nothing of the folder changes."""
    assert gaincell(*CAMPAIGN)[0] == 0
    rows = (tmp_path / "cell" / "results.parquet").read_bytes()
    told = (
        r"cell.*: it was simulated by ngspice \d+, not by ngspice 46, and results of different versions are not mixed"
    )
    for words in (CAMPAIGN, MERGE, (*CAMPAIGN, "--replay", "1.0")):
        status, _, err = gaincell(*words, "--ngspice", other_ngspice)
        assert status == 2, (words, err)
        assert re.search(told, err.splitlines()[-1]), (words, err)
    assert (tmp_path / "cell" / "results.parquet").read_bytes() == rows
    assert gaincell(*MERGE)[0] == 0


@pytest.mark.ngspice
def test_a_pool_states_its_library(newer_ngspice, monkeypatch):
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", str(newer_ngspice))
    with Pool(1) as pool:
        assert simulate("v1 a 0 1\nr1 a 0 1k", Op(), ["v(a)"], pool=pool)["v(a)"] == [1.0]
        assert pool.provenance == {"simulator": "ngspice 46", "library": str(newer_ngspice)}
