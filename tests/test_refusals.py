"""Requests that cannot be done: exit status 2, one sentence, before anything is simulated or written."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from fakes import NoPool
from hypothesis import given
from hypothesis import strategies as st
from PySpice.Spice.Netlist import Circuit

from gaincell_char import registry
from gaincell_char.declare.bench import Op
from gaincell_char.declare.parameters import number
from gaincell_char.errors import DataError, GaincellError, NetlistError, ParameterError, RequestError
from gaincell_char.fitting.fit import fit_model
from gaincell_char.fitting.points import select
from gaincell_char.fitting.record import read_record
from gaincell_char.spice.deck import Deck, Template
from gaincell_char.spice.names import check_instances, undeclared
from gaincell_char.spice.netlist import as_netlist
from gaincell_char.spice.reader import read_netlist
from gaincell_char.storage import tables
from gaincell_char.sweeping import run
from gaincell_char.sweeping.plan import make_plan
from gaincell_char.sweeping.run import characterize

CELL = registry.load_circuit("gain_cell")
SWEEP = ("sweep", "gain_cell", "dc", "-o", "out.csv")
POINT = ["--axis", "v_store=0.2", "--axis", "v_in=0.9", "--axis", "v_bl=0.45"]
SUBCIRCUIT = ".subckt gain_cell bl wlr wlrb wbl we web st vdd vss\n{}\n.ends\n"
DEAD_CELL = SUBCIRCUIT.format("r1 bl wlrb 1meg\nr2 st wlr 1g")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("show nope", r"no circuit 'nope'; have .*gain_cell"),
        ("netlist nope dc", r"no circuit 'nope'; have .*gain_cell"),
        ("sweep ../gain_cell dc -o out.csv", r"no circuit '\.\./gain_cell'; have"),
        ("run --circuit nope", r"no circuit 'nope'; have .*gain_cell"),
        ("netlist gain_cell nope", "gain_cell has no bench 'nope'; have dc, pulse"),
        ("sweep gain_cell nope -o out.csv", "gain_cell has no bench 'nope'; have dc, pulse"),
        ("show gain_cell --tech nope", "no technology 'nope'; have .*gc28"),
        ("run --tech nope", "no technology 'nope'; have .*gc28"),
        ("netlist gain_cell dc --corner xx", "technology gc28 has no corner 'xx'; have tt, ff, ss"),
        ("netlist gain_cell dc --temp 200", r"temp = 200 degC is outside \[-40, 125\] degC"),
        ("netlist gain_cell dc --temp 27,85V", "unknown unit 'V', expected degC"),
        ("netlist gain_cell dc --set vdd=0.9A", "vdd: '0.9A' is in A, expected V"),
        ("netlist gain_cell dc --set c_store=5fX", "c_store: '5fX': unknown unit 'fX', expected F"),
        ("netlist gain_cell dc --set c_store=1F", "'1F' could be 1 F or, to SPICE, 1 f .*; write 1 or 1fF"),
        ("netlist gain_cell dc --set vdd=9", r"vdd = 9 V \(supply\) is outside \[0\.3, 6\] V"),
        ("netlist gain_cell dc --set nope=1", "no parameter 'nope'; have .*c_store"),
        ("netlist gain_cell dc --set corner=ff", "no parameter 'corner'; have"),
        ("netlist gain_cell dc --set vdd", "'vdd' is not an assignment: write NAME=VALUE"),
        ("netlist gain_cell dc --set vdd=", "'vdd=' is not an assignment: write NAME=VALUE"),
        ("netlist gain_cell dc --set vdd=0.8 --set vdd=0.9", "vdd is given twice"),
        ("netlist gain_cell dc --set write_flavour=xvt", "technology gc28 has no such flavour; have lvt, rvt"),
        ("netlist gain_cell dc --set write_flavour=X!", "write_flavour = 'X!' .* must be a word"),
        ("show", "Missing argument 'CIRCUIT'"),
        ("nope", "No such command 'nope'"),
        ("sweep gain_cell dc", "Missing option '-o'"),
    ],
)  # fmt: skip
def test_what_nobody_has_is_refused_with_what_there_is(refused, words, sentence):
    assert re.search(sentence, refused(*words.split()))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "-1e999", "0x10", "1_0", "", "-", "1e", "٣"])
def test_only_finite_numbers_are_values(refused, value):
    said = refused("netlist", "gain_cell", "dc", f"--set=v_store={value}")
    assert re.search("is not a number|is outside|write NAME=VALUE|unknown unit", said)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_only_finite_numbers_are_values_in_python_either(value):
    with pytest.raises(ParameterError, match="outside"):
        number(0.0, "V", "any").check("v", value)
    with pytest.raises(ParameterError, match=r"one of temps = .* must be a finite number"):
        registry.plan_bench("gain_cell", "dc", temps=[value])
    with pytest.raises(ParameterError, match=r"reltol = .* must be a finite number"):
        registry.plan_bench("gain_cell", "dc", options={"reltol": value})


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--axis nope=0:1:3", "no parameter 'nope'; have"),
        ("--axis v_store=0:9:4", r"v_store = 9 V \(stored voltage\) is outside \[-0\.5, 6\] V"),
        ("--axis v_store=0.9:0:10", "axis 'v_store=0.9:0:10' is descending: write the smaller limit first"),
        ("--axis v_store=0:0.9:0", "COUNT is 0, but must be a whole number from 1 to 1000000"),
        ("--axis v_store=0:0.9:-3", "COUNT is -3, but must be a whole number"),
        ("--axis v_store=0:0.9:2.5", "COUNT is 2.5, but must be a whole number"),
        ("--axis v_store=0:0.9:1e999", "COUNT is 1e999, but must be a whole number"),
        ("--axis v_store=0:0.9:10k1", "unknown unit 'k1'|'10k1' is not a number"),
        ("--axis v_store=0:0.9:1", "a range needs at least two points"),
        ("--axis v_store=0.9:0.9:5", "a range of zero width must have one point, not 5"),
        ("--axis v_store=0:0.9", "write a range as START:STOP:COUNT or START:STOP:COUNT:log"),
        ("--axis v_store=0:0.9:3:lin", "write a range as START:STOP:COUNT or START:STOP:COUNT:log"),
        ("--axis v_store=0:0.9:3:log", "a log range must start above 0"),
        ("--axis v_store=,", "sweep of v_store is empty"),
        ("--axis v_store=", "write NAME=START:STOP:COUNT"),
        ("--axis v_store", "write NAME=START:STOP:COUNT"),
        ("--axis v_store=0.1,0.2,100m", "sweep of v_store has 0.1 twice"),
        ("--axis v_store=0.1,nan", "v_store: 'nan' is not a number"),
        ("--axis v_store=0:0.9A:3", "v_store: '0.9A' is in A, expected V"),
        ("--axis v_store=0.1 --axis v_store=0.2", "axis v_store is given twice"),
        ("--axis v_store=0.1 --set v_store=0.2", "v_store: both swept and set"),
        ("--axis temp=27,85", "use --corner for corners and --temp for temperatures"),
        ("--axis write_flavour=svt,svt", "sweep of write_flavour has svt twice"),
        ("--axis write_flavour=0:1:3", "write_flavour = '0:1:3' .* must be a word in lower case"),
        ("--corner tt,tt", "sweep of corner has tt twice"),
        ("--corner ,", "write values with one comma between them"),
        ("--temp 27,27.0", "sweep of temp has 27.0 twice"),
        ("--temp ,", "write values with one comma between them"),
        ("--axis v_store=0:1:10k --axis v_in=0:1:10k", "the grid has 100000000 points; the maximum is 10000000"),
        ("--option reltl=1e-6", "no option 'reltl'; have reltol"),
        ("--option reltol=0", r"option reltol = 0 \(relative tolerance\) is outside \[1e-14, 0\.1\]"),
        ("--option maxord=99", r"option maxord = 99 .* is outside \[1, 2\]"),
        ("--option maxord=1.5", r"option maxord = 1\.5 .* is not a whole number"),
        ("--option reltol=1e300", r"option reltol = 1e\+300 .* is outside"),
        ("--option reltol=x", "'x' is not a number"),
        ("--option reltol=1e-3 --option reltol=1e-4", "reltol is given twice"),
        ("--workers 0", "Invalid value for '--workers'"),
        ("--timeout 0", r"timeout = 0 s is outside \[0\.1, 1e\+06\] s"),
        ("--timeout 1e-300", r"timeout = 1e-300 s is outside \[0\.1, 1e\+06\] s"),
        ("--timeout -5", r"timeout = -5 s is outside"),
        ("--timeout nan", r"timeout = nan s is outside"),
        ("--timeout inf", r"timeout = inf s is outside"),
        ("--timeout soon", "'soon' is not a valid float"),
    ],
)  # fmt: skip
def test_a_grid_that_makes_no_sense_is_refused(refused, monkeypatch, words, sentence):
    # Whether the timeout is right does not depend on an installed ngspice.
    monkeypatch.setattr("gaincell_char.spice.pool.find_library", lambda: "any")
    assert re.search(sentence, refused(*SWEEP, *words.split()))


def test_a_default_that_leaves_its_range_somewhere_in_the_grid_is_refused_before_the_first_run(refused, monkeypatch):
    monkeypatch.setattr("gaincell_char.cli.sweeping.Pool", lambda *_, **__: pytest.fail("it began to simulate"))
    # v_inb = vdd - v_in unless it is given: only at the last corner of this grid that is -1.7 V.
    said = refused(*SWEEP, "--axis", "vdd=2,0.3", "--axis", "v_in=0,2")
    assert re.search(r"v_inb = -1\.7 V .* is outside \[-1, 6\] V", said)


def test_a_long_list_of_values_is_checked_in_no_time():
    values = np.linspace(0, 1, 100_000).tolist()
    with pytest.raises(ParameterError, match=r"has 0\.5 twice"):
        registry.plan_bench("gain_cell", "dc", sweep={"v_store": [0.5, *values, 0.5]})


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("out.txt", r"out\.txt: unknown file ending '\.txt'; use \.nc, \.csv, \.parquet"),
        ("out", "out: unknown file ending ''; use"),
        ("missing/out.csv", r"missing/out\.csv: folder missing does not exist; create it first"),
        ("folder.csv", r"folder\.csv is a folder; name a file in it"),
        ("file/out.csv", "folder file does not exist; create it first"),
        ("/proc/out.csv", r"/proc/out\.csv cannot be written \(.*\); choose another place"),
        ("x" * 300 + ".csv", "File name too long"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_the_first_run(refused, tmp_path, output, sentence):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_text("")
    assert re.search(sentence, refused("sweep", "gain_cell", "dc", "-o", output))


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("out.txt", r"out\.txt: a record is a \.json file"),
        ("missing/out.json", r"missing/out\.json: folder missing does not exist; create it first"),
        ("folder.json", r"folder\.json is a folder; name a file in it"),
        ("/proc/out.json", r"/proc/out\.json cannot be written \(.*\); choose another place"),
    ],
)
def test_a_record_that_cannot_be_written_is_refused_before_the_fit(refused, tmp_path, output, sentence):
    (tmp_path / "folder.json").mkdir()
    assert re.search(sentence, refused("fit", "any.csv", "-o", output))


def test_a_folder_that_takes_no_files_is_refused_whoever_asks(refused, monkeypatch):
    """Root may write wherever the permissions forbid it; then the system's word counts: here it is EROFS."""

    def read_only(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tables.tempfile, "TemporaryFile", read_only)
    assert "out.csv cannot be written (Read-only file system); choose another place" in refused(*SWEEP)


