"""Blocks of README.md and docs/ that scripts write, between ``<!-- NAME: ... -->`` and ``<!-- end of NAME -->``."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _block(name: str) -> re.Pattern[str]:
    """Marker, text and end marker, as three groups."""
    return re.compile(rf"(<!-- {name}:.*?-->\n)(.*?)(<!-- end of {name} -->)", re.DOTALL)


def read(page: str, name: str) -> str:
    """Text between the markers of a page; the path of the page is relative to the root of the repository."""
    [(_, text, _)] = _block(name).findall((ROOT / page).read_text(encoding="utf-8"))
    return str(text)


def rewrite(page: str, name: str, text: str) -> None:
    """Put a text between the markers of a page; the path of the page is relative to the root of the repository."""
    path = ROOT / page
    whole, count = _block(name).subn(lambda m: f"{m[1]}{text}\n{m[3]}", path.read_text(encoding="utf-8"))
    assert count == 1, f"{page} must have one block {name}"
    path.write_text(whole, encoding="utf-8")
