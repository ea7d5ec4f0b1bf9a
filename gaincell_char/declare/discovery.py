"""Where circuits and heads are declared: modules of ``circuits/`` and of the folders in it, by file name alone."""

import importlib
import pkgutil

CIRCUITS = "gaincell_char.circuits"
HEADS = f"{CIRCUITS}.heads"


def circuit_modules() -> dict[str, str]:
    """Return circuit name -> dotted name of its module, sorted.

    A circuit is declared in ``circuits/<name>.py`` or, in the folder of its family, in ``circuits/<family>/<name>.py``.
    Modules whose names begin with an underscore are parts of others.
    """
    found = _modules(CIRCUITS)
    for family in _folders(CIRCUITS):
        if family != HEADS:
            found |= _modules(family)
    return dict(sorted(found.items()))


def head_modules() -> dict[str, str]:
    """Return name of an attention head -> dotted name of its module, sorted."""
    return dict(sorted(_modules(HEADS).items()))


def _modules(package: str) -> dict[str, str]:
    return {m.name: f"{package}.{m.name}" for m in _public(package) if not m.ispkg}


def _folders(package: str) -> list[str]:
    return [f"{package}.{m.name}" for m in _public(package) if m.ispkg]


def _public(package: str) -> list[pkgutil.ModuleInfo]:
    return [m for m in pkgutil.iter_modules(importlib.import_module(package).__path__) if m.name[0] != "_"]