def test_a_write_protected_file_is_not_replaced(refused, tmp_path, monkeypatch):
    (tmp_path / "out.csv").write_text("precious")
    monkeypatch.setattr(tables.os, "access", lambda _, mode: mode != os.W_OK)  # root is allowed everything
    assert "out.csv is write-protected; choose another name" in refused(*SWEEP)
    assert (tmp_path / "out.csv").read_text() == "precious"


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_main_job_that_could_not_write_is_refused(gaincell, tmp_path, out):
    (tmp_path / "file").write_text("")
    status, _, err = gaincell("run", "--out", out)
    assert status == 2
    assert re.search(r"file(/below)? cannot be created: .*; choose another place", err)


# Netlists


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (SUBCIRCUIT.format("x1 bl st nope"), r"neither the netlist nor the technology defines \.subckt nope"),
        (".subckt other a\n.ends", r"neither the netlist nor the technology defines \.subckt gain_cell"),
        (SUBCIRCUIT.format("r1 bl st {r_nope}"), "uses undeclared r_nope; declared are .*c_store"),
        (".include missing.cir", r"include .*missing\.cir cannot be read: No such file or directory"),
        (".include ../outside.cir", r"'\.\./outside\.cir' is outside .*; copy it into that folder"),
        (".include /etc/hostname", "'/etc/hostname' is outside"),
        (".include link.cir", r"'link\.cir' is outside"),
        (".include own.cir", "includes are nested more than 8 deep"),
        (".include binary.cir", r"include .*binary\.cir is not text"),
        (".include .", "cannot be read: Is a directory"),
        (".include a.cir b.cir", r"a\.cir b\.cir cannot be read"),
        (".lib models.lib tt", r"\.lib sections are not supported; \.include the file instead"),
        (".temp 85", "it would change the temperature; set it with --temp"),
        ("+ w=1u", "is not a device, card or continuation"),
        ("r1 b\N{MICRO SIGN} 0 1k", "is not a device, card or continuation in plain ASCII"),
        (SUBCIRCUIT.format("r1 bl 0"), r"cell\.cir, line 2: 'r1 bl 0' is incomplete"),
        (".model nch", r"cell\.cir, line 1: '\.model nch' is incomplete"),
        (".unheard of", r"line 1: .* no such card; a netlist may contain \.else"),
    ],
)  # fmt: skip
def test_an_incomplete_netlist_is_refused_with_its_line(refused, tmp_path, text, sentence):
    (tmp_path.parent / "outside.cir").write_text("r1 a 0 1k\n")
    (tmp_path / "own.cir").write_text(text if "own" in text else "")
    (tmp_path / "link.cir").symlink_to("/etc/hostname")
    (tmp_path / "binary.cir").write_bytes(b"r1 \xff\xfe a")
    (tmp_path / "cell.cir").write_text(text)
    for command in (SWEEP, ("netlist", "gain_cell", "dc")):
        said = refused(*command, "--netlist", "cell.cir")
        assert re.search(sentence, said)


