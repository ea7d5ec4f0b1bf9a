"""Every circuit in every technology: two samples of each Monte Carlo bench, and every study of the main job.

``tech check`` simulates a sample of each in the short form of the tests; this is the long one.
"""

import json
from dataclasses import dataclass

import pytest

from gaincell_char import registry
from gaincell_char.montecarlo.sampling import VARY
from gaincell_char.storage import tables
from gaincell_char.sweeping.run import OK
from gaincell_char.workflows.circuit_checks import campaigns

CASES = [
    (circuit, bench) for circuit in registry.circuit_names() for bench in campaigns(registry.load_circuit(circuit))
]


@dataclass(frozen=True)
class Refusal:
    """What a technology cannot do, with the words the user reads, and why it is right to refuse."""

    says: str
    reason: str


# (technology, circuit, bench, what varies) -> why no campaign of it can be run.
NOT_SAMPLED: dict[tuple[str, str, str, str], Refusal] = {}
# (technology, what could not be fitted) -> why.
NOT_FITTED: dict[tuple[str, str], Refusal] = {}


@pytest.mark.long
@pytest.mark.pictures
@pytest.mark.ngspice
@pytest.mark.parametrize("vary", VARY)
@pytest.mark.parametrize(("circuit", "bench"), CASES)
def test_two_samples_of_every_bench(gaincell, tmp_path, technology, circuit, bench, vary):
    _two_samples(gaincell, tmp_path, technology.name, circuit, bench, vary)


def _two_samples(gaincell, tmp_path, technology, circuit, bench, vary):
    said = gaincell(
        "mc", circuit, bench, "--tech", technology, "-n", 2, "--vary", vary, "--workers", 1, "--seed", 7, "-o", "out"
    )
    status, _, err = said
    if refusal := NOT_SAMPLED.get((technology, circuit, bench, vary)):
        assert status == 2
        assert refusal.says in err
        return
    assert status == 0, said
    table = tables.read_table(tmp_path / "out" / "results.parquet").frame
    assert set(table["sample"]) == {0, 1}
    assert (table["status"] == OK).all()
    assert "could not be" not in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


@pytest.mark.long
@pytest.mark.pictures
@pytest.mark.ngspice
def test_every_study_of_the_main_job(gaincell, tmp_path, technology):
    status, out, err = gaincell("run", "--tech", technology.name, "--out", "results")
    assert json.loads((tmp_path / "results" / "run.json").read_text())["failed"] == 0
    expected = {what: refusal for (name, what), refusal in NOT_FITTED.items() if name == technology.name}
    assert status == (1 if expected else 0), (out, err)
    for refusal in expected.values():
        assert refusal.says in out + err
    for name in registry.circuit_names():
        for study in registry.load_circuit(name).all_studies:
            assert (tmp_path / "results" / "data" / f"{name}.{study.key}.nc").exists(), f"{name}.{study.key}"


def test_what_is_refused_is_refused_for_no_technology_of_ours():
    """The list of exceptions contains neither gc28 nor sky130, and a reason for each."""
    for key, refusal in {**NOT_SAMPLED, **NOT_FITTED}.items():
        assert key[0] not in ("gc28", "sky130")
        assert refusal.reason
