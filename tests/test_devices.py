"""Which devices vary and where their numbers go: expressions, the hierarchy, the hooks; and that ngspice agrees."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaincell_char import registry
from gaincell_char.declare.arithmetic import evaluate
from gaincell_char.declare.bench import Noise, Op
from gaincell_char.errors import NetlistError
from gaincell_char.spice.copies import inside, probe, stacked, unstacked
from gaincell_char.spice.hierarchy import find_devices
from gaincell_char.spice.measure import measure
from gaincell_char.spice.netlist import as_netlist
from gaincell_char.spice.simulator import Simulator

PROCESS = ("process_vth_n", "process_c")
LIBRARY = """
.subckt n_x d g s b w=100n l=30n dvth=0 dmu=0
m1 d g s b model w={w} l={l} delvto={(process_vth_n+dvth)} mulu0={(1+dmu)}
.ends n_x
.subckt cap p n c=1f
c1 p n {c*(1+process_c)}
.ends cap
.subckt pair a b w=1u
xleft a b 0 0 n_x w={w/2} l=60n
xright a b 0 0 n_x w={2*w}
.ends pair
"""
PARAMS = {"process_vth_n": 0.0, "process_c": 0.0, "size": 4e-7}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{2*w+140n}", 2e-7 + 140e-9), ("-(a+b)*2", -6.0), ("{1.5k}", 1500.0), ("2^3", 8.0), ("2**3", 8.0),
        ("{sqrt(4)*max(a,b)}", 4.0), ("1e-3", 1e-3), ("5f", 5e-15), ("{1meg}", 1e6), ("{a/b}", 0.5),
    ],
)  # fmt: skip
def test_an_expression_means_what_it_means_in_spice(text, value):
    assert evaluate(text, {"w": 1e-7, "a": 1.0, "b": 2.0}, "here") == pytest.approx(value, rel=1e-15)


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_arrays_are_taken_elementwise(a, b):
    both = evaluate("{(1+a)*b-a/b}", {"a": np.array([a, 0.0]), "b": b}, "here")
    assert both == pytest.approx([(1 + a) * b - a / b, b], rel=1e-12, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{nope*2}", r"here: '\{nope\*2\}' uses nope, which has no value at this place"),
        ("{a>1?2:3}", "is not arithmetic that can be evaluated"),
        ("{open(a)}", "uses open, which has no value at this place"),
        ("{a.real}", "is not arithmetic"),
        ("{1/0}", "is not arithmetic"),
    ],
)
def test_what_is_no_arithmetic_is_refused(text, says):
    with pytest.raises(NetlistError, match=says):
        evaluate(text, {"a": 1.0}, "here")


def test_every_instance_is_found_with_its_size_and_hooks():
    found = find_devices(as_netlist(f"{LIBRARY}xp 1 2 pair w={{size}}\nxc 1 0 cap c=2f\nr1 1 0 1k"), PARAMS, PROCESS)
    assert [(d.path, d.kind) for d in found] == [("xp.xleft", "n_x"), ("xp.xright", "n_x"), ("xc", "cap")]
    assert [(d.values["w"], d.values["l"]) for d in found[:2]] == [(2e-7, 6e-8), (8e-7, 3e-8)]
    assert found[0].mismatched == ("dvth", "dmu")
    assert found[2].mismatched == ()
    assert found[0].altered({"dvth": 0.01, "process_vth_n": 0.1, "dmu": -0.5}) == {
        "@m.xp.xleft.m1[delvto]": pytest.approx(0.11), "@m.xp.xleft.m1[mulu0]": 0.5,
    }  # fmt: skip
    assert found[2].altered({"process_c": 0.5}) == {"c.xc.c1": pytest.approx(3e-15)}


FOUNDRY = """
.param corner={base+0.01}
.param base=0.02
.subckt foundry_x d g s b mult=1 dvth=0 dmu=0
.param l = 1 w = 1 nf = 1 nrd = {0.14/w} swx_vth = {corner+dvth}
mfoundry d g s b model w={w} l={l} nrd={nrd} delvto={swx_vth*(1+1/w)} mulu0={1+dmu}
.ends foundry_x
.subckt n_y d g s b w=1u l=1u dvth=0 dmu=0
xm d g s b foundry_x w={w*1e6} l={l*1e6} dvth={process_vth_n+dvth} dmu={dmu}
.ends n_y
.subckt a p
xq p 0 cap c={1f*(1+process_c)}
.ends
xn 1 2 3 4 n_y w=2u
xa 1 a
"""


def test_deviations_are_followed_into_the_subcircuits_of_a_foundry():
    """Handed on under the same names, through parameters of its own, in other units."""
    transistor, capacitor = find_devices(as_netlist(LIBRARY + FOUNDRY), PARAMS, PROCESS)
    assert (transistor.path, transistor.kind, transistor.mismatched) == ("xn", "n_y", ("dvth", "dmu"))
    assert (transistor.values["w"], transistor.values["l"]) == (2e-6, 1e-6)
    assert transistor.altered({"dvth": 0.1, "dmu": -0.5, "process_vth_n": 0.01}) == {
        "@m.xn.xm.mfoundry[delvto]": pytest.approx((0.03 + 0.1 + 0.01) * 1.5),
        "@m.xn.xm.mfoundry[mulu0]": pytest.approx(0.5),
    }
    assert capacitor.altered({"process_c": 1.0}) == {"c.xa.xq.c1": pytest.approx(4e-15)}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("r1 1 0 {1k*(1+process_c)}", r"uses process_c outside a subcircuit, where Monte Carlo cannot vary it"),
        ("xp 1 2 pair w={size*(1+process_c)}", "uses process_c outside a subcircuit"),
        ("xp 1 2 pair w={nowhere}", "uses nowhere, which has no value at this place"),
        (".subckt a p\n.model m nmos vth0={process_c}\n.ends\nxa 1 a", "uses process_c, where Monte Carlo cannot"),
        (".subckt a p\nv1 p 0 {process_c}\n.ends\nxa 1 a", r"cannot vary \{process_c\} of v1"),
        (
            ".subckt a p\nb1 p 0 i={process_c}\n.ends\nxa 1 a",
            r"subcircuit a: .* vary \{process_c\} of b1, .* on process_c: ",
        ),
        (".subckt a p\nb1 p 0 i = v(p) * (1 + process_c)\n.ends\nxa 1 a", r"vary v\(p\) \* \(1 \+ process_c\) of b1"),
        (".subckt a p\ne1 q 0 p 0 gain={1+process_c}\n.ends\nxa 1 a", "use the voltage of the resistor in e1"),
        ("xq 1 q\n.subckt q p dvth=0\nb1 p 0 v=v(p)+{2*dvth}\n.ends", r"cannot vary \{2\*dvth\} of b1, .* on dvth"),
        (".subckt a p\n.if (1)\nc1 p 0 1f\n.endif\n.ends\nxa 1 a", r"cannot evaluate a subcircuit with \.if"),
        (".subckt a p\nxa p a\n.ends\nxa 1 a", "nested more than 30 deep"),
    ],
)
def test_what_cannot_be_varied_is_refused(line, says):
    with pytest.raises(NetlistError, match=says):
        find_devices(as_netlist(f"{LIBRARY}{line}"), PARAMS, PROCESS)


def _first(circuit, bench):
    plan = registry.plan_bench(circuit.name, bench.name)
    return plan, next(plan.points())


def test_every_transistor_of_every_bench_is_found(circuit, pool):
    """Ngspice lists the same devices, with the sizes that Python evaluated."""
    for bench in circuit.benches:
        plan, point = _first(circuit, bench)
        found = find_devices(point.deck.template.netlist, point.deck.params, tuple(plan.technology.process))
        transistors = {f"m.{d.path}.m1": d for d in found if "dvth" in d.mismatched}
        save = tuple(f"@{name}[{size}]" for name in transistors for size in ("w", "l"))
        body = re.sub(r"^\.save .*$", f".save {' '.join(save)}", point.deck.template.body, flags=re.M)
        deck = replace(
            point.deck, template=replace(point.deck.template, body=body, save=save), initial={}, analysis=Op()
        )
        [(_, outcome)] = pool.map([deck], lambda d: d, count=1)
        assert not outcome.reason
        for name, device in transistors.items():
            for size in ("w", "l"):
                assert outcome.vectors[f"@{name}[{size}]"][0] == pytest.approx(device.values[size], rel=1e-9)
        # As many as there are lines of transistors: none is forgotten.
        assert len(transistors) == _transistors(point.deck.template.body)


def _transistors(body):
    """Number of transistors, counted by expanding the subcircuits alone."""
    netlist = as_netlist(body)

    def count(cards):
        inner = (netlist.subcircuits[card.positional[-1]].items for card in cards if card.kind == "x")
        return sum(card.kind == "m" for card in cards) + sum(map(count, inner))

    return count(netlist.top)


def test_an_altered_device_is_the_device_written_so(pool):
    """``alter`` through the hook gives what ``dvth=`` and ``dmu=`` in the netlist give."""
    plan = registry.plan_bench("gain_cell", "pulse", set_={"v_store": 0.7, "t_pulse": 4e-9})
    point = next(plan.points())
    devices = find_devices(point.deck.template.netlist, point.deck.params, tuple(plan.technology.process))
    changed = {"xcell.xn": {"dvth": 0.013, "dmu": -0.04}, "xcell.xp": {"dvth": -0.02, "dmu": 0.03}}
    alters = {k: v for d in devices if d.path in changed for k, v in d.altered(changed[d.path]).items()}
    body = point.deck.template.body
    for path, values in changed.items():
        element = path.split(".")[1]
        card = next(card for card in as_netlist(body).cards() if card.words[0] == element)
        body = body.replace(str(card), f"{card} dvth={values['dvth']} dmu={values['dmu']}")
    written = replace(point.deck, template=replace(point.deck.template, body=body))
    decks = {"altered": replace(point.deck, alters=alters), "written": written, "plain": point.deck}
    outcomes = dict(pool.map(decks, decks.__getitem__, count=len(decks)))
    charges = {k: measure(plan.bench.outputs, o.vectors, point.values)[0]["q_bl"] for k, o in outcomes.items()}
    assert charges["altered"] == pytest.approx(charges["written"], rel=1e-9)
    assert abs(charges["altered"] / charges["plain"] - 1) > 0.01, "the change has to be one that shows"


def test_altered_numbers_leave_nothing_behind():
    """The same deck before and after others that alter it gives the same bits."""
    plan = registry.plan_bench("gain_cell", "dc", set_={"v_store": 0.7, "v_in": 0.9, "v_bl": 0.45})
    deck = next(plan.points()).deck
    devices = find_devices(deck.template.netlist, deck.params, tuple(plan.technology.process))
    some = {k: v for d in devices for k, v in d.altered(dict.fromkeys(d.mismatched, 0.02)).items()}
    few = dict(list(some.items())[-2:])
    runs = [deck, replace(deck, alters=some), replace(deck, alters=few), deck, replace(deck, alters=some)]
    # One simulator, which runs them in this order: a pool hands them out as they come.
    simulator = Simulator()
    try:
        outcomes = list(simulator.run(runs, 60.0))
    finally:
        simulator.close()
    first, altered, partly, again, altered_again = (float(o.vectors["i(vbl)"][0]) for o in outcomes)
    assert (first, altered) == (again, altered_again)
    assert len({first, altered, partly}) == 3


def test_a_number_that_is_none_is_refused_before_it_keeps_the_last_one(pool):
    deck = replace(
        next(registry.plan_bench("gain_cell", "dc").points()).deck, alters={"@m.xcell.xn.m1[delvto]": math.nan}
    )
    [(_, outcome)] = pool.map([deck], lambda d: d, count=1)
    assert outcome.reason == "a parameter is not a finite number"


def test_copies_in_one_deck_give_what_each_gives_alone(circuit, pool):
    for bench in circuit.benches:
        if isinstance(bench.analysis, Noise):  # one copy per deck
            continue
        plan, point = _first(circuit, bench)
        devices = find_devices(point.deck.template.netlist, point.deck.params, tuple(plan.technology.process))
        each = [
            {k: v for d in devices for k, v in d.altered(dict.fromkeys(d.mismatched, shift)).items()}
            for shift in (0.0, 0.004)
        ]
        together = stacked(point.deck, 2)
        deck = replace(together, alters={inside(t, k): v for k, own in enumerate(each) for t, v in own.items()})
        alone = [replace(point.deck, alters=own) for own in each]
        [stack, *singles] = [
            o
            for _, o in sorted(
                pool.map([(0, deck), (1, alone[0]), (2, alone[1])], lambda j: j[1], count=3),
                key=lambda pair: pair[0][0],
            )
        ]
        assert not stack.reason, stack.log
        for k, single in enumerate(singles):
            waves = unstacked(stack.vectors, point.deck.template.save, k)
            one, reason = measure(bench.outputs, waves, point.values)
            other, _ = measure(bench.outputs, single.vectors, point.values)
            assert not reason
            for name, value in other.items():
                scale = plan.full_scale(name, value) or 1.0
                assert np.abs(one[name] - value).max() < 2e-3 * scale, (bench.name, name)


def test_names_inside_a_copy():
    assert inside("@m.xcell.xn.m1[delvto]", 3) == "@m.xcopy3.xcell.xn.m1[delvto]"
    assert inside("c.xcell.xc.c1", 0) == "c.xcopy0.xcell.xc.c1"
    assert [probe(v, 1) for v in ("v(st)", "i(vbl)", "time")] == ["v(xcopy1.st)", "i(v.xcopy1.vbl)", "time"]
