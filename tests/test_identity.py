"""Identity of a result: whatever decides it changes its hash, and a folder that differs is refused, not mixed."""

import ast
import dataclasses
import importlib
import importlib.util
import math
import pkgutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from gaincell_char import declare, registry
from gaincell_char.declare.bench import Bench, Output
from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.parameters import Params, number
from gaincell_char.errors import DataError, RequestError
from gaincell_char.montecarlo.campaign import plan_campaign
from gaincell_char.montecarlo.execute import run_campaign
from gaincell_char.montecarlo.finished import read_finished
from gaincell_char.sweeping import identity
from gaincell_char.sweeping.identity import digest

ONE, TWO = lambda p: p["x"] + 1, lambda p: p["x"] + 2
DECIDES_NO_ROW = {
    "gaincell_char.errors": "words of messages",
    "gaincell_char.fitting": "works on finished rows and on records",
    "gaincell_char.storage": "reads and writes files, whose numbers are in the keys",
}


def _declarations():
    """Every dataclass of the package `declare`."""
    for found in pkgutil.iter_modules(declare.__path__):
        module = importlib.import_module(f"gaincell_char.declare.{found.name}")
        for value in vars(module).values():
            if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == module.__name__:
                yield value


def _instances(value, seen):
    """Every declaration that a declaration contains, one for each type."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        seen.setdefault(type(value), value)
        for field in dataclasses.fields(value):
            _instances(getattr(value, field.name), seen)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _instances(item, seen)
    elif hasattr(value, "items"):
        for item in value.values():
            _instances(item, seen)
    return seen


def _other(value):
    """Another value of the same kind."""
    if callable(value):
        return lambda *_: 12345.0
    if isinstance(value, bool):
        return not value
    if isinstance(value, float | int):
        return 1.5 if math.isinf(value) else value + 1
    if isinstance(value, str):
        return f"{value}_"
    if isinstance(value, tuple):
        return value[1:] if value else ("one",)
    if isinstance(value, Params):
        return Params(**dict(list(value.items())[1:])) if value else Params(one=number(1.0, "V", "one"))
    if hasattr(value, "items"):
        return dict(list(value.items())[1:]) if value else {"one": 1.0}
    return "other" if value is None else None


@pytest.fixture(scope="module")
def instances():
    seen = {}
    for name in registry.circuit_names():
        _instances(registry.load_circuit(name), seen)
    for name in registry.head_names():
        _instances(registry.load_head(name), seen)
    return seen


@pytest.mark.parametrize("declared", sorted(set(_declarations()), key=lambda kind: kind.__name__))
def test_every_field_of_every_declaration_changes_the_hash(instances, declared):
    known = instances.get(declared) or declared(**{"Tran": {"stop": 1.0, "max_step": 0.1}}.get(declared.__name__, {}))
    before = digest(known)
    assert digest(dataclasses.replace(known)) == before
    for field in dataclasses.fields(declared):
        changed = dataclasses.replace(known)
        object.__setattr__(changed, field.name, _other(getattr(known, field.name)))
        assert digest(changed) != before, f"{declared.__name__}.{field.name}"


def _plan(change=lambda bench: bench, **request):
    circuit = registry.load_circuit("gain_cell")
    bench = change(circuit.bench("dc"))
    other = dataclasses.replace(circuit, benches=(bench,))
    plan = registry.plan_bench("gain_cell", "dc", **request)
    return dataclasses.replace(plan, circuit=other, bench=bench)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Bench)])
def test_every_field_of_a_bench_changes_the_hash_of_a_plan(field):
    def changed(bench):
        other = dataclasses.replace(bench)
        object.__setattr__(other, field, _other(getattr(bench, field)))
        return other

    assert _plan(changed).digest != _plan().digest


def test_lambdas_of_one_line_differ():
    assert digest(ONE) != digest(TWO)
    assert digest(ONE) == digest(ONE)


def test_what_a_function_closes_over_counts():
    def scaled(factor):
        return lambda x: factor * x

    assert digest(scaled(1.0)) != digest(scaled(2.0))
    assert digest(scaled(1.0)) == digest(scaled(1.0))


HELPED = """
FACTOR = {factor}

