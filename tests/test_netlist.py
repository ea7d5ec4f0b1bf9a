"""Decks: what text they are, what they keep of a netlist, and PySpice circuits in place of text."""

import re

import numpy as np
import pytest
from PySpice.Spice.Netlist import Circuit, SubCircuit
from PySpice.Unit import u_kOhm, u_uF

from gaincell_char import registry
from gaincell_char.declare.arithmetic import references
from gaincell_char.declare.bench import Bench, Op, Output, Tran
from gaincell_char.declare.parameters import Params, number, numbers, words
from gaincell_char.errors import NetlistError
from gaincell_char.spice.blocks import prune
from gaincell_char.spice.deck import Conditions, Deck, Template, render
from gaincell_char.spice.names import check_instances, undeclared
from gaincell_char.spice.netlist import Netlist, as_netlist
from gaincell_char.spice.reader import read_netlist
from gaincell_char.sweeping.run import characterize, simulate

LIBRARY = """
.model nch nmos level=1 vto=0.4
.subckt n_svt d g s b w=1u
m1 d g s b nch w={w} delvto={process_vth}
.ends n_svt
.subckt n_hvt d g s b w=1u
m1 d g s b nch w={w}
.ends n_hvt
""".strip()
DIVIDER = """
.subckt divider top mid bot
r1 top mid {r_top}
xm mid top bot bot n_{flavour} w={2*w_n}
.ends divider
""".strip()
BENCH = Bench(
    name="half",
    doc="voltage of the tap",
    stimulus="""
    * a comment
    vin in 0 {v_in}
    cl tap 0 {c_load}  ; the load
    xdut in tap 0 divider
    """,
    sweep={"v_in": [1.0]},
    analysis=Tran(stop=1e-9, max_step=1e-11),
    save=("v(tap)",),
    initial={"v(tap)": "v_0", "v(in)": "v_in"},
    outputs=(Output(name="v_tap", unit="V", doc="tap", measure=lambda w, _: w["v(tap)"][-1]),),
    params=Params(v_in=number(1.0, "V", "input"), c_load=number(1e-15, "F", "load"), v_0=number(0.0, "V", "start")),
)
PARAMS = {"process_vth": 0.0, "r_top": 1e3, "w_n": 1e-6, "v_in": 1.0, "c_load": 1e-15, "v_0": 0.1}
GOLDEN = """\
* divider.half
.temp 27
.options gmin=1e-15 reltol=1e-06
.param process_vth=0.0
.param r_top=1000.0
.param w_n=1e-06
.param v_in=1.0
.param c_load=1e-15
.param v_0=0.1
.model nch nmos level=1 vto=0.4
.subckt n_svt d g s b w=1u
m1 d g s b nch w={w} delvto={process_vth}
.ends n_svt
.subckt divider top mid bot
r1 top mid {r_top}
xm mid top bot bot n_svt w={2*w_n}
.ends divider
vin in 0 {v_in}
cl tap 0 {c_load}
xdut in tap 0 divider
.ic v(tap)={v_0}
.ic v(in)={v_in}
.save v(tap) v(in)
.tran 1e-11 1e-09 0 1e-11
.end
"""


def template(body, save=("v(b)",)):
    text = f"{read_netlist(body).text}\n.save {' '.join(save)}"
    return Template(title="test", temp=27.0, options=(), body=text, save=save)


def rendered(**changes):
    request = {
        "title": "divider.half", "netlist": as_netlist(DIVIDER), "library": as_netlist(LIBRARY), "bench": BENCH,
        "choices": {"flavour": "svt"}, "declared": list(PARAMS),
        "conditions": Conditions(temp=changes.pop("temp", 27.0), options={"gmin": 1e-15, "reltol": 1e-6}),
    }  # fmt: skip
    return render(**{**request, **changes})


def test_deck_is_exactly_this_text():
    initial = {node: PARAMS[name] for node, name in BENCH.initial.items()}
    deck = Deck(template=rendered(), params=PARAMS, analysis=BENCH.analysis, initial=initial)
    assert deck.text == GOLDEN


