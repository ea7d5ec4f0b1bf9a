"""Technologies with devices in Verilog-A: sources are compiled once, and loaded where ngspice can."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from gaincell_char import registry
from gaincell_char.errors import RequestError, TechnologyError
from gaincell_char.spice.simulator import check_loads
from gaincell_char.sweeping.run import Pool, characterize
from gaincell_char.technology import compiled, compiler
from gaincell_char.workflows import technology_bench

pytestmark = pytest.mark.ngspice
# A square-law transistor with a threshold and a factor per instance, in a file of its own.
SOURCE = """`include "disciplines.vams"
`include "law.include"
module squarelaw(d, g, s, b);
inout d, g, s, b;
electrical d, g, s, b;
parameter real sign = 1.0;
parameter real w = 1.0e-6;
parameter real l = 1.0e-6;
(* type="instance" *) parameter real delvto = 0.0;
(* type="instance" *) parameter real factuo = 1.0;
real vgs, vds, id;
analog begin
    vgs = sign*V(g, s);
    vds = sign*V(d, s);
    id = `LAW;
    I(d, s) <+ sign*id;
    I(g, s) <+ 1.0e-15*ddt(V(g, s));
end
endmodule
"""
LAW = """// drain current
`define KP 2.0e-4
`define VT (0.35 + delvto)
`define LAW `KP*factuo*w/l*ln(1.0 + exp((vgs - `VT)/0.05))*0.05*tanh(vds/0.2) + 1.0e-12*vds
"""
DEVICES = """
.subckt {kind}_svt d g s b w=420n l=180n dvth=0 dmu=0
.model {kind}m squarelaw sign={sign} w={{w}} l={{l}}
n1 d g s b {kind}m delvto={{process_vth_{kind}+dvth}} factuo={{1+dmu}}
.ends
"""
CAP = ".subckt cap p n c=1f\nc1 p n {c}\n.ends\n"
CIRCUITS = {
    "gain_cell": ("read_flavour", "driver_flavour"),
    "gain_cell_switched": ("driver_flavour",),
    "capacitor_decay": ("read_flavour",),
    "relu_c2p": ("switch_flavour",),
    "signed_c2p": ("switch_flavour",),
}
TOML = """name = "mine"
title = "square law"
files = ["devices.cir"]
veriloga = ["models/squarelaw.va"]
flavours = ["svt"]
temp = {low = -40.0, high = 125.0}
supply = 1.2
[process]
process_vth_n = 0.01
process_vth_p = 0.01
[mismatch]
a_vt = 4e-9
a_beta = 1e-8
[corners.tt]
""" + "".join(
    f"[circuits.{name}]\n" + "".join(f'{flavour} = "svt"\n' for flavour in flavours)
    for name, flavours in CIRCUITS.items()
)


@pytest.fixture(scope="module")
def compiler_path():
    found = compiler.find_compiler()
    if found is None:
        if os.environ.get("GAINCELL_REQUIRE_NGSPICE46") == "1":
            pytest.fail("no Verilog-A compiler: gaincell tech get ihp-sg13g2", pytrace=False)
        pytest.skip("no Verilog-A compiler: gaincell tech get ihp-sg13g2")
    return found


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "gaincell-char" / "osdi"


@pytest.fixture
def mine(tmp_path, compiler_path, request, monkeypatch):
    """Folder of the technology, with a cache of its own."""
    request.getfixturevalue("cache")
    monkeypatch.setenv(compiler.OPENVAF, str(compiler_path))
    return write_technology(tmp_path / "mine")


def write_technology(folder, law=LAW):
    (folder / "models").mkdir(parents=True)
    (folder / "technology.toml").write_text(TOML)
    (folder / "devices.cir").write_text("".join(DEVICES.format(kind=k, sign=s) for k, s in (("n", 1), ("p", -1))) + CAP)
    (folder / "models" / "squarelaw.va").write_text(SOURCE)
    (folder / "models" / "law.include").write_text(law)
    return folder


def plan(folder, v_store=(0.2, 0.9)):
    return registry.plan_bench("gain_cell", "dc", technology=str(folder), sweep={"v_store": v_store, "v_in": [0.9]})


def currents(folder, pool, **more):
    found = characterize(plan(folder, **more), pool=pool)
    assert not found.failures, found.failures
    return found.dataset.i_bl.values.ravel()


def test_a_compiled_device_is_simulated(mine, newer_pool):
    low, high = currents(mine, newer_pool)
    assert low < -1e-6
    assert high > 1e-5


def test_a_source_is_compiled_once(mine, cache, newer_pool):
    currents(mine, newer_pool)
    [first] = cache.glob("*.osdi")
    when = first.stat().st_mtime_ns
    registry.load_technology(str(mine))
    assert [file.stat().st_mtime_ns for file in cache.glob("*.osdi")] == [when]


def test_another_source_or_another_compiler_is_compiled_again(mine, tmp_path, cache, compiler_path, monkeypatch):
    before = registry.load_technology(str(mine))
    included = mine / "models" / "law.include"
    included.write_text(LAW.replace("2.0e-4", "3.0e-4"))
    after = registry.load_technology(str(mine))
    assert before.digest != after.digest
    assert len(list(cache.glob("*.osdi"))) == 2
    newer = tmp_path / "openvaf"
    newer.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo newer && exit\nexec {compiler_path} "$@"\n')
    newer.chmod(0o755)
    monkeypatch.setenv(compiler.OPENVAF, str(newer))
    again = registry.load_technology(str(mine))
    assert again.digest == after.digest
    assert again.compiled_files != after.compiled_files
    assert len(list(cache.glob("*.osdi"))) == 3


def test_the_technology_is_the_same_wherever_it_is(mine, tmp_path):
    shutil.copytree(mine, tmp_path / "elsewhere" / "mine")
    here, there = (registry.load_technology(str(path)) for path in (mine, tmp_path / "elsewhere" / "mine"))
    assert here.digest == there.digest
    assert next(plan(mine).points()).deck.digest == next(plan(tmp_path / "elsewhere" / "mine").points()).deck.digest


def test_two_technologies_may_give_one_device_different_sources(mine, tmp_path, newer_pool):
    """ngspice keeps the first device of a name: the second technology gets another process."""
    other = write_technology(tmp_path / "other", LAW.replace("2.0e-4", "4.0e-4"))
    first, second, again = currents(mine, newer_pool), currents(other, newer_pool), currents(mine, newer_pool)
    assert second == pytest.approx(2 * first, rel=1e-4)
    assert (again == first).all()


def test_a_printed_deck_gives_the_same_current(mine, gaincell, newer_ngspice, newer_pool, tmp_path):
    status, deck, err = gaincell("netlist", "gain_cell", "dc", "--tech", mine, "--set", "v_store=0.9")
    assert status == 0, err
    order = ".control\nset numdgt=12\nrun\nprint i(vbl)\n.endc\n.end\n"
    (tmp_path / "deck.cir").write_text(deck.removesuffix(".end\n") + order)
    program = newer_ngspice.parents[1] / "bin" / "ngspice"
    done = subprocess.run([program, "-n", "-b", "deck.cir"], cwd=tmp_path, capture_output=True, text=True, check=False)
    [value] = re.findall(r"i\(vbl\) = (\S+)", done.stdout)
    assert abs(float(value)) == pytest.approx(abs(currents(mine, newer_pool, v_store=[0.9])[0]), rel=1e-6)


def test_monte_carlo_changes_compiled_devices(mine, newer_pool):
    """Check 9 of a technology, by the command alter on a device of OSDI."""
    from gaincell_char.workflows import hook_checks

    bench = technology_bench.DeviceBench(registry.load_technology(str(mine)), newer_pool)
    assert list(hook_checks.hook_failures(bench)) == []


COMMANDS = {
    "sweep": ("sweep", "gain_cell", "dc", "-o", "out.nc"),
    "mc": ("mc", "gain_cell", "dc", "-n", "2", "-o", "out"),
    "run": ("run", "--circuit", "gain_cell", "-o", "out"),
    "tech check": ("tech", "check"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_an_older_ngspice_is_refused_in_one_sentence(mine, refused, name, monkeypatch):
    """With the version of this run, if it is one; the number of the version is that of a library otherwise."""
    monkeypatch.setattr("gaincell_char.spice.simulator._OLDEST_WITH_COMPILED", 999)
    registry.load_technology(str(mine))
    said = refused(*COMMANDS[name], *([mine] if name == "tech check" else ["--tech", mine]))
    assert re.search(
        r"the models of this technology are compiled Verilog-A, which needs ngspice 999 or newer; the library is "
        r"ngspice \d+: name a newer one with --ngspice PATH, or in NGSPICE_LIBRARY_PATH",
        said,
    )


def test_the_first_version_that_loads_them_is_43():
    check_loads("42", ())
    check_loads("43", ("x.osdi",))
    with pytest.raises(RequestError, match="needs ngspice 43 or newer; the library is ngspice 42"):
        check_loads("42", ("x.osdi",))


def edit(folder, file, old, new):
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


HOSTILE = {
    "a path out of the folder": (
        "technology.toml", "models/squarelaw.va", "../squarelaw.va", r"veriloga.0: '../squarelaw.va' is not a path",
    ),
    "an absolute include": ("models/squarelaw.va", "law.include", "/etc/passwd", "'/etc/passwd' is not a path"),
    "an include out of the folder": ("models/squarelaw.va", "law.include", "../../x", "'../../x' is not a path below"),
    "an include that hides behind a text": (
        "models/law.include", "// drain", '`define T "//" `include "/etc/passwd"\n// drain', "/etc/passwd' is not",
    ),
    "an include without a name": ("models/law.include", "// drain", "`include `KP\n//", "`include: '' is not a path"),
    "a missing include": ("models/squarelaw.va", "law.include", "none.va", "none.va cannot be read: No such file"),
    "a source with an error": (
        "models/squarelaw.va", "real vgs", "real real", r"cannot be compiled: squarelaw.va:11:6: unexpected token",
    ),
    "compiled models by hand": (
        "technology.toml", 'title = "square law"', 'title = "x"\ncompiled = []', "line 3: compiled: Extra inputs",
    ),
    "a compiled file": (
        "technology.toml", "veriloga = [", 'osdi = ["models/law.include"]\nveriloga = [',
        r"'law.include' is a program, .* if you trust it, set GAINCELL_TRUSTED_OSDI=[0-9a-f]{64}, or",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_technology_is_refused(mine, case):
    file, old, new, says = HOSTILE[case]
    edit(mine, file, old, new)
    with pytest.raises(TechnologyError, match=says):
        registry.load_technology(str(mine))


def test_a_link_out_of_the_folder_is_refused(mine, tmp_path):
    (tmp_path / "law.include").write_text(LAW)
    (mine / "models" / "law.include").unlink()
    (mine / "models" / "law.include").symlink_to(tmp_path / "law.include")
    with pytest.raises(TechnologyError, match="is a link out of its folder"):
        registry.load_technology(str(mine))


def test_an_include_in_a_comment_is_none(mine):
    edit(mine, "models/law.include", "// drain", '/* `include "/etc/passwd" */ // `include "none"\n// drain')
    registry.load_technology(str(mine))


def test_a_file_that_came_compiled_is_loaded_if_it_is_trusted(mine, newer_pool, monkeypatch):
    before = currents(mine, newer_pool)
    [made] = registry.load_technology(str(mine)).compiled_files
    shutil.copy(made, mine / "models" / "squarelaw.osdi")
    edit(mine, "technology.toml", 'veriloga = ["models/squarelaw.va"]', 'osdi = ["models/squarelaw.osdi"]')
    with pytest.raises(TechnologyError, match="is a program") as said:
        registry.load_technology(str(mine))
    [key] = re.findall(r"GAINCELL_TRUSTED_OSDI=([0-9a-f]{64})", str(said.value))
    monkeypatch.setenv(compiled.TRUSTED, f"{'0' * 64} {key}")
    assert (currents(mine, newer_pool) == before).all()


def test_without_a_compiler_what_was_compiled_is_used(mine, monkeypatch):
    before = registry.load_technology(str(mine)).compiled_files
    monkeypatch.setattr(compiled, "find_compiler", lambda: None)
    assert registry.load_technology(str(mine)).compiled_files == before
    edit(mine, "models/law.include", "2.0e-4", "5.0e-4")
    with pytest.raises(TechnologyError, match=r"squarelaw.va must be compiled with openvaf-r, which is not found: g"):
        registry.load_technology(str(mine))


def test_a_compiler_that_is_none_is_refused(mine, monkeypatch, tmp_path):
    monkeypatch.setenv(compiler.OPENVAF, str(tmp_path / "none"))
    with pytest.raises(TechnologyError, match=r"GAINCELL_OPENVAF = .*none is not a program; name the compiler"):
        registry.load_technology(str(mine))


def test_a_folder_with_a_blank_is_refused(mine, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a b"))
    with pytest.raises(TechnologyError, match="has a blank or another character that ngspice cannot read in a path"):
        registry.load_technology(str(mine))


def test_the_compiler_is_found_on_path(compiler_path, tmp_path, monkeypatch):
    monkeypatch.delenv(compiler.OPENVAF, raising=False)
    (tmp_path / "openvaf-r").symlink_to(compiler_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compiler.find_compiler() == tmp_path / "openvaf-r"


def test_a_pool_keeps_its_own_library(newer_pool, mine):
    assert newer_pool.version == "46"
    assert isinstance(newer_pool, Pool)
    assert stat.S_ISREG(Path(registry.load_technology(str(mine)).compiled_files[0]).stat().st_mode)
