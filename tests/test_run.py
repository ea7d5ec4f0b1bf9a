"""From a plan to a dataset, against a simulator of three lines: no ngspice, no mocks."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from fakes import FakePool

from gaincell_char.declare.bench import Bench, Curve, Derived, Op, Output
from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.parameters import Params, choice, number
from gaincell_char.errors import ParameterError
from gaincell_char.spice.netlist import Netlist
from gaincell_char.spice.ngspice import Outcome
from gaincell_char.sweeping.plan import make_plan
from gaincell_char.sweeping.run import FAILED, NOT_RUN, OK, Failure, characterize
from gaincell_char.technology.schema import parse_technology

TECHNOLOGY = parse_technology(
    """
    name = "toy"
    title = "no devices"
    files = []
    flavours = []
    temp = { low = -40.0, high = 125.0 }
    process = { process_r = 0.1 }
    mismatch = { a_vt = 0.0, a_beta = 0.0 }
    corners = { tt = {}, ss = { process_r = 0.3 } }
    """,
    lambda _: "",
    "toy",
)
BENCH = Bench(
    name="tap",
    doc="voltage of the tap",
    stimulus="v1 a 0 {v_top}\nr1 a b {r*(1+process_r)}\nr2 b 0 {r_load}\n* {kind}",
    params=Params(
        v_top=number(1.0, "V", "supply", low=0.0),
        r_load=number("2*r", "Ohm", "load", low=1.0),
        kind=choice("plain", ("plain", "odd"), "sort of divider"),
    ),
    sweep={"v_top": [1.0, 2.0, 3.0], "r_load": [1e3, 4e3]},
    analysis=Op(),
    save=("v(b)",),
    outputs=(
        Output(name="v_b", unit="V", doc="tap", measure=lambda w, _: w["v(b)"][0]),
        Output(name="share", unit="1", doc="tap by supply", measure=lambda w, p: w["v(b)"][0] / p["v_top"]),
    ),
    derived=(
        Derived(name="gain", unit="1", doc="slope over v_top", along="v_top",
                compute=lambda d: (d.v_b.isel(v_top=-1) - d.v_b.isel(v_top=0)) / (d.v_top[-1] - d.v_top[0])),
    ),
)  # fmt: skip
DIVIDER = Circuit(
    name="divider", title="divider", params=Params(r=number(1e3, "Ohm", "upper resistor", low=1.0)),
    benches=(BENCH,), models=(), studies=(),
)  # fmt: skip


def kirchhoff(broken=lambda _: "", order=1, kind=FakePool):
    """A pool that answers decks by Kirchhoff; `broken` says which fail."""

    def answer(deck):
        p = deck.params
        if reason := broken(p):
            return Outcome(vectors={}, reason=reason, log="the log")
        upper = p["r"] * (1 + p["process_r"]) * (1 + (deck.template.temp - 27) / 100)
        return Outcome(vectors={"v(b)": np.array([p["v_top"] * p["r_load"] / (upper + p["r_load"])])})

    return kind(answer, order, version="0")


def plan(bench=BENCH, **request):
    return make_plan(replace(DIVIDER, benches=(bench,)), bench.name, TECHNOLOGY, Netlist(), **request)


@pytest.mark.parametrize("order", [1, -1])
def test_every_point_lands_on_its_own_coordinates(order):
    request = plan(corners=("tt", "ss"), temps=(27.0, 77.0))
    d = characterize(request, pool=kirchhoff(order=order)).dataset

    assert d.v_b.dims == ("corner", "temp", "v_top", "r_load")
    for corner, temp, v_top, r_load in itertools.product(("tt", "ss"), (27.0, 77.0), (1.0, 2.0, 3.0), (1e3, 4e3)):
        upper = 1e3 * (1.3 if corner == "ss" else 1.0) * (1 + (temp - 27) / 100)
        point = d.sel(corner=corner, temp=temp, v_top=v_top, r_load=r_load)
        assert point.v_b.item() == pytest.approx(v_top * r_load / (upper + r_load), rel=1e-12)
        assert point.share.item() == pytest.approx(point.v_b.item() / v_top, rel=1e-12)
        assert (point.status.item(), point.reason.item()) == (OK, "")
    np.testing.assert_allclose(d.gain, d.share.isel(v_top=0), rtol=1e-12)


def test_everything_is_labelled():
    d = characterize(plan(), pool=kirchhoff()).dataset
    assert d.v_b.attrs == {"units": "V", "long_name": "tap"}
    assert d.v_top.attrs == {"units": "V", "long_name": "supply"}
    assert d.gain.attrs == {"units": "1", "long_name": "slope over v_top"}
    assert d.temp.attrs["units"] == "degC"
    assert {name: d.attrs[name] for name in ("circuit", "bench", "technology", "simulator")} == {
        "circuit": "divider", "bench": "tap", "technology": "toy", "simulator": "ngspice 0",
    }  # fmt: skip
    assert (d.attrs["n_points"], d.attrs["n_ok"], d.attrs["n_failed"]) == (6, 6, 0)
    assert d.attrs["plan_digest"] == plan().digest


def test_what_follows_from_a_dimension_is_left_out_where_it_was_not_swept():
    assert "gain" not in characterize(plan(sweep={"v_top": [1.0]}), pool=kirchhoff()).dataset
    assert "gain" not in characterize(plan(set_={"v_top": 1.0}), pool=kirchhoff()).dataset


def test_failed_points_are_rows_with_their_reason():
    result = characterize(plan(), pool=kirchhoff(lambda p: "singular matrix" if p["v_top"] == 2.0 else ""))
    d = result.dataset
    assert d.status.sel(v_top=2.0).values.ravel().tolist() == [FAILED, FAILED]
    assert set(d.reason.sel(v_top=2.0).values.ravel()) == {"singular matrix"}
    assert np.isnan(d.v_b.sel(v_top=2.0)).all()
    assert np.isfinite(d.v_b.sel(v_top=[1.0, 3.0])).all()
    assert (d.attrs["n_points"], d.attrs["n_ok"], d.attrs["n_failed"]) == (6, 4, 2)
    assert [failure.where["r_load"] for failure in result.failures] == [1e3, 4e3]
    first = result.failures[0]
    assert isinstance(first, Failure)
    assert (first.where["v_top"], first.where["corner"], first.reason, first.log) == (
        2.0, "tt", "singular matrix", "the log",
    )  # fmt: skip
    assert ".param v_top=2.0" in first.deck
    assert first.deck.endswith(".end\n")


def test_only_so_many_failures_keep_their_decks_but_all_are_counted():
    request = plan(sweep={"v_top": np.linspace(1, 2, 50)})
    result = characterize(request, pool=kirchhoff(lambda _: "no"))
    assert result.dataset.attrs["n_failed"] == 100
    assert 1 <= len(result.failures) < 100
    assert [f.where["v_top"] for f in result.failures] == sorted(f.where["v_top"] for f in result.failures)


def raises(error):
    def measure(*_):
        raise error

    return measure


@pytest.mark.parametrize(
    ("measure", "reason"),
    [
        (lambda *_: float("nan"), "v_b is not finite"),
        (lambda *_: [1.0, np.inf], "v_b is not finite"),
        (raises(ZeroDivisionError("by zero")), "v_b could not be measured: by zero"),
        (raises(IndexError("no edge")), "v_b could not be measured: no edge"),
        (raises(ParameterError("too short")), "v_b could not be measured: too short"),
    ],
)
def test_a_measure_that_gives_no_number_is_a_failed_point(measure, reason):
    outputs = (BENCH.outputs[1], Output(name="v_b", unit="V", doc="tap", measure=measure))
    d = characterize(plan(replace(BENCH, outputs=outputs, derived=())), pool=kirchhoff()).dataset
    assert set(d.status.values.ravel()) == {FAILED}
    assert set(d.reason.values.ravel()) == {reason}
    assert np.isnan(d.share).all(), "a point is good or it is not: no output of a failed one is kept"


def test_points_that_were_not_asked_for_stay_not_run():
    d = characterize(plan(), pool=kirchhoff(), only=[(0, 0, 1, 1)]).dataset
    assert int((d.status == OK).sum()) == 1
    assert int((d.status == NOT_RUN).sum()) == 5
    assert np.isfinite(d.v_b.sel(v_top=2.0, r_load=4e3)).all()
    assert int(np.isnan(d.v_b).sum()) == 5


def test_an_interrupted_run_keeps_what_is_done():
    class Stopped(FakePool):
        def map(self, jobs, decks, *, count):
            return itertools.islice(super().map(jobs, decks, count=count), 2)

    d = characterize(plan(), pool=kirchhoff(kind=Stopped)).dataset
    assert [d.attrs[name] for name in ("n_points", "n_ok", "n_failed")] == [6, 2, 0]
    assert int((d.status == NOT_RUN).sum()) == 4


def test_progress_is_told_of_every_point_failed_or_not():
    told = []
    characterize(plan(), pool=kirchhoff(lambda p: "no" * (p["v_top"] > 2)), progress=lambda: told.append(1))
    assert len(told) == 6


def test_curves_land_on_their_own_coordinates():
    curve = Curve(name="time", unit="s", doc="when", values=[0.0, 1.0, 2.0])
    outputs = (Output(name="v_t", unit="V", doc="curve", measure=lambda w, p: w["v(b)"][0] * (1 + p["time"])),)
    bench = replace(BENCH, curve=curve, outputs=outputs, derived=())
    request = plan(bench, sweep={"time": [0.5, 4.0], "v_top": [1.0, 2.0]}, set_={"r_load": 1e3})
    d = characterize(request, pool=kirchhoff()).dataset
    assert d.v_t.dims == ("corner", "temp", "v_top", "time")
    np.testing.assert_allclose(d.v_t.squeeze(), [[0.75, 2.5], [1.5, 5.0]])
    assert d.time.attrs == {"units": "s", "long_name": "when"}


def test_words_are_swept_like_numbers():
    request = plan(sweep={"kind": ["odd", "plain"], "v_top": [1.0]}, set_={"r_load": 1e3})
    d = characterize(request, pool=kirchhoff()).dataset
    assert d.kind.values.tolist() == ["odd", "plain"]
    assert d.v_b.sizes["kind"] == 2


def test_defaults_follow_what_they_are_tied_to():
    """r_load is twice r unless given: at every point of a sweep of r the tap is at two thirds."""
    request = make_plan(
        replace(DIVIDER, benches=(replace(BENCH, sweep={"v_top": [1.0, 2.0]}),)), "tap", TECHNOLOGY, Netlist(),
        sweep={"r": [1e3, 5e3]},
    )  # fmt: skip
    d = characterize(request, pool=kirchhoff()).dataset
    np.testing.assert_allclose(d.share, 2 / 3)
