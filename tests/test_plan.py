"""Requests to grids: pure, no simulator."""

import itertools
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from fakes import FakePool, NoPool
from hypothesis import given, settings
from hypothesis import strategies as st

from gaincell_char import registry
from gaincell_char.declare.bench import Curve, Output
from gaincell_char.declare.parameters import Params, choice, number
from gaincell_char.errors import ParameterError
from gaincell_char.spice.ngspice import Outcome
from gaincell_char.sweeping.axes import parse_axis
from gaincell_char.sweeping.plan import make_plan
from gaincell_char.sweeping.run import OK, characterize

CELL = registry.load_circuit("gain_cell")
TECH = registry.load_technology()
NETLIST = registry.load_netlist("gain_cell")
PARAMS = Params(
    v=number(0.0, "V", "bounded", low=-0.5, high=2.0), x=number(0.0, "", "free"),
    flavour=choice("svt", ("svt", "lvt"), "word"),
)  # fmt: skip
CURVE = Curve(name="t", unit="s", doc="time", values=(0.0, 1.0))


def values(text):
    return list(parse_axis(text, PARAMS, CURVE)[1])


LOG = st.sampled_from(["", ":log"])

# Axes


@given(
    st.one_of(
        st.text(max_size=20),
        st.builds("{}={}".format, st.sampled_from(["v", "x", "flavour", "t", "temp", ""]), st.text(max_size=12)),
        st.builds("v={}".format, st.from_regex(r"[0-9.,:+\-eEmkuVlog ]{0,14}", fullmatch=True)),
        st.builds("x={:g}:{:g}:{}{}".format, st.floats(), st.floats(), st.integers(-5, 50), LOG),
        st.just("x=-1e308:1e308:5"),
    )
)  # fmt: skip
def test_whatever_is_typed_is_an_axis_or_a_parameter_error(text):
    try:
        name, grid = parse_axis(text, PARAMS, CURVE)
    except ParameterError:
        return
    assert name in ("v", "x", "flavour", "t")
    if name != "flavour":
        assert all(np.isfinite(grid))
    if name == "v":
        assert all(-0.5 <= value <= 2.0 for value in grid)


@given(st.integers(-500, 1999), st.integers(1, 500), st.integers(2, 500))
def test_a_range_has_its_ends_its_count_its_order_and_no_dust(start, span, count):
    stop = min(start + span, 2000)
    grid = values(f"v={start}m:{stop}m:{count}")
    assert (grid[0], grid[-1], len(grid)) == (start / 1000, stop / 1000, count)
    assert grid == sorted(set(grid))
    np.testing.assert_allclose(grid, np.linspace(start / 1000, stop / 1000, count), rtol=1e-11, atol=1e-15)
    assert all(len(re.sub(r"e.*|\D", "", repr(value)).lstrip("0")) <= 12 for value in grid)


@given(st.floats(1e-15, 1e-3), st.floats(1.01, 1e6), st.integers(2, 100))
def test_a_logarithmic_range_has_even_ratios(start, ratio, count):
    grid = np.array(values(f"t={start:.6g}:{start * ratio:.6g}:{count}:log"))
    assert (grid[0], grid[-1], len(grid)) == (float(f"{start:.6g}"), float(f"{start * ratio:.6g}"), count)
    np.testing.assert_allclose(grid[1:] / grid[:-1], (grid[-1] / grid[0]) ** (1 / (count - 1)), rtol=1e-8)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v=0:0.9:10", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
        ("v=450m, 0.9 ,0", [0.45, 0.9, 0.0]),
        ("v=-0.5:2:2", [-0.5, 2.0]),
        ("v=0.3:0.3:1", [0.3]),
        ("v=0:1:1e1", np.linspace(0, 1, 10).round(12).tolist()),
        ("t=1n:1u:4:log", [1e-9, 1e-8, 1e-7, 1e-6]),
        (" flavour = lvt , svt ", ["lvt", "svt"]),
    ],
)
def test_axes_are_read_as_written(text, expected):
    assert values(text) == expected


# Grids

NAMES = ("v_store", "v_in", "v_bl")


