"""The places of README.md and docs/ that scripts write: between ``<!-- NAME: ... -->`` and ``<!-- end of NAME -->``."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def rewrite(page: str, name: str, text: str) -> None:
    """Put a text between the markers of a page, which is named as seen from the root of the repository."""
    path = ROOT / page
    block = re.compile(rf"(<!-- {name}:.*?-->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    whole, count = block.subn(lambda m: f"{m[1]}{text}\n{m[2]}", path.read_text(encoding="utf-8"))
    assert count == 1, f"{page} must have one block {name}"
    path.write_text(whole, encoding="utf-8")
