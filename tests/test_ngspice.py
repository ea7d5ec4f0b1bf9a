"""The simulator as a function: the same deck gives the same bits, whatever ran before, in whatever process."""

import numpy as np
import pytest

from gaincell_char import registry
from gaincell_char.declare.bench import Op, Tran
from gaincell_char.spice.deck import Deck, Template
from gaincell_char.spice.ngspice import Outcome
from gaincell_char.spice.pool import Pool
from gaincell_char.spice.reader import read_netlist

RC = "v1 a 0 {v}\nr1 a b {r}\nc1 b 0 {c} ic=0"
VALUES = {"v": 1.0, "r": 1e3, "c": 1e-9}


def deck(body, save, values, analysis=None, initial=None, options=()):
    text = f"{read_netlist(body).text}\n.save {' '.join(save)}"
    template = Template(title="test", temp=27.0, options=options, body=text, save=tuple(save))
    return Deck(template=template, params=values, analysis=analysis or Op(), initial=initial or {})


def divider(**values):
    return deck("v1 a 0 {v}\nr1 a b {r}\nr2 b 0 1k", ["v(b)"], {"v": 1.0, "r": 1e3, **values})


def run(pool, decks):
    """Outcomes in the order of the decks."""
    found = dict(pool.map(range(len(decks)), decks.__getitem__, count=len(decks)))
    return [found[number] for number in range(len(decks))]


def fresh(decks):
    """Each deck in a process of its own."""
    outcomes = []
    for one in decks:
        with Pool(1) as alone:
            outcomes += run(alone, [one])
    return outcomes


def bits(outcomes):
    assert all(isinstance(outcome, Outcome) and not outcome.reason for outcome in outcomes), outcomes
    return [{name: vector.tobytes() for name, vector in outcome.vectors.items()} for outcome in outcomes]


def bench(circuit, name, **request):
    return [point.deck for point in registry.plan_bench(circuit, name, **request).points()]


@pytest.fixture(scope="module")
def mixed():
    """Decks of both kinds and many templates: sources altered, parameters altered, corners, temperatures, flavours."""
    cell = {"sweep": {"v_store": [0.1, 0.8], "v_in": [0.5, 0.9]}, "corners": ["tt", "ss"], "temps": [27.0, 85.0]}
    return [
        *bench("gain_cell", "dc", **cell),
        *bench("gain_cell", "dc", sweep={"w_n": [100e-9, 133e-9], "v_store": [0.3], "v_in": [0.9]}),
        *bench("gain_cell", "pulse", sweep={"v_store": [0.2, 0.7], "t_pulse": [0.3e-9, 1.7e-9]}),
        *bench("capacitor_decay", "leak", sweep={"v_store": [0.0, 0.3], "write_flavour": ["svt", "uhvt"]}),
        *bench("capacitor_decay", "decay", sweep={"v_init": [0.1, 0.9], "time": [1e-6, 1e-4, 1e-3]}),
    ]


@pytest.fixture(scope="module")
def alone(mixed):
    """A few of them, each in a process of its own: what a deck gives before anything else has run."""
    few = [0, 5, 17, 20, len(mixed) - 1]
    return dict(zip(few, bits(fresh([mixed[number] for number in few])), strict=True))


def test_results_do_not_depend_on_order_or_on_what_ran_before(mixed, alone, pool):
    forward = bits(run(pool, mixed))
    order = np.random.default_rng(3).permutation(len(mixed)).tolist()
    shuffled = bits(run(pool, [mixed[number] for number in order]))
    assert [shuffled[order.index(number)] for number in range(len(mixed))] == forward
    assert bits(run(pool, mixed[::-1])) == forward[::-1]
    for number, expected in alone.items():
        assert forward[number] == expected, mixed[number].template.title


def test_results_do_not_depend_on_the_number_of_processes(mixed, pool):
    with Pool(2) as two:
        assert bits(run(two, mixed)) == bits(run(pool, mixed))


def test_altering_parameters_equals_a_fresh_deck_of_other_parameters(pool):
    """Every number of a deck, one after the other, by altering; against a deck that began with it."""
    plan = registry.plan_bench("gain_cell", "dc", sweep={"v_store": [0.6], "v_in": [0.8]})
    start = next(plan.points()).deck
    names = [name for name in start.params if name != "vdd" and start.params[name] > 0]
    changed = [
        Deck(template=start.template, params={**start.params, name: start.params[name] * 1.07},
             analysis=start.analysis, initial={})
        for name in names
    ]  # fmt: skip
    visited = bits(run(pool, [start, *changed, start]))
    assert visited[0] == visited[-1]
    spelled_out = [
        Deck(template=Template(**{**vars_of(one.template), "title": name}), params=one.params,
             analysis=one.analysis, initial={})
        for name, one in zip(names, changed, strict=True)
    ]  # fmt: skip
    assert bits(run(pool, spelled_out)) == visited[1:-1]
    moved = [name for name, vectors in zip(names, visited[1:-1], strict=True) if vectors != visited[0]]
    assert {"w_n", "l_n", "v_store", "v_in"} <= set(moved)


