"""What an installed package contains: every file and folder of the checkout; every library it imports is declared."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from pkgutil import resolve_name

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, SETUPTOOLS = PYPROJECT["project"], PYPROJECT["tool"]["setuptools"]
TOPS = {"gaincell_char": "gaincell_char", **SETUPTOOLS["package-dir"]}
# Extras that a user installs; those for development are no excuse for an import of the package.
EXTRAS = ("data", "dask", "torch")
# _typeshed is known to type checkers only.
KNOWN = {*sys.stdlib_module_names, "gaincell_char", "_typeshed"}


def _folder(package):
    """Folder of a package, by the longest name that is mapped to one."""
    top = max((name for name in TOPS if f"{package}.".startswith(f"{name}.")), key=len)
    return ROOT / TOPS[top] / package.removeprefix(top).replace(".", "/").lstrip("/")


def _packages():
    """Every folder with Python files, by the name of its package."""
    for top, folder in TOPS.items():
        for file in (ROOT / folder).rglob("*.py"):
            yield ".".join([top, *file.parent.relative_to(ROOT / folder).parts])


def test_every_folder_with_code_is_a_listed_package():
    listed, there = set(SETUPTOOLS["packages"]), set(_packages())
    assert len(listed) == len(SETUPTOOLS["packages"])
    assert not there - listed, f"add to packages in pyproject.toml: {sorted(there - listed)}"
    assert not listed - there, f"remove from packages in pyproject.toml: {sorted(listed - there)}"


def test_every_file_beside_the_code_is_installed():
    found = {
        file
        for name, patterns in SETUPTOOLS["package-data"].items()
        for p in patterns
        for file in _folder(name).glob(p)
    }
    for package in SETUPTOOLS["packages"]:
        found |= set(_folder(package).glob("*.py"))
    tops = {_folder(package) for package in SETUPTOOLS["packages"]}
    there = {file for top in tops for file in top.rglob("*") if file.is_file() and "__pycache__" not in file.parts}
    assert not {str(file.relative_to(ROOT)) for file in there - found}


def _imported():
    """Name of every module that the package imports, wherever in a file, with the file."""
    for package in SETUPTOOLS["packages"]:
        for file in _folder(package).glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    yield from ((alias.name.partition(".")[0], file) for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    yield node.module.partition(".")[0], file


def _normal(name):
    """Name of a distribution as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_library_that_the_package_imports_is_declared():
    wanted = [*PROJECT["dependencies"], *(line for extra in EXTRAS for line in PROJECT["optional-dependencies"][extra])]
    declared = {_normal(re.match(r"[\w.-]+", line)[0]) for line in wanted}
    homes = packages_distributions()
    imported = {(name, str(file.relative_to(ROOT))) for name, file in _imported()}
    outside = {(name, file) for name, file in imported if name not in KNOWN}
    assert {"numpy", "PySpice", "torch"} <= {name for name, _ in outside}
    assert not {
        (name, file) for name, file in outside if not declared & {_normal(home) for home in homes.get(name, [name])}
    }


def _exists(dotted):
    """Whether a dotted name is a module, an object in one, or a field of a dataclass."""
    try:
        resolve_name(dotted)
    except (ImportError, AttributeError):
        home, _, field = dotted.rpartition(".")
        try:
            return field in getattr(resolve_name(home), "__dataclass_fields__", {})
        except (ImportError, AttributeError):
            return False
    return True


def test_every_new_name_of_the_migration_page_exists():
    text = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    new = [name for _, cell, *_ in rows for name in re.findall(r"`(gaincell_char[\w.]*)`", cell)]
    assert len(new) > 50
    assert not [name for name in new if not _exists(name)]