@st.composite
def grids(draw):
    """Axes in any order, with distinct values in any order."""
    names = draw(st.permutations(NAMES))
    volts = st.lists(st.integers(0, 900).map(lambda mv: mv / 1000), min_size=1, max_size=4, unique=True)
    return {name: draw(volts) for name in names}


def _plan(sweep, **request):
    bench = CELL.bench("dc")
    outputs = (
        Output(name="i_bl", unit="A", doc="what the deck says", measure=lambda w, _: w["code"]),
        Output(name="sum", unit="V", doc="what the point says", measure=lambda _, p: sum(p[n] for n in NAMES)),
    )
    circuit = replace(CELL, benches=(replace(bench, outputs=outputs),))
    return make_plan(circuit, "dc", TECH, NETLIST, sweep=sweep, **request)


def _code(numbers, corner, temp):
    return sum(numbers[n] * 1000.0**k for k, n in enumerate(NAMES)) + 1e9 * corner + 1e10 * temp


def _read(deck):
    """The code of what the text of a deck says."""
    numbers = {name: float(value) for name, value in re.findall(r"^\.param (\w+)=(\S+)$", deck.text, re.MULTILINE)}
    temp = float(re.search(r"^\.temp (\S+)$", deck.text, re.MULTILINE)[1])
    return Outcome(vectors={"code": np.array(_code(numbers, numbers["process_vth_n"], temp))})


@settings(max_examples=30, deadline=None)
@given(grids(), st.permutations(["tt", "ff", "ss"]), st.permutations([27.0, 85.0, -40.0]))
def test_every_point_lands_on_its_own_coordinates(sweep, corners, temps):
    plan = _plan(sweep, corners=corners, temps=temps)
    data = characterize(plan, pool=FakePool(_read, order=-1)).dataset
    assert data.i_bl.dims[:2] == ("corner", "temp")
    assert {name: data[name].to_numpy().tolist() for name in NAMES} == sweep
    assert data.corner.to_numpy().tolist() == corners
    assert data.temp.to_numpy().tolist() == temps
    assert (data.status == OK).all()
    for where in itertools.product(corners, temps, *sweep.values()):
        point = dict(zip(("corner", "temp", *sweep), where, strict=True))
        here = data.sel(point)
        shift = TECH.corner(point["corner"])["process_vth_n"]
        assert float(here.i_bl) == pytest.approx(_code(point, shift, point["temp"]), rel=1e-12)
        assert float(here["sum"]) == pytest.approx(sum(point[name] for name in NAMES))


def test_a_parameter_that_is_set_is_in_the_dataset_and_no_longer_swept():
    plan = registry.plan_bench("gain_cell", "dc", set_={"v_in": 0.6, "c_store": 2e-15})
    assert list(plan.sweep) == ["v_store", "v_bl"]
    assert (plan.fixed["v_in"], plan.fixed["c_store"]) == (0.6, 2e-15)
    attrs = characterize(plan, pool=NoPool()).dataset.attrs
    assert json.loads(attrs["parameters"])["c_store"] == 2e-15


def test_what_is_not_run_says_so_and_has_no_value():
    data = characterize(registry.plan_bench("gain_cell", "dc", set_={"v_in": 0.6}), pool=NoPool()).dataset
    assert set(data.status.to_numpy().ravel()) == {"not run"}
    assert data.i_bl.isnull().all()


def test_the_digest_follows_everything_that_decides_the_result():
    base = registry.plan_bench("gain_cell", "dc")
    changed = [
        registry.plan_bench("gain_cell", "dc", **request)
        for request in (
            {"corners": ["ff"]}, {"temps": [28]}, {"set_": {"w_n": 101e-9}}, {"options": {"reltol": 1e-5}},
            {"sweep": {"v_in": [0.9]}}, {"netlist": NETLIST.text + "\nr99 x 0 1k"},
        )
    ]  # fmt: skip
    assert len({plan.digest for plan in [base, *changed, base.tightened(10)]}) == len(changed) + 2
    assert registry.plan_bench("gain_cell", "dc").digest == base.digest
