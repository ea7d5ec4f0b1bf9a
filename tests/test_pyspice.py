"""Every simulation goes through PySpice's binding: its class loads ngspice and carries each call."""

import json

import pytest

from gaincell_char.declare.bench import Op, Tran
from gaincell_char.errors import NgspiceMissingError
from gaincell_char.registry import plan_bench
from gaincell_char.spice.pool import Pool
from gaincell_char.sweeping.run import characterize, simulate

pytestmark = pytest.mark.ngspice

DIVIDER = "* divider\nv1 a 0 {v}\nr1 a b 1k\nr2 b 0 3k\n"
# Python runs a module of this name as it starts, in the simulator's process, too.
AT_START = "sitecustomize.py"
# The library that PySpice's class has loaded is replaced by an object that writes down each call, then makes it.
RECORD = """
import json, os
from PySpice.Spice.NgSpice.Shared import NgSpiceShared, ffi

class Recorder:
    def __init__(self, library):
        self._library = library

    def __getattr__(self, name):
        def call(*arguments):
            with open(os.environ["CALLS"], "a") as calls:
                calls.write(json.dumps([name, *map(text, arguments)]) + "\\n")
            return getattr(self._library, name)(*arguments)
        return call

def text(argument):
    if isinstance(argument, bytes):
        return argument.decode()
    if not isinstance(argument, ffi.CData) or ffi.typeof(argument).kind != "array":
        return None
    return [ffi.string(line).decode() for line in argument if line != ffi.NULL]

load = NgSpiceShared._load_library

def load_recorded(self, *arguments):
    load(self, *arguments)
    self._ngspice_shared = Recorder(self._ngspice_shared)

NgSpiceShared._load_library = load_recorded
"""
BREAK = """
from PySpice.Spice.NgSpice.Shared import NgSpiceShared

def broken(self, *_):
    raise OSError("this method of PySpice is broken")

NgSpiceShared.{method} = broken
"""


@pytest.fixture
def at_start(tmp_path, monkeypatch):
    """Have every Python that starts from here run a program first."""

    def write(program):
        (tmp_path / AT_START).write_text(program)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return write


@pytest.fixture
def calls(at_start, tmp_path, monkeypatch):
    """Each call of the library that PySpice loaded: its name and what of its arguments is text."""
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    at_start(RECORD)

    def read():
        return [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]

    return read


def test_a_circuit_its_analysis_and_its_vectors_go_through_pyspice(calls):
    with Pool(1) as pool:
        first = simulate(DIVIDER, Op(), ["v(b)"], params={"v": 2.0}, pool=pool)
        second = simulate(DIVIDER, Tran(stop=1e-9, max_step=1e-10), ["v(b)"], params={"v": 4.0}, pool=pool)
    assert (first["v(b)"], second["v(b)"][-1]) == (pytest.approx(1.5), pytest.approx(3.0))
    made = calls()
    assert made[0][0] == "ngSpice_Init"
    (circuit,) = [arguments for name, *arguments in made if name == "ngSpice_Circ"]
    assert "r2 b 0 3k" in circuit[0]
    commands = [arguments[0] for name, *arguments in made if name == "ngSpice_Command"]
    assert commands.count("op") == 1
    assert [command for command in commands if command.startswith("tran")] == ["tran 1e-10 1e-09 0 1e-10"]
    assert [arguments for name, *arguments in made if name == "ngGet_Vec_Info"] == [["v(b)"], ["time"], ["v(b)"]]


def test_every_point_of_a_sweep_is_an_analysis_that_pyspice_carries(calls):
    plan = plan_bench("gain_cell", "dc", sweep={"v_store": [0.0, 0.45, 0.9], "v_in": [0.45, 0.9]})
    with Pool(2) as pool:
        currents = characterize(plan, pool=pool).dataset.i_bl
    assert currents.size == plan.size == 6
    assert float(currents.max()) > 1e-6
    assert [name for name, *arguments in calls() if arguments == ["op"]] == ["ngSpice_Command"] * 6


@pytest.mark.parametrize("method", ["_load_library", "_init_ngspice"])
def test_no_simulation_runs_if_pyspice_is_broken(at_start, method):
    at_start(BREAK.format(method=method))
    with pytest.raises(NgspiceMissingError, match="this method of PySpice is broken"), Pool(1) as pool:
        simulate(DIVIDER, Op(), ["v(b)"], params={"v": 2.0}, pool=pool)