def test_deck_says_what_decides_the_result_and_nothing_else():
    deck = Deck(template=rendered(), params=PARAMS, analysis=Op(), initial={})
    again = Deck(template=rendered(), params=dict(PARAMS), analysis=Op(), initial={})
    assert deck.digest == again.digest
    changes = [
        Deck(template=rendered(temp=28.0), params=PARAMS, analysis=Op(), initial={}),
        Deck(template=rendered(), params={**PARAMS, "r_top": 1000.0000001}, analysis=Op(), initial={}),
        Deck(template=rendered(), params=PARAMS, analysis=Tran(stop=1.0, max_step=0.1), initial={}),
    ]
    assert len({deck.digest, *(change.digest for change in changes)}) == 4


def test_numbers_in_a_deck_are_the_very_same_floats():
    values = {"r_top": 1 / 3, "v_in": 0.1 + 0.2, "c_load": 5e-324}
    text = Deck(template=template("r1 a b 1"), params=values, analysis=Op(), initial={}).text
    assert {line.split("=")[0][7:]: float(line.split("=")[1]) for line in text.splitlines() if "=" in line} == values


def test_flatten_keeps_cards_and_drops_comments_and_analyses():
    text = """.title mine
    * comment
    r1 a b 1k ; behind a semicolon
    r2 a b 1k $ behind a dollar
    r3 a b 1k // behind slashes

    .op
    .tran 1n 1u
    .measure tran x find v(a) at=1n
    .end"""
    assert read_netlist(text).text.splitlines() == ["r1 a b 1k", "r2 a b 1k", "r3 a b 1k"]


def test_flatten_puts_includes_where_they_are_asked_for():
    files = {"a.cir": "r1 a 0 1\n.include 'b.cir'\nr3 a 0 3\n.end", "b.cir": "* b\nr2 a 0 2"}
    text = read_netlist('.inc "a.cir"\nr4 a 0 4', read=files.__getitem__).text
    assert text.splitlines() == ["r1 a 0 1", "r2 a 0 2", "r3 a 0 3", "r4 a 0 4"]


def test_an_include_that_includes_itself_is_refused():
    with pytest.raises(NetlistError, match="nested more than 8 deep"):
        read_netlist(".include a.cir", read=lambda _: ".include a.cir")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("r1 a b {r}", {"r"}),
        ("r1 a b {2*r + 3meg*r_top}", {"r", "r_top"}),
        ("r1 a b {1e-9*x+2.5e3+.5u}", {"x"}),
        ("r1 a b {max(r, sqrt(s))}", {"r", "s"}),
        ("r1 a b r c={c}  d={d}", {"c", "d"}),
        ("v1 a 0 pwl(0 {low} {t_on+t_edge} {vdd-low})", {"low", "t_on", "t_edge", "vdd"}),
        ("b1 a 0 v={gain*v(b)+i(vx)}", {"gain"}),
        ("r1 a b 1k", set()),
    ],
)
def test_references_are_the_names_in_braces(text, names):
    assert references(text) == names


def test_names_of_a_subcircuit_are_its_own_and_end_with_it():
    text = ".param k=2\n.subckt s a b w=1u\n+ l=2u\nr1 a b {w*l*k*r}\n.ends\nr2 a b {w}"
    assert undeclared(as_netlist(text), []) == {"r", "w"}
    assert undeclared(as_netlist(text), ["R", "w"]) == set()


def test_names_that_the_text_or_ngspice_defines_need_no_declaration():
    text = ".param k=2 m={3*k}\n.func f(x, y) {x*y*k*q}\nb1 a 0 v={k*m*temper+time}"
    assert undeclared(as_netlist(text), []) == {"q"}


def test_subcircuits_that_nobody_defines_are_found():
    text = ".subckt inner a b\nr1 a b 1\n.ends\nx1 a b inner\nx2 a b\n+ outer w=1 l={2}\nx3 a b other params: w=1"
    expected = r"nor the technology defines .subckt other, outer; define it in the netlist, or in one of the files of "
    with pytest.raises(NetlistError, match=expected + r"technology.toml$"):
        check_instances(as_netlist(text))


