"""A fifth circuit and a third technology: new files in a copy of the project, every contract over them, no edit."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.ngspice, pytest.mark.xdist_group("additions")]
ROOT = Path(__file__).parents[1]
COMMANDS = """
import sys
import gaincell_char
from gaincell_char.cli import cli
print(gaincell_char.__file__)
for line in sys.argv[1:]:
    cli.main(line.split(), standalone_mode=False)
"""
INSIDE = ("circuits", "netlists", "fits")
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
LONGEST = 60
COMMANDS_OF_THE_PAGE = [
    line.removeprefix("gaincell ") for line in re.search(r"```console\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()
]


def block(name):
    """The file of that name, as docs/extending.md prints it."""
    return re.search(rf"```\w+\n([#*] {name}\b.*?)```", PAGE, re.DOTALL)[1]


NETLIST, CIRCUIT = block("netlists/follower.cir"), block("circuits/follower.py")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The project as it is installed, with one more circuit and one more technology."""
    site = tmp_path_factory.mktemp("site")
    skip = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(ROOT / "gaincell_char", site / "gaincell_char", ignore=skip)
    for folder in INSIDE:
        shutil.copytree(ROOT / folder, site / "gaincell_char" / folder, ignore=skip)
        (site / folder).symlink_to(site / "gaincell_char" / folder)
    shutil.copytree(ROOT / "tests", site / "tests", ignore=skip)
    shutil.copy(ROOT / "pyproject.toml", site)
    (site / "circuits" / "follower.py").write_text(CIRCUIT)
    (site / "netlists" / "follower.cir").write_text(NETLIST)
    mine = site / "netlists" / "tech" / "mine"
    mine.mkdir()
    old = (ROOT / "netlists" / "tech" / "gc28" / "technology.toml").read_text()
    (mine / "technology.toml").write_text(
        old.replace('name = "gc28"', 'name = "mine"').replace('"models.lib", "devices.cir"', '"all.cir"')
        .replace("a_vt = 1.5e-9", "a_vt = 3e-9") + '\n[circuits.follower]\nflavour = "svt"\n'
    )  # fmt: skip
    parts = [(ROOT / "netlists" / "tech" / "gc28" / name).read_text() for name in ("models.lib", "devices.cir")]
    (mine / "all.cir").write_text("\n".join(parts).replace("toxe=1.75e-09", "toxe=1.8e-09"))
    return site


def files(site):
    """What the project consists of, and the digest of each file."""
    return {
        str(file.relative_to(site)): hashlib.sha256(file.read_bytes()).hexdigest()
        for folder in ("gaincell_char", "tests")
        for file in (site / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def run(project, *command):
    # What is on the path comes before an editable install.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment = {**plain, "PYTHONPATH": str(project)}
    return subprocess.run(
        [sys.executable, *command], cwd=project, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_new_files_are_all_it_takes(project):
    before = files(project)
    made = run(
        project, "-c", COMMANDS, *COMMANDS_OF_THE_PAGE, "run --circuit follower --records gaincell_char/fits/gc28",
        "sweep follower dc --tech mine -o out/f.csv",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert str(project) in made.stdout, made.stdout
    page = (project / "out" / "index.html").read_text()
    assert "v_out = gain v_in + v_0" in page
    assert list((project / "out" / "figures").glob("follower.dc.v_out*.png"))
    assert "v_out" in (project / "dies" / "index.html").read_text()
    assert ".subckt follower in out vdd vss" in next((project / "macro").glob("*.cir")).read_text()
    tests = run(
        project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "tests/test_every_circuit.py",
        "tests/test_every_technology.py", "-k", "(follower or mine) and not another_technology_has_every_record",
    )  # fmt: skip
    assert tests.returncode == 0, tests.stdout[-3000:]
    passed = int(tests.stdout.split(" passed")[0].split()[-1])
    assert passed > 40, tests.stdout[-500:]
    record = "gaincell_char/fits/gc28/follower.dc.json"
    after = files(project)
    assert after == {**before, record: after[record]}, "a record more, and no file but that has changed"


def lines_of_circuit():
    """Number of lines of the Python file, without the comment that names it."""
    return CIRCUIT.count("\n") - 1


def test_a_circuit_takes_two_short_files():
    assert lines_of_circuit() <= LONGEST
    assert NETLIST.count("\n") < 10


def test_a_circuit_that_breaks_the_contract_fails_it(project):
    """The same files with a parameter that nobody uses."""
    (project / "circuits" / "follower.py").write_text(
        CIRCUIT.replace(
            "flavour=flavour(", 'spare=number(1.0, "V", "of no use", low=0.0, high=2.0),\n        flavour=flavour('
        )
    )
    tests = run(
        project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "tests/test_every_circuit.py", "-k",
        "follower and is_used",
    )  # fmt: skip
    (project / "circuits" / "follower.py").write_text(CIRCUIT)
    assert tests.returncode == 1, tests.stdout[-2000:]