@pytest.mark.parametrize(
    ("file", "why"), [("nope.cir", "No such file or directory"), (".", "Is a directory"), ("/dev/zero", "not a file")]
)
def test_a_netlist_that_cannot_be_read_is_refused(refused, file, why):
    assert re.search(f"netlist .* cannot be read: {why}", refused(*SWEEP, "--netlist", file))


def test_a_netlist_of_ones_own_takes_the_place_of_ours(gaincell, tmp_path):
    (tmp_path / "cell.cir").write_text("* mine\n.include sub/body.cir\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "body.cir").write_text(DEAD_CELL)
    status, deck, _ = gaincell("netlist", "gain_cell", "dc", "--netlist", "cell.cir")
    assert status == 0
    assert "r1 bl wlrb 1meg" in deck
    assert "n_rvt" not in deck


ATTACKS = {
    "control block": ".control\nshell touch {pwned}\n.endc",
    "upper case": ".CONTROL\nSHELL touch {pwned}\n.ENDC",
    "leading blanks": " \t .control\necho x > {pwned}\n .endc",
    "longer word": ".controls\necho x > {pwned}\n.endcs",
    "word with a sign": ".control=1\necho x > {pwned}\n.endc=1",
    "hash comment": "*# shell touch {pwned}",
    "indented hash comment": "  *# shell touch {pwned}",
    "continued hash comment": "+*# shell touch {pwned}",
    "after a title card": ".title x\n*# shell touch {pwned}",
    "before the end": ".end\nsecond deck\n*# shell touch {pwned}\n.end",
    "before another end": ".end x\nsecond deck\n*# shell touch {pwned}\n.end",
    "script": "*ng_script\nshell touch {pwned}",
    "pre command": "pre_shell touch {pwned}",
    "pre command behind hash": "*# pre_shell touch {pwned}",
    "code model": ".codemodel {evil}",
    "include": ".include {evil}",
    "include, shortest": ".inc {evil}",
    "include, one letter more": ".incl {evil}",
    "include, plural": ".includes {evil}",
    "include, glued": ".inc'x' {evil}",
    "library": ".lib {evil} tt",
    "library, longer": ".libs {evil} tt",
    "backticks in a parameter": ".param x=`touch {pwned}`",
    "backticks in csparam": ".csparam x=`touch {pwned}`",
    "backticks in a measurement": ".meas tran x param='`touch {pwned}`'",
    "backticks in options": ".options seed=`touch {pwned}`",
    "in a string": '.param s="\n*# shell touch {pwned}\n"',
    "in a subcircuit": ".subckt s a\n*# shell touch {pwned}\n.ends",
    "behind a double backslash": "r9 a 0 1k \\\\\n*# shell touch {pwned}",
    "behind a carriage return": "r9 a 0 1k\r*# shell touch {pwned}",
    "behind a form feed": "r9 a 0 1k\x0c*# shell touch {pwned}",
    "behind a line separator": "r9 a 0 1k\u2028*# shell touch {pwned}",
    "behind a null": "r9 a 0 1k\0\n*# shell touch {pwned}",
    "code model device": '.model fs filesource (file="{evil}")\na1 %v([b]) fs',
    "continued device": ".model fs d_proc\n+ess (process_file=\"{evil}\")\na1\n+ %v([b]) fs",
    "print": ".print op v(a) > {pwned}",
    "save": ".save all > {pwned}",
    "probe": ".probe alli > {pwned}",
    "CIDER": '.model m numd level=1\n+ output stat rootfile="{pwned}"\nd1 a 0 m',
    "a file, split": '.model m nmos\n+ rootfile\n+ ="{pwned}"',
    "CIDER, split": '.model m\n+ numd level=1\n+ doping ascii infile="{evil}"\nd1 a 0 m',
    # ngspice 39 takes a line that begins with one of these for a comment, and so for a command if a # follows.
    **{f"comment by {sign}": f"{sign}# shell touch {{pwned}}" for sign in "=[]?()&%$\"!:,;'{}<>|~^@-_/\\#é"},
    **{f"two comments by {sign}": f"{sign}*# shell touch {{pwned}}" for sign in "=[]?()&%$\"!:,;"},
}  # fmt: skip
HARMLESS = {"continued hash comment", "print", "save", "comment by ;", "two comments by ;"}
DIVIDER = "v1 a 0 1\nr1 a b 1k\nr2 b 0 1k\n"


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """Make an attack: a netlist's text, and the file that appears if it succeeds."""
    pwned, evil = tmp_path / "pwned", tmp_path / "evil.cir"
    evil.write_text(f"*# shell touch {pwned}\n.control\nshell touch {pwned}\n.endc\n")
    monkeypatch.chdir(tmp_path)
    return lambda how: (DIVIDER + ATTACKS[how].replace("{pwned}", str(pwned)).replace("{evil}", str(evil)), pwned)


def _loaded(body, pool):
    """Load and run a netlist as it stands, and return the outcome."""
    template = Template(title="any", temp=27.0, options=(), body=f"{body}\n.save v(b)", save=("v(b)",))
    deck = Deck(template=template, params={}, analysis=Op(), initial={})
    [(_, outcome)] = pool.map([deck], lambda d: d, count=1)
    return outcome


@pytest.mark.parametrize("how", [how for how in ATTACKS if how not in HARMLESS])
def test_a_netlist_that_could_run_a_command_is_refused(trap, how):
    with pytest.raises(NetlistError, match=r"is refused: |is not a device|no such card|only a netlist read from"):
        read_netlist(trap(how)[0])


@pytest.mark.ngspice
@pytest.mark.parametrize("how", sorted(HARMLESS))
def test_what_is_not_refused_does_no_harm(trap, pool, how):
    text, pwned = trap(how)
    _loaded(read_netlist(text).text, pool)
    assert not pwned.exists()


@pytest.mark.ngspice
@pytest.mark.parametrize(
    "how", ["control block", "longer word", "hash comment", "include, plural", "comment by (", "comment by é"]
)
def test_the_attacks_are_real(trap, pool, how):
    """Without our reading of the netlist, ngspice does what these ask for: else the test above says nothing."""
    text, pwned = trap(how)
    _loaded(text, pool)
    assert pwned.exists()


@pytest.mark.parametrize("how", ["hash comment", "longer word", "include, one letter more", "comment by ("])
def test_an_attack_in_an_included_file_is_refused(refused, trap, tmp_path, how):
    text, _ = trap(how)
    (tmp_path / "cell.cir").write_text(".include below.cir\n" + DEAD_CELL)
    (tmp_path / "below.cir").write_text(text)
    assert re.search(
        r"below\.cir, line 4: .* (is refused|is not a device|no such card|is outside)",
        refused(*SWEEP, "--netlist", "cell.cir"),
    )


def test_an_attack_in_a_pyspice_circuit_is_refused(trap):
    circuit = Circuit("any\n*# shell touch me")
    with pytest.raises(NetlistError, match=r"a \*# line is a command"):
        run.simulate(circuit, Op(), ["v(a)"])
    circuit = Circuit("any")
    circuit.raw_spice = trap("longer word")[0]
    with pytest.raises(NetlistError, match=r"a \.control block runs commands"):
        run.simulate(circuit, Op(), ["v(a)"])


def test_an_attack_in_a_technology_is_refused(refused, tmp_path):
    ours = Path(registry.files("gaincell_char.netlists")) / "tech" / "gc28"
    theirs = tmp_path / "theirs"
    shutil.copytree(ours, theirs)
    manifest = (ours / "technology.toml").read_text()
    (theirs / "technology.toml").write_text(
        manifest.replace("process_c = 0.03", 'process_c = 0.03\n"x=1\\n*# shell a" = 0.1')
    )
    assert "is not a name; use letters, digits and _" in refused("netlist", "gain_cell", "dc", "--tech", theirs)


def test_a_title_of_several_lines_is_refused(refused, tmp_path):
    ours = Path(registry.files("gaincell_char.netlists")) / "tech" / "gc28"
    theirs = tmp_path / "theirs"
    shutil.copytree(ours, theirs)
    manifest = (ours / "technology.toml").read_text()
    (theirs / "technology.toml").write_text(manifest.replace('name = "gc28"', 'name = "x\\n*# shell touch me"'))
    assert "is not a name; use letters, digits and" in refused("netlist", "gain_cell", "dc", "--tech", theirs)


_SNIPPETS = st.sampled_from(
    [
        "*#", "*", ".", "+", "(", "control", ".control", ".inc", ".include ", "shell x", "\n", "\r", "\x0b", "\x85",
        " ", "\t", ";", "$ ", "//", "\\\\", "r1 a 0 1", ".end", ".title", "'", '"', "`", "é", "\0", "a1", "{x}",
        ".model m nmos", "pre_",
    ]
)  # fmt: skip


@given(st.lists(_SNIPPETS, max_size=12).map("".join))
def test_whatever_passes_holds_only_devices_continuations_and_known_cards(text):
    try:
        lines = read_netlist(text).text.split("\n")
    except NetlistError:
        return
    for line in filter(None, lines):
        assert re.fullmatch(r"(\+|[b-zB-Z]|\.(model|include))[ -~\t]*", line), line
        assert "`" not in line


def test_what_spice_users_write_is_accepted():
    text = """* title
    .param a=1 b = {2*a}
    .func half(x, y) = {x/2 + a*y}
    .subckt leaf p n params: w=1u l = {w}   ; a comment
    m1 p n 0 0 card w={w} l={l}
    * in between
    + m=2
    .ends leaf
    xl c d leaf w = 2u
    e1 c 0 value={v(d)*half(1, b)}
    .model card nmos (level=54 version=4.8.2)
    .if (a == 1)
    r1 c d {temper*a} $ another
    .endif
    .tran 1n 1u
    + 0 1n
    .meas tran x max v(c)
    .end"""
    flat = read_netlist(text).text
    assert undeclared(as_netlist(flat), []) == set()
    check_instances(as_netlist(flat))
    assert "tran" not in flat
    assert "1n" not in flat


# Tables and records


@pytest.fixture(scope="module")
def measured():
    """A dataset of bench dc as simulated, had the cell been the published cubic."""
    plan = make_plan(
        CELL, "dc", registry.load_technology(), registry.load_netlist("gain_cell"),
        sweep={"v_store": np.linspace(0, 0.9, 19).tolist(), "v_in": [0.9], "v_bl": [0.45]},
    )  # fmt: skip
    data = characterize(plan, pool=NoPool()).dataset
    x = data.v_store - 0.45
    data["i_bl"] = data.i_bl.fillna(0) + 1e-6 * (0.2 + 3 * x - x**2 + 5 * x**3)
    data["status"] = data.status.copy(data=np.full(data.status.shape, "ok", dtype=object))
    return data


@pytest.fixture
def table(measured, tmp_path):
    """Write the dataset, changed, in a format and return the file."""

    def write(ending=".csv", change=lambda frame: frame):
        path = tmp_path / f"table{ending}"
        tables.write_dataset(measured, path)
        if ending == ".csv":
            change(tables.pd.read_csv(path)).to_csv(path, index=False)
        return path

    return write


@pytest.mark.parametrize("ending", tables.FORMATS)
def test_a_good_table_is_fitted_whatever_its_format(gaincell, table, tmp_path, ending):
    status, _, err = gaincell("fit", table(ending), "--model", "cubic", "-o", "fit.json")
    assert (status, err) == (0, "")
    assert read_record(tmp_path / "fit.json").fit("cubic").coefficients["c3"].value == pytest.approx(5e-6)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("missing.csv", None, r"table missing\.csv cannot be read: No such file"),
        ("folder.csv", "folder", r"table folder\.csv cannot be read: Is a directory"),
        ("table.xls", b"x", r"table\.xls: unknown file ending '\.xls'; use \.nc, \.csv, \.parquet"),
        ("empty.csv", b"", r"empty\.csv: cannot be read as \.csv: No columns"),
        ("empty.nc", b"", r"empty\.nc: cannot be read as \.nc: "),
        ("empty.parquet", b"", r"empty\.parquet: cannot be read as \.parquet: "),
        ("noise.csv", bytes(range(255, 0, -1)), r"noise\.csv: cannot be read as \.csv: "),
        ("noise.nc", bytes(range(256)), r"noise\.nc: cannot be read as \.nc: "),
        ("noise.parquet", bytes(range(256)), r"noise\.parquet: cannot be read as \.parquet: "),
        ("ragged.csv", b"a,b\n1,2\n1,2,3,4\n", r"ragged\.csv: cannot be read as \.csv: .*Expected 2 fields"),
        ("other.csv", b"a,b\n1,2\n", r"other\.csv does not state its circuit; add --circuit NAME"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_is_refused(refused, tmp_path, name, content, sentence):
    if content == "folder":
        (tmp_path / name).mkdir()
    elif content is not None:
        (tmp_path / name).write_bytes(content)
    said = refused("fit", name, "-o", "fit.json")
    assert re.search(sentence, said)
    assert said.count("\n") == 1


@pytest.mark.parametrize("ending", [".nc", ".parquet"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.99])
def test_a_truncated_table_is_refused(refused, table, ending, share):
    path = table(ending)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert re.search(rf"table\{ending}: cannot be read as \{ending}: ", refused("fit", path, "-o", "fit.json"))


@pytest.mark.parametrize(
    ("note", "sentence"),
    [
        ("{", "table.csv.json: not JSON: "),
        ("[1]", "table.csv: the description of its columns is damaged: Input should be a valid dictionary"),
        ('{"attrs": 3}', "table.csv: the description of its columns is damaged: attrs: Input should be a valid dict"),
        ('{"dims": 5}', "table.csv: the description of its columns is damaged: dims: Input should be a valid tuple"),
        ('"x"', "table.csv: the description of its columns is damaged: Input should be a valid dictionary"),
        ("[" * 100_000, "table.csv.json: JSON is nested too deeply"),
    ],
    ids=["cut", "list", "number", "dims", "word", "deep"],
)
def test_a_damaged_note_beside_a_table_is_refused(refused, table, note, sentence):
    path = table()
    Path(f"{path}.json").write_text(note)
    assert sentence in refused("fit", path, "-o", "fit.json")


def test_a_table_without_its_note_needs_to_be_told_what_it_is(refused, gaincell, table):
    path = table()
    Path(f"{path}.json").unlink()
    assert "does not state its circuit; add --circuit NAME" in refused("fit", path, "-o", "fit.json")
    words = ("fit", path, "-o", "fit.json", "--circuit", "gain_cell")
    assert "does not state its bench; add --bench NAME" in refused(*words)
    assert "gain_cell has no bench 'nope'; have dc" in refused(*words, "--bench", "nope")
    assert "gain_cell has no model 'nope'; have cubic" in refused(*words, "--bench", "dc", "--model", "nope")
    assert gaincell(*words, "--bench", "dc", "--model", "cubic")[0] == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.drop(columns="i_bl"), "model cubic needs i_bl; the table has v_store, v_in, v_bl"),
        (lambda t: t.drop(columns="v_store"), "model cubic needs v_store; the table has v_in, v_bl"),
        (lambda t: t.assign(i_bl=float("nan")), "19 rows contain no number, the first is row 1; --nan drop omits"),
        (lambda t: t.assign(i_bl=t.i_bl.where(t.v_store > 0)), "1 rows contain no number, the first is row 1; --nan"),
        (lambda t: t.assign(i_bl=1e-6), "i_bl is 1e-06 at every point: there is nothing to fit"),
        (lambda t: t.assign(v_store=0.1), "model cubic needs v_store to vary; the table has only v_store = 0.1"),
        (lambda t: t[t.v_store < 0.05], "model cubic needs v_store to vary; the table has only v_store = 0"),
        (lambda t: t.head(3), "model cubic has 4 coefficients for 3 points; widen the sweep"),
        (lambda t: t.assign(v_store=t.v_store.round()), "17 rows repeat a point, the first at v_store = 0"),
        (lambda t: t.assign(v_store=1e-9 * t.v_store), "the data do not determine .*; widen the sweep or choose"),
        (lambda t: t.assign(v_in=0.5), "model cubic is valid at v_in = 0.9; the table has v_in = 0.5"),
        (lambda t: t.assign(status="failed"), "no row has status 'ok': there is nothing to fit"),
        (lambda t: t.head(0), "there is nothing to fit"),
        (lambda t: t.assign(i_bl=["abc", *t.i_bl[1:]]), r"i_bl contains 'abc' in row 1, not a number"),
        (lambda t: t.assign(v_store=t.v_store.where(t.v_store > 0)), "not"),
    ],
)  # fmt: skip
def test_a_table_that_does_not_determine_a_model_is_refused(refused, table, change, sentence):
    said = refused("fit", table(change=change), "--model", "cubic", "-o", "fit.json")
    assert re.search(sentence, said)
    assert "nan" not in said.replace("--nan", "")