def helper(x):
    return {body} * x

def measure(waves, _):
    return FACTOR * helper(1)
"""


def _module(path, **parts):
    path.write_text(HELPED.format(**parts))
    # Within a second and of the same length, byte code of the text before would pass for that of this one.
    Path(importlib.util.cache_from_source(path)).unlink(missing_ok=True)
    identity._functions.cache_clear()
    spec = importlib.util.spec_from_file_location("mine", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_helper_of_a_measure_and_a_constant_count(tmp_path):
    found = {
        digest(_module(tmp_path / "mine.py", **parts).measure)
        for parts in ({"factor": 1, "body": 2}, {"factor": 1, "body": 3}, {"factor": 2, "body": 2})
    }
    assert len(found) == 3
    again = digest(_module(tmp_path / "mine.py", factor=1, body=2).measure)
    assert again in found


def test_a_function_without_a_file_is_known_by_its_code():
    spaces = [{}, {}, {}]
    for space, text in zip(spaces, ("x + 1", "x + 2", "x + 1"), strict=True):
        exec(f"def f(x):\n    return {text}", space)  # noqa: S102  what a notebook does
    one, two, again = (digest(space["f"]) for space in spaces)
    assert one != two
    assert one == again


def test_a_value_that_cannot_be_identified_is_refused():
    with pytest.raises(DataError, match="a value of type lock cannot be identified, since it cannot be pickled"):
        digest({"a": threading.Lock()})


def test_objects_that_a_measure_closes_over_count():
    def raising(error):
        def measure(*_):
            raise error

        return measure

    assert digest(raising(ValueError("one"))) == digest(raising(ValueError("one")))
    assert digest(raising(ValueError("one"))) != digest(raising(ValueError("two")))


@pytest.mark.parametrize(
    "pair",
    [(1, 1.0), (1, True), ("1", 1), ([1, 2], [12]), (["a", "b"], ["ab"]), ({"a": 1}, [("a", 1)]), (0.0, -0.0),
     (np.zeros(2), np.zeros((2, 1))), (np.zeros(2), np.zeros(2, dtype=np.float32)), (None, "None")],
)  # fmt: skip
def test_values_that_differ_have_different_hashes(pair):
    assert digest(pair[0]) != digest(pair[1])


def test_the_hash_is_the_same_in_another_process():
    """Records contain it: nothing of a process, such as the order of a set or an address, may be part of it."""
    script = "from gaincell_char import registry; print(registry.plan_bench('relu_c2p', 'transfer').digest)"
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    assert said.stdout.strip() == registry.plan_bench("relu_c2p", "transfer").digest


def test_what_decides_nothing_changes_nothing():
    """Pictures, studies, merits and models of a circuit do not change what its benches give."""
    plan = _plan()
    for name in ("figures", "studies", "merits", "models", "title"):
        circuit = dataclasses.replace(plan.circuit)
        object.__setattr__(circuit, name, _other(getattr(circuit, name)))
        assert dataclasses.replace(plan, circuit=circuit).digest == plan.digest, name
    assert isinstance(plan.circuit, Circuit)


# --- source files ---------------------------------------------------------------------------------------------------


def _imported(name):
    """Modules of the package that a module imports, directly or not; its face imports nothing by itself."""
    found, waiting = set(), [name]
    while waiting:
        name = waiting.pop()
        if name in found or name == "gaincell_char" or not (spec := _spec(name)) or not spec.has_location:
            continue
        found.add(name)
        package = name if spec.submodule_search_locations else name.rpartition(".")[0]
        for node in ast.walk(ast.parse(Path(spec.origin).read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.level:
                home = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
                waiting += [home, *(f"{home}.{alias.name}" for alias in node.names)]
    return found


def _spec(name):
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None


MORE = (
    "montecarlo.sampling",
    "montecarlo.campaign",
    "montecarlo.chunks",
    "montecarlo.execute",
    "montecarlo.finished",
    "storage.shards",
)


def test_every_module_that_decides_a_row_is_part_of_its_identity():
    found = set()
    for name in ("validation.simulate", "montecarlo.execute", "spice.worker"):
        found |= _imported(f"gaincell_char.{name}")
    known = set(identity.point_modules((*MORE, "validation")))
    left = {name for name in found - known if _spec(name).submodule_search_locations is None}
    assert not {name for name in left if "montecarlo" in name}
    assert {".".join(name.split(".")[:2]) for name in left} == set(DECIDES_NO_ROW)


@pytest.fixture
def edited(monkeypatch, tmp_path):
    """Change the source of one module of the package, as far as identities are concerned."""
    file = identity._file

    def edit(name):
        def changed(module):
            if not module.endswith(f".{name}"):
                return file(module)
            (tmp_path / "changed.py").write_bytes(file(module).read_bytes() + b"#\n")
            return tmp_path / "changed.py"

        monkeypatch.setattr(identity, "_file", changed)

    return edit


@pytest.mark.parametrize("name", ["execute", "campaign", "worker", "pool", "shards", "measure", "units", "_benches"])
def test_a_change_of_source_is_another_campaign(edited, name):
    before = identity.source_digest(["gain_cell"], MORE)
    edited(name)
    assert identity.source_digest(["gain_cell"], MORE) != before


@pytest.mark.parametrize("name", ["simulate", "cases", "array_netlist", "worker", "heads.attention"])
def test_a_change_of_source_is_another_comparison(edited, name):
    before = identity.source_digest(["gain_cell", "heads.attention"], ("validation",))
    edited(name)
    assert identity.source_digest(["gain_cell", "heads.attention"], ("validation",)) != before


# --- resuming -------------------------------------------------------------------------------------------------------


def _campaign():
    return plan_campaign("gain_cell", "dc", vary="mismatch", sweep={"v_store": [0.5], "v_in": [0.45]})


@pytest.fixture
def resumed(pool, tmp_path):
    """Simulate a campaign, and again after something has changed."""
    run_campaign(_campaign(), 4, tmp_path / "c", pool=pool)

    def again(campaign):
        return run_campaign(campaign, 4, tmp_path / "c", pool=pool)

    return again


@pytest.mark.ngspice
def test_an_unchanged_campaign_is_resumed(resumed):
    assert resumed(_campaign()).kept == 4


@pytest.mark.ngspice
def test_a_changed_measure_refuses_the_folder(resumed):
    campaign = _campaign()
    bench = campaign.plan.bench
    [output] = bench.outputs
    other = Output(**{**vars(output), "measure": lambda w, _: -2 * w["i(vbl)"][0]})
    plan = dataclasses.replace(campaign.plan, bench=dataclasses.replace(bench, outputs=(other,)))
    with pytest.raises(RequestError, match="contains a different campaign"):
        resumed(dataclasses.replace(campaign, plan=plan))


@pytest.mark.ngspice
def test_a_changed_helper_refuses_the_folder(resumed, edited):
    edited("_benches")
    with pytest.raises(
        RequestError, match=r"the source code of this package or of the circuit's declaration has changed"
    ):
        resumed(_campaign())


@pytest.mark.ngspice
def test_another_simulator_refuses_the_folder(resumed, pool, monkeypatch):
    monkeypatch.setattr(type(pool), "start", lambda *_: "ngspice 99")
    with pytest.raises(RequestError, match=r"it was simulated by ngspice \d+, not by ngspice 99"):
        resumed(_campaign())


@pytest.mark.ngspice
def test_rows_of_another_simulator_are_not_used(pool, tmp_path):
    """Also where somebody put them into a folder of their own: their keys say what simulated them."""
    campaign, said = _campaign(), []
    run_campaign(campaign, 4, tmp_path / "c", pool=pool)
    manifest = tmp_path / "c" / "campaign.json"
    manifest.write_text(manifest.read_text().replace('"simulator": "ngspice ', '"simulator": "ngspice 1'))
    assert read_finished(campaign, tmp_path / "c", 4, said.append).empty
    assert "4 points in" in said[0]
    assert "belong to a different campaign; they are not used" in said[0]
