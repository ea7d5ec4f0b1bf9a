"""A fifth circuit and a third technology: new files in a copy of the project, every contract over them, no edit."""

import hashlib
import os
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
NETLIST = """* Source follower with a resistor: a level shifter.
.subckt follower in out vdd vss
xn vdd in out vss n_{flavour} w={w} l={l}
rl out vss {r_load}
.ends follower
"""
CIRCUIT = '''"""Source follower: the output follows the input, a threshold lower."""

from gaincell_char.declare.bench import Bench, Op, Output
from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.datasheet import Figure, Study
from gaincell_char.declare.model import Coefficient, Model
from gaincell_char.declare.array_math import Array
from gaincell_char.declare.parameters import Params, flavour, number


def line(v_in: Array, *, gain: float, v_0: float) -> Array:
    """Output [V]."""
    return gain * v_in + v_0


CIRCUIT = Circuit(
    name="follower",
    title="Source follower",
    params=Params(
        vdd=number(0.9, "V", "supply", low=0.3, high=6.0),
        w=number(1e-6, "m", "width", low=40e-9, high=1e-3),
        l=number(100e-9, "m", "length", low=30e-9, high=1e-4),
        r_load=number(1e5, "Ohm", "load", low=1.0, high=1e9),
        flavour=flavour("lvt", "threshold flavour"),
    ),
    benches=(
        Bench(
            name="dc",
            doc="output by input",
            stimulus="""
            vdd vdd 0 {vdd}
            vin in 0 {v_in}
            xf in out vdd 0 follower
            """,
            params=Params(v_in=number(lambda p: p["vdd"], "V", "input", low=-1.0, high=6.0)),
            sweep={"v_in": lambda p: [p["vdd"] * k / 20 for k in range(10, 21)]},
            analysis=lambda _: Op(),
            save=("v(out)",),
            outputs=(Output(name="v_out", unit="V", doc="output", measure=lambda w, _: w["v(out)"][0]),),
            options={"gmin": 1e-15, "reltol": 1e-6},
        ),
    ),
    models=(
        Model(
            name="line", form="fitted", bench="dc", function=line, inputs=("v_in",), output="v_out",
            equation="v_out = gain v_in + v_0", linear=True,
            coefficients={
                "gain": Coefficient(unit="1", doc="slope", start=1.0),
                "v_0": Coefficient(unit="V", doc="output at no input", start=-0.3),
            },
        ),
    ),
    studies=(Study(bench="dc"),),
    figures=(Figure(study="dc", output="v_out", x="v_in", title="Output by input", models=("line",)),),
)  # fmt: skip
'''


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


def test_new_files_are_all_it_takes(project):
    before = files(project)
    made = run(
        project, "-c", COMMANDS, "run --circuit follower --out out --records gaincell_char/fits/gc28",
        "sweep follower dc --tech mine -o out/f.csv",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith(str(project)), made.stdout
    assert (project / "out" / "f.csv").is_file()
    assert (project / "out" / "index.html").is_file()
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
