"""What an installed package holds: every file that the checkout has."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def _folder(package):
    for mapped, folder in SETUPTOOLS["package-dir"].items():
        if package == mapped or package.startswith(f"{mapped}."):
            return ROOT / folder / package.removeprefix(mapped).replace(".", "/").lstrip("/")
    return ROOT / package.replace(".", "/")


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