def test_a_failed_point_in_a_table_is_left_out_of_the_fit(gaincell, table):
    def fail_one(frame):
        frame.loc[0, ["i_bl", "status"]] = [float("nan"), "failed"]
        return frame

    assert gaincell("fit", table(change=fail_one), "--model", "cubic", "-o", "fit.json")[0] == 0


def test_an_undetermined_coefficient_is_named_in_python_too():
    frame = tables.pd.DataFrame(
        {"v_store": [0.1, 0.1, 0.2, 0.2, 0.2, 0.1], "i_bl": np.array([1, 2, 3, 4, 5, 6]) * 1e-6}
    )
    [selection] = select(CELL.model("cubic"), frame, ["v_store"], {"vdd": 0.9})
    with pytest.raises(GaincellError, match=r"the data do not determine c\d.*; widen the sweep"):
        fit_model(CELL.model("cubic"), selection, {"vdd": 0.9}, "A")


@pytest.mark.parametrize("version", [0, 3, "1", None])
def test_a_record_of_another_schema_version_is_refused(gaincell, table, tmp_path, version):
    gaincell("fit", table(), "--model", "cubic", "-o", "fit.json")
    raw = json.loads((tmp_path / "fit.json").read_text())
    (tmp_path / "fit.json").write_text(json.dumps({**raw, "schema_version": version}))
    with pytest.raises(DataError, match=rf"fit\.json: schema version {version}; this package reads versions 1 and 2"):
        read_record(tmp_path / "fit.json")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "not JSON"), ("[]", "schema version None"), ('{"schema_version": 1}', "circuit: Field required")],
)
def test_a_damaged_record_is_refused(tmp_path, text, sentence):
    (tmp_path / "fit.json").write_text(text)
    with pytest.raises(DataError, match=sentence):
        read_record(tmp_path / "fit.json")
    with pytest.raises(RequestError):
        read_record(tmp_path / "missing.json")
