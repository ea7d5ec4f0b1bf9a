"""Hash of the source code that decides a result: what cannot be proved to be the same is not mixed.

The text of a deck says what was simulated, but not how its waveforms became a number.  A campaign and a comparison
therefore also hash the modules between a declaration and its result, and the files in ``circuits/`` that declare it.
"""

import ast
import hashlib
import importlib.util
import pkgutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import DataError

_PACKAGE = __name__.split(".")[0]
_CIRCUITS = f"{_PACKAGE}.circuits"
_PACKAGES = ("declare", "spice", "technology", "sweep", "validation")
_MODULES = (
    "units",
    "registry",
    "montecarlo.sampling",
    "montecarlo.campaign",
    "montecarlo.chunks",
    "montecarlo.execute",
    "montecarlo.finished",
    "storage.shards",
)
"""What a point runs through, from its declaration to its row among the finished ones."""


def source_digest(declarations: Iterable[str]) -> str:
    """Hash of the modules that a point runs through and of declarations, with what those import from ``circuits/``.

    Parameters
    ----------
    declarations : iterable of str
        Modules in ``circuits/``, with dots: a circuit's name, or ``heads.`` and that of a head.
    """
    names = [*_path(), *sorted(_with_imports(declarations))]
    hashed = hashlib.sha256()
    for name in names:
        source = _file(name).read_bytes()
        hashed.update(f"{name} {len(source)}\n".encode() + source)
    return hashed.hexdigest()[:16]


def _path() -> list[str]:
    """Dotted names of the modules that a point runs through."""
    inside = [
        f"{package}.{found.name}"
        for package in _PACKAGES
        for found in pkgutil.iter_modules([str(_file(f"{_PACKAGE}.{package}").parent)])
    ]
    return [f"{_PACKAGE}.{name}" for name in sorted((*inside, *_MODULES))]


def _with_imports(declarations: Iterable[str]) -> set[str]:
    """Dotted names of declarations and of every module in ``circuits/`` that they import, directly or not."""
    found: set[str] = set()
    waiting = [f"{_CIRCUITS}.{name}" for name in declarations]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imports(name)
    return found


def _imports(name: str) -> Iterator[str]:
    """Modules in ``circuits/`` that a module there imports."""
    package = name if _file(name).name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(_file(name).read_bytes())):
        if isinstance(node, ast.ImportFrom):
            home = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            candidates = [home, *(f"{home}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            candidates = [alias.name for alias in node.names]
        else:
            continue
        yield from (c for c in candidates if c.startswith(f"{_CIRCUITS}.") and _exists(c))


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # a name inside a module, not a module
        return False


def _file(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise DataError(f"the source of {name} is not there; a result cannot be identified without it")
    return Path(spec.origin)