def test_an_instance_has_as_many_nodes_as_its_subcircuit_has_ports():
    text = ".subckt inner a b w=1\nr1 a b 1\n.ends\nx1 a b inner w = 2\n"
    check_instances(as_netlist(text))
    with pytest.raises(NetlistError, match=r"^x2 has 3 nodes; .subckt inner has 2$"):
        check_instances(as_netlist(f"{text}x2 a b c inner params: w=3"))
    with pytest.raises(NetlistError, match=r"^x2 names no subcircuit$"):
        check_instances(as_netlist(f"{text}x2 w=3"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (".subckt a b c\nr1 b c 1", "line 1: '.subckt a b c' is not closed: add .ends"),
        ("r1 b c 1\n.ends a", "line 2: '.ends a' has no matching"),
        (".if (1)\n.subckt a b c\n.endif", "line 3: '.endif' has no matching"),
    ],
)
def test_blocks_are_closed(text, said):
    with pytest.raises(NetlistError, match=re.escape(said)):
        read_netlist(text)


def test_prune_keeps_what_is_needed_directly_or_not():
    def pruned(library, user):
        return prune(as_netlist(library), as_netlist(user)).text

    assert pruned(LIBRARY, "x1 a b c d n_svt w=1").splitlines() == LIBRARY.splitlines()[:4]
    assert pruned(LIBRARY, "r1 a b 1") == ""
    assert "n_hvt" in pruned(LIBRARY, "x1 a b c d N_HVT")
    assert pruned(".param k=1\n.model q nmos\n+ vto=1\n.param l=2", "r1 a b {k}") == ".param k=1\n.param l=2"


def test_undeclared_name_is_refused_with_the_declared_ones():
    declared = [name for name in PARAMS if name != "r_top"]
    with pytest.raises(NetlistError, match=r"divider\.half: uses undeclared r_top; declared are .*c_load, .*w_n"):
        rendered(declared=declared)


def test_undefined_subcircuit_is_refused_by_name():
    with pytest.raises(NetlistError, match=r"neither the netlist nor the technology defines \.subckt n_svt"):
        rendered(library=Netlist())


def test_words_and_numbers_part():
    values = {"a": 1, "b": "svt", "c": np.float64(2.5)}
    assert numbers(values) == {"a": 1.0, "c": 2.5}
    assert all(type(value) is float for value in numbers(values).values())
    assert words(values) == {"b": "svt"}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("v1 a 0 {x}\nr1 a 0 1k", {"x": "v1"}),
        ("V1 a 0 dc {x}\ni2 a 0 {y}", {"x": "v1", "y": "i2"}),
        ("v1 a 0 {x}\nr1 a 0 {1k*x}", {}),
        ("v1 a 0 {x}\nv2 b 0 {x}", {}),
        ("v1 a 0 {2*x}", {}),
        ("v1 a 0 pulse(0 {x} 0 1n)", {}),
        ("v1 a 0 {x} ac 1", {}),
        ("v1 a 0 {x}\nv2 b 0 {x2}", {"x": "v1", "x2": "v2"}),
        # A name also counts where it stands without braces, or in capitals.
        ("v1 a 0 {x}\nr1 a 0 '1k*x'", {}),
        ("v1 a 0 {x}\n.param y=2*x\nr1 a 0 {y}", {}),
        ("v1 a 0 {x}\nr1 a 0 {1k*X}", {}),
        ("v1 a 0 {x}\nb1 a 0 i=v(a)*x", {}),
        # ngspice knows a source inside a subcircuit by another name.
        (".subckt s a\nv1 a 0 {x}\n.ends s\nx1 a s", {}),
    ],
)
def test_alterable_are_sources_that_alone_depend_on_a_parameter(body, found):
    assert template(body).alterable == found


@pytest.mark.parametrize("other", ["'1k*x'", "{1k*X}", "{y}"])
def test_a_parameter_used_elsewhere_in_any_spelling_reaches_every_use(other, pool):
    """The engine alters sources alone only where that is all a parameter does."""
    deck = template(f".param y=1k*x\nv1 a 0 {{x}}\nr1 a b 1k\nr2 b 0 {other}")
    decks = [Deck(template=deck, params={"x": x}, analysis=Op(), initial={}) for x in (1.0, 2.0, 3.0)]
    for deck, outcome in pool.map(decks, lambda deck: deck, count=len(decks)):
        x = deck.params["x"]
        assert outcome.vectors["v(b)"][0] == pytest.approx(x * x / (1 + x), rel=1e-6), outcome.reason


