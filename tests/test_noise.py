"""Noise analysis: the engine against the noise of resistors, whose theory is exact."""

import dataclasses

import numpy as np
import pytest

from gaincell_char import Noise, Tran, registry, simulate
from gaincell_char.declare.bench import Bench, density
from gaincell_char.errors import NetlistError, ParameterError, SimulationError
from gaincell_char.montecarlo import execute
from gaincell_char.montecarlo.campaign import plan_campaign
from gaincell_char.spice.deck import Conditions, render
from gaincell_char.spice.pool import Pool
from gaincell_char.spice.reader import read_netlist
from gaincell_char.sweeping.step_control import Steps

KT = 1.380649e-23 * 300.15
RC = "v1 a 0 0 ac 1\nr1 a b {r}\nc1 b 0 {c}\nr2 d 0 {2*r}\nv2 e 0 1\n"
VALUES = {"r": 1e3, "c": 1e-12}
BOTH = Noise(nodes={"v(b)": "v1", "v(d)": "v1"}, start=1.0, stop=1e13, points=20)


@pytest.mark.ngspice
def test_a_resistor_and_a_capacitor_have_the_noise_of_theory():
    found = simulate(RC, BOTH, [], params=VALUES)
    f = found["frequency"]
    assert (f[0], f[-1], f.size) == (1.0, pytest.approx(1e13), 13 * 20 + 1)
    corner = 1 / (2 * np.pi * 1e3 * 1e-12)
    white = 4 * KT * 1e3
    np.testing.assert_allclose(found[density("v(b)")] ** 2, white / (1 + (f / corner) ** 2), rtol=1e-6)
    np.testing.assert_allclose(found[density("v(b)", at_source=True)] ** 2, white, rtol=1e-6)
    np.testing.assert_allclose(found[density("v(d)")] ** 2, 2 * white, rtol=1e-6)


@pytest.mark.ngspice
def test_decks_of_noise_and_others_do_not_influence_each_other():
    with Pool(1) as pool:
        first = simulate(RC, BOTH, [], params=VALUES, pool=pool)
        simulate(RC, Tran(stop=1e-9, max_step=1e-11), ["v(b)"], params=VALUES, pool=pool)
        second = simulate(RC, BOTH, [], params=VALUES, pool=pool)
        hotter = simulate(RC, BOTH, [], params=VALUES, temp=127.0, pool=pool)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    ratio = hotter[density("v(d)")] / first[density("v(d)")]
    np.testing.assert_allclose(ratio, np.sqrt(400.15 / 300.15), rtol=1e-6)


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("analysis", "said"),
    [
        (dataclasses.replace(BOTH, nodes={"v(nowhere)": "v1"}), r"v\(nowhere\) is without noise"),
        (dataclasses.replace(BOTH, nodes={"v(b)": "v9"}), "source v9 not in circuit"),
        (dataclasses.replace(BOTH, nodes={"v(b)": "v1", "v(nowhere)": "v1"}), r"v\(nowhere\) is without noise"),
        (dataclasses.replace(BOTH, nodes={"v(b)": "v2"}), "source v2 has no AC value"),
    ],
)
def test_a_node_or_a_source_that_does_not_exist_is_a_failure(analysis, said):
    with pytest.raises(SimulationError, match=said):
        simulate(RC, analysis, [], params=VALUES)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"nodes": {}}, "a noise analysis needs a node"),
        ({"nodes": {"i(v1)": "v1"}}, r"'i\(v1\)' is not a node of a noise analysis; write v\(node\)"),
        ({"nodes": {"v(b) ; shell": "v1"}}, "is not a vector"),
        ({"nodes": {"v(b)": "v1 > file"}}, "v1 > file"),
        ({"nodes": ("v(b)",)}, "a mapping"),
        ({"start": 0.0}, "start = 0"),
        ({"stop": 1.0}, "stop = 1 Hz is not above start"),
        ({"stop": "1k"}, "stop"),
        ({"points": 0.4}, "points = 0.4"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(change, said):
    with pytest.raises(ParameterError, match=said):
        simulate(RC, dataclasses.replace(BOTH, **change), [], params=VALUES)


def test_a_bench_with_noise_saves_nothing_else():
    bench = registry.load_circuit("gain_cell").bench("dc")
    with pytest.raises(NetlistError, match="a noise analysis has neither saved vectors nor initial voltages"):
        _render(dataclasses.replace(bench, analysis=BOTH))
    with pytest.raises(NetlistError, match="not a vector"):
        _render(dataclasses.replace(bench, save=(), analysis=dataclasses.replace(BOTH, nodes={"b": "v1"})))


def _render(bench: Bench):
    plan = registry.plan_bench("gain_cell", "dc")
    return render(
        title="t", netlist=plan.netlist, library=read_netlist(""), bench=bench, choices={}, declared=(),
        conditions=Conditions(temp=27.0, options={}),
    )  # fmt: skip


def test_frequencies_are_expressions_and_steps_are_scaled():
    analysis = Noise(nodes={"v(b)": "v1"}, start="f_low", stop="2*f_low")
    [command] = analysis.at({"f_low": 3.0}).scaled(0.1).commands()
    assert command == "noise v(b) v1 dec 100 3.0 6.0"


def test_copies_of_a_sample_in_one_deck_are_refused():
    with pytest.raises(ParameterError, match="copies = 2: a deck of the noise bench noise simulates one sample"):
        plan_campaign(
            "gain_cell", "noise", vary="mismatch", sweep={"v_store": [0.5], "t_pulse": [1e-9]}, steps=Steps(copies=2)
        )


@pytest.mark.ngspice
def test_mismatch_changes_the_noise_of_a_cell(pool):
    """A campaign over a noise bench: its samples differ."""
    campaign = plan_campaign("gain_cell", "noise", vary="mismatch", sweep={"v_store": [0.5], "t_pulse": [1e-9]})
    found = execute.simulate_samples(campaign, 4, pool)
    assert len({float(item.values["q_noise"]) for item in found}) == 4
