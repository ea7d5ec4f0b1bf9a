"""The folder that `gaincell new technology` writes: it passes the check, and circuits run in it; bad names."""

import os
import re

import numpy as np
import pytest

from gaincell_char import registry
from gaincell_char.errors import RequestError
from gaincell_char.montecarlo.campaign import plan_campaign
from gaincell_char.spice.pool import Pool
from gaincell_char.workflows import study_plans, technology_checks
from gaincell_char.workflows.circuit_checks import campaigns
from gaincell_char.workflows.new_technology import new_technology
from gaincell_char.workflows.technology_bench import DeviceBench

ALL = os.environ.get("GAINCELL_TESTS") == "all"
*OTHERS, PLANNED, SAMPLED = technology_checks.CHECKS
AT_SUPPLY = {"vgs": (0.0, 1.0), "vds": (1.0,)}


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    parent = tmp_path_factory.mktemp("new")
    new_technology("mine", parent)
    return parent / "mine"


def test_the_command_writes_two_files_and_says_what_is_next(gaincell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, _ = gaincell("new", "technology", "my-tech")
    assert status == 0
    assert "my-tech/technology.toml is written" in out
    assert "my-tech/devices.cir is written" in out
    assert "gaincell tech check my-tech" in out
    assert sorted(path.name for path in (tmp_path / "my-tech").iterdir()) == ["devices.cir", "technology.toml"]
    assert registry.load_technology(str(tmp_path / "my-tech")).name == "my-tech"


@pytest.mark.ngspice
def test_it_passes_every_check_of_its_devices(mine):
    technology = registry.load_technology(str(mine))
    names = [*OTHERS, PLANNED, SAMPLED] if ALL else OTHERS
    found = list(technology_checks.check_technology(technology, names))
    assert not [check for check in found if not check.passed]


@pytest.mark.slow
def test_every_study_and_campaign_can_be_planned_in_it(mine):
    technology = registry.load_technology(str(mine))
    for name in registry.circuit_names():
        circuit = registry.load_circuit(name)
        assert not study_plans.plan_circuit(circuit, technology, optional=True).problems
        for bench in campaigns(circuit):
            campaign = plan_campaign(name, bench, technology=technology)
            assert {one.name for one in campaign.variables} >= set(technology.process)


@pytest.mark.ngspice
def test_its_devices_behave_as_those_of_a_65_nm_process(mine):
    """Wide bounds: a threshold that a wrong short-channel parameter moves is far outside of them."""
    with Pool(1) as pool:
        bench = DeviceBench(registry.load_technology(str(mine)), pool)
        current = bench.simulate_currents(**AT_SUPPLY, variants={"plain": "l=60n", "raised": "l=60n dvth=0.05"})
    plain = current.sel(variant="plain", vds=1.0)
    on, off = plain.sel(vgs=1.0), plain.sel(vgs=0.0)
    assert 3e-4 < on.sel(device="n_svt") < 9e-4  # 1 um wide
    assert 1e-4 < on.sel(device="p_svt") < 5e-4
    assert np.all((off > 1e-13) & (off < 1e-8))
    decades = np.log10(off / current.sel(variant="raised", vds=1.0, vgs=0.0))
    slopes = 0.05 / decades
    assert np.all((slopes > 0.06) & (slopes < 0.11)), slopes  # V/decade


@pytest.mark.ngspice
def test_a_circuit_can_be_swept_and_sampled_in_it(gaincell, mine, tmp_path, monkeypatch):
    monkeypatch.chdir(mine.parent)
    status, out, err = gaincell(
        "sweep", "gain_cell", "dc", "--tech", "./mine", "--axis", "v_store=0:1.2:3", "--axis", "v_in=1.2", "--corner",
        "tt,ss,ff", "--workers", 1, "-o", tmp_path / "dc.csv",
    )  # fmt: skip
    assert (status, "9 of 9 points" in out + err) == (0, True), (out, err)
    axes = ("--axis", "v_store=1.2", "--axis", "v_in=1.2")
    status, _, err = gaincell(
        "mc", "gain_cell", "dc", "--tech", "./mine", "-n", 4, *axes, "--workers", 1, "-o", tmp_path / "dies"
    )
    assert status == 0, err


@pytest.mark.ngspice
@pytest.mark.long
def test_the_main_job_runs_in_it(gaincell, mine, tmp_path, monkeypatch):
    monkeypatch.chdir(mine.parent)
    status, _, err = gaincell("run", "--circuit", "gain_cell", "--tech", "./mine", "-o", tmp_path / "results")
    assert status == 0, err
    assert "only at tt, ff, ss, because technology mine has no corner sf, fs; add [corners.sf]" in err


BAD = {
    "gc28": "gc28 is the name of a built-in technology; choose another name",
    "a/b": "'a/b' is not a name for a technology: begin with a letter",
    "../mine": "is not a name for a technology",
    "/tmp": "is not a name for a technology",
    "1st": "is not a name for a technology",
    "with blank": "is not a name for a technology",
    "m\u00fcnze": "is not a name for a technology",
    "x" * 65: "use at most 64 letters, digits, - and _",
    "there": "there exists; choose another name, or remove it",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_name_is_refused_in_one_sentence(gaincell, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    status, _, err = gaincell("new", "technology", name)
    assert status == 2
    assert BAD[name] in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_link_to_nowhere_is_not_followed(tmp_path):
    (tmp_path / "mine").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RequestError, match=r"mine exists; choose another name"):
        new_technology("mine", tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_every_number_without_a_source_is_marked(mine):
    """Values of [process], [mismatch] and corners are chosen, or have a reference."""
    text = (mine / "technology.toml").read_text(encoding="utf-8")
    for table in ("process", "correlations", "mismatch", "corners.tt"):
        comment = re.search(rf"((?:#.*\n)+)\[{re.escape(table)}\]", text)
        assert comment, table
        assert re.search(r"[Cc]hosen", comment[1]), table
    cards = (mine / "devices.cir").read_text(encoding="utf-8")
    assert "The values are chosen" in cards
