"""Declarations are data: rules of sweeps, defaults as expressions, arrays of coefficients, random changes."""

import ast
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaincell_char import registry
from gaincell_char.declare.bench import Tran
from gaincell_char.declare.model import Change, Coefficient, CoefficientArray, Model, RandomModel, group, terms
from gaincell_char.declare.parameters import Params, number
from gaincell_char.declare.sweep_values import Flavours, evaluate_grid, geomspace, join, linspace, listed, show_grid
from gaincell_char.errors import NetlistError, ParameterError
from gaincell_char.sweeping.identity import digest

ROOT = Path(__file__).parents[1]
P = {"vdd": 0.9, "q": 2e-15}


@pytest.mark.parametrize(
    ("grid", "values", "text"),
    [
        (linspace(0, "vdd", 4), [0, 0.3, 0.6, 0.9], "linspace(0, vdd, 4)"),
        (linspace("0", "vdd", 2, inner=True), [0.3, 0.6], "linspace(0, vdd, 2, ends left out)"),
        (geomspace(1e-6, 1e-4, 3), [1e-6, 1e-5, 1e-4], "geomspace(1e-06, 0.0001, 3)"),
        (listed(0, "vdd/2", 1), [0, 0.45, 1], "0, vdd/2, 1"),
        (
            listed(1, 2, 3, scale="vdd", within="2*vdd", offset="q"),
            [0.9 + 2e-15],
            "q + (vdd * (1, 2, 3)), within 2*vdd",
        ),
        (listed(-3, -1, scale="vdd", within="2*vdd"), [-0.9], "vdd * (-3, -1), within 2*vdd"),
        (join(listed(0.0), linspace(1, 2, 2)), [0, 1, 2], "0; linspace(1, 2, 2)"),
        (join(join(listed(0.0), listed(1.0)), listed(2.0)), [0, 1, 2], "0; 1; 2"),
    ],
)
def test_a_rule_gives_its_values_and_its_text(grid, values, text):
    assert evaluate_grid(grid, P) == pytest.approx(values, rel=1e-12, abs=0)
    assert show_grid(grid) == text


def test_values_are_rounded_as_those_that_a_user_types():
    assert evaluate_grid(linspace(0, "vdd", 10), P)[3] == 0.3


def test_flavours_are_those_that_the_technology_has():
    assert Flavours(only=("hvt", "svt")).of(("lvt", "svt")) == ("svt",)
    assert Flavours(only=("hvt",)).of(("lvt", "svt")) == ("lvt", "svt")
    assert show_grid(Flavours(only=("hvt", "svt"))) == "flavours hvt, svt"


def test_a_rule_that_names_what_there_is_not_is_refused():
    with pytest.raises(NetlistError, match=r"declaration: 'vss' uses vss, which has no value at this place"):
        evaluate_grid(linspace(0, "vss", 4), P)


def test_a_sweep_takes_expressions_of_the_parameters():
    plan = registry.plan_bench("gain_cell", "dc", sweep={"v_store": ["0", "vdd/2", 0.8], "v_in": linspace(0, "vdd", 3)})
    assert plan.sweep["v_store"] == (0.0, 0.45, 0.8)
    assert plan.sweep["v_in"] == (0.0, 0.45, 0.9)
    other = registry.plan_bench("gain_cell", "dc", sweep={"v_store": ["0", "vdd/2"]}, set_={"vdd": 1.0})
    assert other.sweep["v_store"] == (0.0, 0.5)
    with pytest.raises(ParameterError, match=r"v_store: 'nope/2' is not a number"):
        registry.plan_bench("gain_cell", "dc", sweep={"v_store": ["nope/2"]})


@given(supply=st.floats(0.5, 3.0), share=st.floats(0.1, 0.9))
def test_a_default_follows_the_parameters_it_names(supply, share):
    table = Params(
        half=number("supply*share", "V", "part of the supply"), share=number(0.5, "1", "share"),
        supply=number(0.9, "V", "supply"), rest=number("supply-half", "V", "rest"),
    )  # fmt: skip
    values = table.resolve({"supply": supply, "share": share})
    assert values["half"] == pytest.approx(supply * share)
    assert values["rest"] == pytest.approx(supply - supply * share)
    assert table.resolve({"half": 0.1})["rest"] == pytest.approx(0.8)


def test_a_default_out_of_range_is_refused():
    table = Params(a=number(2.0, "V", "a"), b=number("3*a", "V", "three times a", low=0.0, high=5.0))
    with pytest.raises(ParameterError, match=r"b = 6 V \(three times a\) is outside \[0, 5\] V"):
        table.resolve({})


def test_times_of_a_transient_are_expressions():
    assert Tran(stop="2*t", max_step="t/2", start_step=0.0).at({"t": 1e-9}) == Tran(stop=2e-9, max_step=5e-10)


def test_a_bench_refuses_values_that_break_its_rules():
    with pytest.raises(ParameterError, match="bench transfer: t_cycle is too short for reset, charge and conversion"):
        next(registry.plan_bench("relu_c2p", "transfer", set_={"t_cycle": 30e-9}).points())


def plane(x, y, *, a, c):
    return a[0][0] + a[0][1] * x + y * (a[1][0] + a[1][1] * x) + c[0] * c[1]