def divider():
    """A PySpice circuit of its own."""
    circuit = Circuit("divider")
    circuit.V("1", "a", circuit.gnd, "{v_top}")
    circuit.R("1", "a", "b", "{r}")
    circuit.R("2", "b", circuit.gnd, "2k")
    return circuit


@pytest.mark.ngspice
def test_simulate_takes_a_pyspice_circuit():
    vectors = simulate(divider(), Op(), ["v(b)", "i(v1)"], params={"v_top": 3.0, "r": 1e3})
    assert vectors["v(b)"][0] == pytest.approx(2.0, rel=1e-9)
    assert vectors["i(v1)"][0] == pytest.approx(-1e-3, rel=1e-9)


@pytest.mark.ngspice
def test_simulate_takes_the_numbers_pyspice_writes():
    """Units of PySpice become plain SPICE text: 1 kOhm and 1 uF give a time constant of 1 ms."""
    circuit = Circuit("low-pass")
    circuit.PulseVoltageSource("1", "a", circuit.gnd, 0, 1, 10, 20, rise_time=1e-9, fall_time=1e-9)
    circuit.R("1", "a", "b", u_kOhm(1))
    circuit.C("1", "b", circuit.gnd, u_uF(1))
    vectors = simulate(circuit, Tran(stop=2e-3, max_step=1e-5), ["v(b)"], options={"reltol": 1e-6})
    expected = 1 - np.exp(-vectors["time"] / 1e-3)
    np.testing.assert_allclose(vectors["v(b)"], expected, atol=1e-4)


class PySpiceCell(SubCircuit):
    """The cell of netlists/gain_cell.cir, built in Python."""

    NODES = ("bl", "wlr", "wlrb", "wbl", "we", "web", "st", "vdd", "vss")

    def __init__(self, *, n_factor="1"):
        SubCircuit.__init__(self, "gain_cell", *self.NODES)
        write = {"w": "{w_write}", "l": "{l_write}"}
        self.X("wn", "n_{write_flavour}", "wbl", "we", "st", "vss", **write)
        self.X("wp", "p_{write_flavour}", "wbl", "web", "st", "vdd", **write)
        self.X("c", "cap", "st", "vss", c="{c_store}")
        self.X("n", "n_{read_flavour}", "bl", "st", "wlrb", "vss", w=f"{{{n_factor}*w_n}}", l="{l_n}")
        self.X("p", "p_{read_flavour}", "bl", "st", "wlr", "vdd", w="{w_p}", l="{l_p}")


def cell_current(pool, **request):
    plan = registry.plan_bench("gain_cell", "dc", sweep={"v_store": [0.0, 0.3, 0.9], "v_in": [0.9]}, **request)
    result = characterize(plan, pool=pool)
    assert not result.failures, result.failures[0].reason
    return result.dataset.i_bl.values.ravel()


def test_a_bench_takes_a_pyspice_circuit_in_place_of_its_netlist(pool):
    def built(**factor):
        circuit = Circuit("a cell of one's own")
        circuit.subcircuit(PySpiceCell(**factor))
        return cell_current(pool, netlist=circuit)

    ours = cell_current(pool)
    np.testing.assert_allclose(built(), ours, rtol=1e-9)
    assert built(n_factor="2")[-1] == pytest.approx(2 * ours[-1], rel=0.05)


def test_a_bench_takes_text_and_files_in_place_of_its_netlist(pool, tmp_path):
    ours = cell_current(pool)
    text = registry.load_netlist("gain_cell").text.replace("xn bl", "xm bl")
    np.testing.assert_allclose(cell_current(pool, netlist=text), ours, rtol=1e-9)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "cell.cir").write_text(text)
    (tmp_path / "mine.cir").write_text("* mine\n.include parts/cell.cir\n")
    np.testing.assert_allclose(cell_current(pool, netlist=tmp_path / "mine.cir"), ours, rtol=1e-9)