def vars_of(template):
    return {name: getattr(template, name) for name in ("title", "temp", "options", "body", "save")}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused_and_forgotten(value, pool):
    """ngspice would keep the value before it without a word."""
    good, bad = divider(), divider(r=value)
    outcomes = run(pool, [good, bad, good])
    assert outcomes[1].reason == "a parameter is not a finite number"
    assert not outcomes[1].vectors
    assert bits([outcomes[0]]) == bits([outcomes[2]])


def test_decks_of_different_templates_may_alternate(pool):
    other = deck("i1 0 a {i}\nr1 a 0 {r}", ["v(a)"], {"i": 1e-3, "r": 2e3})
    pairs = [one for v in (1.0, 2.0, 3.0) for one in (divider(v=v), other)]
    outcomes = run(pool, pairs)
    taps = [outcome.vectors["v(b)"][0] for outcome in outcomes[::2]]
    np.testing.assert_allclose(taps, [0.5, 1.0, 1.5], rtol=1e-9)
    np.testing.assert_allclose([outcome.vectors["v(a)"][0] for outcome in outcomes[1::2]], 2.0, rtol=1e-9)


def test_a_failed_deck_leaves_no_trace(pool):
    bad = deck("v1 a 0 1\nr1 a 0 no_such_number", ["v(a)"], {})
    outcomes = run(pool, [divider(v=2.0), bad, divider(v=3.0), bad, divider(v=2.0)])
    assert all(outcomes[number].reason for number in (1, 3))
    assert bits([outcomes[0]]) == bits([outcomes[4]])
    assert outcomes[2].vectors["v(b)"][0] == pytest.approx(1.5, rel=1e-9)


def test_a_number_that_the_deck_cannot_take_leaves_no_trace(pool):
    """The same template fails at one value and not at the next."""
    root = "v1 a 0 1\nr1 a b {1k*sqrt(x)}\nr2 b 0 1k"
    outcomes = run(pool, [deck(root, ["v(b)"], {"x": x}) for x in (4.0, -1.0, 4.0, 9.0)])
    assert outcomes[1].reason
    assert bits([outcomes[0]]) == bits([outcomes[2]])
    assert outcomes[3].vectors["v(b)"][0] == pytest.approx(0.25, rel=1e-9)


def test_many_runs_in_one_process_stay_right(pool):
    """Past the number of commands after which the engine clears ngspice's history."""
    values = np.linspace(0.1, 1.0, 900).tolist()
    outcomes = run(pool, [divider(v=v) for v in values])
    np.testing.assert_allclose([outcome.vectors["v(b)"][0] for outcome in outcomes], np.array(values) / 2, rtol=1e-9)


def test_a_capacitor_charges_as_the_textbook_says(pool):
    tran = Tran(stop=5e-6, max_step=1e-8)
    one = deck(RC, ["v(b)"], VALUES, tran, {"v(b)": 0.25}, options=(("reltol", 1e-6), ("trtol", 1.0)))
    body = f"{one.template.body}\n.ic v(b)=0.25"
    template = Template(**{**vars_of(one.template), "body": body})
    [outcome] = run(pool, [Deck(template=template, params=VALUES, analysis=tran, initial={"v(b)": 0.25})])
    assert not outcome.reason
    t = outcome.vectors["time"]
    np.testing.assert_allclose(outcome.vectors["v(b)"], 1 - 0.75 * np.exp(-t / 1e-6), atol=1e-5)
    assert t[-1] == pytest.approx(5e-6)


def test_an_initial_voltage_that_is_not_honoured_is_a_failure(pool):
    """A source holds the node: ngspice ignores the .ic without a word, and the transient runs."""
    tran = Tran(stop=1e-6, max_step=1e-8)
    one = deck("v1 a 0 1\nr1 a 0 1k\n.ic v(a)=0.2", ["v(a)"], {}, tran, {"v(a)": 0.2})
    [outcome] = run(pool, [one])
    assert outcome.reason == ".ic was ignored by ngspice: v(a) is 1 at t = 0, not 0.2"


def test_a_vector_that_is_not_there_is_a_failure(pool):
    [outcome] = run(pool, [deck("v1 a 0 1\nr1 a 0 1k", ["v(a)", "v(nowhere)"], {})])
    assert "nowhere" in outcome.reason


def test_temperature_and_options_reach_the_simulator(pool):
    diode = "v1 a 0 0.6\nd1 a 0 dd\n.model dd d is=1e-14"

    def current(temp, options=()):
        body = f"{diode}\n.save i(v1)"
        template = Template(title="t", temp=temp, options=options, body=body, save=("i(v1)",))
        [outcome] = run(pool, [Deck(template=template, params={}, analysis=Op(), initial={})])
        return -outcome.vectors["i(v1)"][0]

    assert current(27.0) == pytest.approx(1e-14 * np.exp(0.6 / (8.617333e-5 * 300.15)), rel=1e-3)
    assert current(85.0) > 10 * current(27.0)
    leaky = current(27.0, (("gmin", 1e-3),)) - current(27.0)
    assert leaky == pytest.approx(0.6e-3, rel=1e-3)