PLANE = Model(
    name="plane", form="fitted", bench="any", function=plane, output="z", equation="z = ...",
    arguments={
        "a": terms("a", "A", 1e-6, shape=(2, 2)),
        "c": group("_n", k=Coefficient(unit="A", doc="k", start=1.0), f=Coefficient(unit="1", doc="f", start=2.0)),
    },
)  # fmt: skip


def test_coefficients_of_an_array_have_names_and_units_of_their_own():
    assert list(PLANE.coefficients) == ["a00", "a01", "a10", "a11", "k_n", "f_n"]
    assert [c.unit for c in PLANE.coefficients.values()] == ["A", "A/V", "A/V", "A/V^2", "A", "1"]
    assert PLANE.inputs == ("x", "y")
    values = dict(zip(PLANE.coefficients, (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), strict=True))
    assert PLANE(10.0, 100.0, **values) == 1 + 20 + 100 * (3 + 40) + 30


def test_terms_may_be_chosen_one_by_one():
    some = terms("c", "V", 1.0, [(0, 0), (2, 1)])
    assert {name: part.unit for name, part in some.parts.items()} == {"c00": "V", "c21": "V/V^3"}
    assert some.shape == (2,)


def test_an_array_has_as_many_coefficients_as_its_shape_takes():
    one = Coefficient(unit="1", doc="one", start=1.0)
    with pytest.raises(ParameterError, match=r"an array of shape \(2, 2\) takes 4 coefficients"):
        CoefficientArray(parts={"a": one}, shape=(2, 2))


def test_random_changes_are_relative_or_added():
    model = RandomModel(
        name="random", nominal=PLANE,
        random={
            "gain": Change(of="k_n", unit="1", doc="gain", scale=1e-3, relative=True),
            "shift": Change(of="a00", unit="A", doc="shift", scale=1e-9),
        },
    )  # fmt: skip
    values = dict(zip(PLANE.coefficients, (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), strict=True))
    assert model(0.0, 0.0, gain=0.1, shift=0.5, **values) == pytest.approx(1.5 + 5.5 * 6)
    assert model.equation == "plane with k_n (1 + gain), a00 + shift"
    assert np.array_equal(model.estimation_mask(np.arange(3.0), np.arange(3.0), nominal={}), [True] * 3)


@pytest.mark.parametrize("name", registry.circuit_names())
def test_a_circuit_pickles_and_keeps_its_hash(name):
    circuit = registry.load_circuit(name)
    assert digest(pickle.loads(pickle.dumps(circuit))) == digest(circuit)  # noqa: S301  our own


@pytest.mark.parametrize("name", registry.head_names())
def test_a_head_pickles_and_keeps_its_hash(name):
    head = registry.load_head(name)
    assert digest(pickle.loads(pickle.dumps(head))) == digest(head)  # noqa: S301  our own


def test_declarations_contain_no_nameless_function():
    """Measurements and models are named functions at the top level of a module: they can reach another process."""
    for file in (ROOT / "circuits").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(file.read_text())))
        assert not [node.lineno for node in nodes if isinstance(node, ast.Lambda)], file
        functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
        inner = [
            node.name for f in functions for node in ast.walk(f) if isinstance(node, ast.FunctionDef) and node is not f
        ]
        assert not inner, file


GAIN_CELL = ("__init__", "_benches", "_models", "_page", "_macros", "gain_cell")


def _lines(file):
    """Number of lines of code: without blank lines, comments and docstrings."""
    text = file.read_text()
    documented = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            documented |= set(range(node.lineno, node.end_lineno + 1))
    lines = enumerate(text.splitlines(), start=1)
    return sum(bool(line.strip()) and line.strip()[0] != "#" and number not in documented for number, line in lines)


CONVERTER_PARTS = ("_noise", "_in_use", "_pvt", "_needed", "_path", "_shared", "_three", "_compared")
LONGEST_CELL, LONGEST_CONVERTERS, LONGEST_PART, LONGEST_COMPARED, MOST_PARAMETERS = 600, 550, 140, 220, 8


def lines_of_gain_cell():
    """Number of lines of code that declare the circuit gain_cell, without its noise."""
    return sum(_lines(ROOT / "circuits" / "gain_cell" / f"{name}.py") for name in GAIN_CELL)


def lines_of_converters():
    """Number of lines of code that declare both converters, without noise, conditions, path and shared bias."""
    files = (ROOT / "circuits" / "converters").glob("*.py")
    return sum(_lines(file) for file in files if file.stem not in CONVERTER_PARTS)


def lines_of(part):
    """Number of lines of code that declare a part of gain cells, and of converters: ``_noise`` or ``_pvt``."""
    return [_lines(ROOT / "circuits" / family / f"{part}.py") for family in ("gain_cell", "converters")]


def most_parameters():
    """Largest number of parameters of a function in circuits/."""
    nodes = (node for file in (ROOT / "circuits").rglob("*.py") for node in ast.walk(ast.parse(file.read_text())))
    return max(len([*n.args.args, *n.args.kwonlyargs]) for n in nodes if isinstance(n, ast.FunctionDef))


def test_circuits_stay_short():
    assert lines_of_gain_cell() <= LONGEST_CELL
    assert lines_of_converters() <= LONGEST_CONVERTERS
    own = [_lines(ROOT / "circuits" / "converters" / f"{part}.py") for part in CONVERTER_PARTS]
    assert max(*lines_of("_noise"), *lines_of("_pvt"), *own) <= LONGEST_PART
    assert max(lines_of("_compared")) <= LONGEST_COMPARED
    assert most_parameters() <= MOST_PARAMETERS
