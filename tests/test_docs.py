"""What README and tutorial tell a reader to type, typed."""

import os
import pkgutil
import re
import shlex
from pathlib import Path

import click
import pytest

from gaincell_char.cli import cli
from gaincell_char.workflows import technology_checks

ALL = os.environ.get("GAINCELL_TESTS") == "all"
ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md", "docs/tutorial.md", "docs/statistics.md", "docs/software-model.md", "docs/technologies.md",
    "docs/external-data.md", "docs/exports.md", "docs/extending.md",
)  # fmt: skip
# Their examples simulate for half a minute.
LONG = ("docs/statistics.md", "docs/software-model.md", "docs/technologies.md")
# Words of a page and what stands for them in the short form of the tests; ./go test --all types what is written.
SMALLER = {
    "README.md": {
        "v_store=0:0.9:37 --corner tt,ss --temp 27,85": "v_store=0:0.9:9 --corner tt,ss --temp 27,85",
        "-n 512": "-n 32",
        "rand(12, 128, 64)": "rand(2, 16, 64)",
        "--columns 4 --gate": "--tokens 16 --dim 16 --columns 1 --gate",
        "--tech sky130 --corner tt,ss": "--tech sky130 --axis v_store=0:1.8:3 --corner tt,ss",
    },
    "docs/tutorial.md": {"v_in=450m:900m:10": "v_in=450m:900m:4", "-n 64": "-n 16"},
}
# These pages contain names of the package; tests/test_package.py looks up those of docs/migration.md.
LISTING_NAMES = (
    "docs/reference.md", "docs/tutorial.md", "docs/software-model.md", "docs/statistics.md",
    "docs/extending.md", "docs/external-data.md", "docs/exports.md", "README.md",
)  # fmt: skip
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# The first line of a block that is a file: "# mytech/technology.toml", "* my_cell.cir: what it is".
FILE = re.compile(r"[#*] ([\w/]+\.\w+)(?:: .*)?\n")


def type_commands(block, capsys):
    """Run each line that calls gaincell, a redirection included."""
    for line in block.splitlines():
        command = line.partition("  #")[0].strip()
        if not command.startswith("gaincell "):
            continue
        words = shlex.split(command)
        target = words[words.index(">") + 1] if ">" in words else None
        capsys.readouterr()
        cli.main(words[1 : words.index(">") if target else None], standalone_mode=False)
        if target:
            Path(target).write_text(capsys.readouterr().out, encoding="ascii")


@pytest.mark.ngspice
@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[pytest.mark.long] if page in LONG else []) for page in PAGES]
)
@pytest.mark.slow
def test_every_command_and_every_line_of_python_runs_in_order(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if not ALL:  # a sample of every campaign, the last check of a technology, takes longer than all others
        monkeypatch.setattr(technology_checks, "CHECKS", technology_checks.CHECKS[:-1])
    names: dict[str, object] = {}  # a page's blocks follow each other
    text = (ROOT / page).read_text(encoding="utf-8")
    for written, smaller in ({} if ALL else SMALLER.get(page, {})).items():
        assert written in text
        text = text.replace(written, smaller)
    for language, block in BLOCK.findall(text):
        if language == "sh" and "pip install" not in block and "go run" not in block:
            type_commands(block, capsys)
        elif language == "python" and not FILE.match(block):
            exec(compile(block, page, "exec"), names)  # noqa: S102  our own documentation
        elif language != "sh" and (named := FILE.match(block)):
            path = tmp_path / named[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block, encoding="utf-8")
    assert list(tmp_path.iterdir())


@pytest.mark.parametrize("page", [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"], ids=lambda p: p.name)
def test_every_link_leads_to_a_file(page):
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def has_name(path):
    """Whether a module, class, function or field of a class has this dotted name."""
    try:
        pkgutil.resolve_name(path)
    except (ImportError, AttributeError):
        owner, _, field = path.rpartition(".")
        try:
            return field in pkgutil.resolve_name(owner).__annotations__
        except (ImportError, AttributeError):
            return False
    return True


@pytest.mark.parametrize("page", LISTING_NAMES)
def test_every_python_name_on_a_page_exists(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(r"(?<![\w.])(?:gaincell_char|gc)(?:\.[A-Za-z_]\w*)+", text)
    names = {re.sub(r"^gc\.", "gaincell_char.", name) for name in found}
    assert names
    assert not [name for name in sorted(names) if not has_name(name)]


@pytest.mark.parametrize("command", [None, *cli.commands])
def test_help_shows_an_example_on_lines_of_its_own(command):
    help_ = (cli.commands[command] if command else cli).get_help(click.Context(cli, info_name="gaincell"))
    assert "\\b" not in help_
    assert re.search(r"^ +(Example: +)?gaincell \w+", help_, re.MULTILINE)
