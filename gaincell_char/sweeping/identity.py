"""Identity of a result: a hash of everything that determines it; results with different hashes are not mixed.

`digest` hashes declarations field by field: numbers, texts, stimuli, and functions by their source code.
`source_digest` hashes the source files of this package that affect a point, from its declaration to its stored row.
"""

import ast
import hashlib
import importlib.util
import pickle
import pkgutil
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from functools import cache, partial
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
from pydantic import BaseModel

from ..declare.discovery import CIRCUITS, circuit_modules
from ..errors import DataError
from ..spice.netlist import Netlist
from ..storage.untrusted import printable

_PACKAGE = __name__.split(".")[0]
_EVERY_POINT = ("declare", "spice", "technology", "sweeping", "units", "registry")
"""Packages and modules that affect every point."""
_LENGTH = 16


def digest(*parts: object) -> str:
    """Hash of values, which may be declarations; values that differ anywhere have different hashes.

    A function enters with its source code, defaults, closure, and the functions and constants of its package that it
    uses.  Module names do not enter: a file may be moved.

    Raises
    ------
    DataError
        If a value cannot be hashed.
    """
    hashed = hashlib.sha256()
    for text in _texts(parts, frozenset()):
        hashed.update(f"{len(text)}:".encode() + text)
    return hashed.hexdigest()[:_LENGTH]


def _texts(value: object, around: Set[int]) -> Iterator[bytes]:
    """A value as bytes; `around` are the ids of the enclosing functions."""
    match value:
        case None | bool() | int() | float() | str() | bytes():
            yield f"{type(value).__name__} {value!r}".encode()
        case np.generic():
            yield from _texts(value.item(), around)
        case np.ndarray():
            yield f"array {value.dtype.str} {value.shape}".encode()
            yield np.ascontiguousarray(value).tobytes()
        case Netlist():
            yield value.text.encode()
        case FunctionType() | MethodType() | BuiltinFunctionType() | np.ufunc() | partial():
            yield from _function(value, around)
        case Mapping():
            yield f"mapping {len(value)}".encode()
            for pair in value.items():
                yield from _texts(pair, around)
        case set() | frozenset():
            yield f"set {len(value)}".encode()
            yield from sorted(digest(item).encode() for item in value)
        case list() | tuple() | range():
            yield f"sequence {len(value)}".encode()
            for item in value:
                yield from _texts(item, around)
        case type():
            yield f"{value.__module__}.{value.__qualname__}".encode()
        case BaseModel():
            yield from _fields(value, type(value).model_fields, around)
        case _ if is_dataclass(value):
            yield from _fields(value, [field.name for field in fields(value)], around)
        case _:
            yield _pickled(value)


def _pickled(value: object) -> bytes:
    """Any other value in a closure, pickled."""
    try:
        return pickle.dumps(value)
    except Exception as error:
        # Objects of libraries may raise any exception.
        said = f"a value of type {type(value).__name__} cannot be identified, since it cannot be pickled"
        raise DataError(f"{said}: {printable(str(error))}") from None


def _fields(value: object, names: Iterable[str], around: Set[int]) -> Iterator[bytes]:
    yield type(value).__qualname__.encode()
    for name in names:
        yield name.encode()
        yield from _texts(getattr(value, name), around)


def _function(value: Any, around: Set[int]) -> Iterator[bytes]:
    match value:
        case partial():
            yield from _texts(("partial", value.func, value.args, value.keywords), around)
        case MethodType():
            yield from _texts(("method", value.__self__, value.__func__), around)
        case FunctionType() if id(value) not in around:
            yield value.__qualname__.encode()
            yield _source(value.__code__)
            inside = around | {id(value)}
            yield from _texts((value.__defaults__, value.__kwdefaults__), inside)
            yield from _texts([cell.cell_contents for cell in value.__closure__ or ()], inside)
            yield from _texts(dict(_used(value)), inside)
        case _:
            yield f"function {getattr(value, '__module__', '')}.{value.__name__}".encode()


def _used(function: FunctionType) -> Iterator[tuple[str, object]]:
    """Functions and constants of its package that a function uses, by name."""
    own = (function.__module__ or "").partition(".")[0]
    for name in sorted(_names(function.__code__)):
        value = function.__globals__.get(name)
        if isinstance(value, FunctionType):
            if (value.__module__ or "").partition(".")[0] == own:
                yield name, value
        elif isinstance(value, bool | int | float | str | tuple | np.ndarray):
            yield name, value


def _names(code: CodeType) -> set[str]:
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _source(code: CodeType) -> bytes:
    """Source code of a function; its byte code if there is no file, as in a notebook."""
    try:
        node = _node(code)
    except (OSError, SyntaxError, ValueError):
        node = None
    return node.encode() if node is not None else b"".join(_byte_code(code))


def _byte_code(code: CodeType) -> Iterator[bytes]:
    yield code.co_code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _byte_code(constant)
        else:
            yield repr(constant).encode()


def _node(code: CodeType) -> str | None:
    """Source code of a code object's function; several functions may begin in one line."""
    found = _functions(code.co_filename).get(code.co_firstlineno, ())
    if len(found) < 2:
        return found[0][1] if found else None
    # The first instructions of a code object have no position in the source code.
    places = [(line, column) for line, _, column, _ in code.co_positions() if line is not None and column]
    first = min(places, default=(0, 0))
    inside = [(start, text) for start, text in found if start <= first]
    return max(inside)[1] if inside else None


@cache
def _functions(file: str) -> Mapping[int, Sequence[tuple[tuple[int, int], str]]]:
    """Line -> functions that begin in it: start of the body, and source code."""
    source = Path(file).read_text(encoding="utf-8")
    texts = source.encode().split(b"\n")
    lines: dict[int, list[tuple[tuple[int, int], str]]] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
            first = min((d.lineno for d in decorators), default=node.lineno)
            body = node.body[0] if isinstance(node, ast.FunctionDef) else node.body
            text = _segment(texts, node)
            lines.setdefault(first, []).append(((body.lineno, body.col_offset), text))
    return lines


def _segment(lines: Sequence[bytes], node: ast.expr | ast.stmt) -> str:
    """Source code of a node, as from `ast.get_source_segment`, which would split the whole file for each node."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    found = list(lines[first : last + 1])
    found[-1] = found[-1][: node.end_col_offset]
    found[0] = found[0][node.col_offset :]
    return b"\n".join(found).decode()


def source_digest(declarations: Iterable[str], more: Sequence[str] = ()) -> str:
    """Hash of the source files that affect a point.

    Parameters
    ----------
    declarations : iterable of str
        Names of circuits, or ``heads.`` and the name of a head.  Modules of ``circuits/`` that they import are
        included.
    more : sequence of str
        Packages and modules in addition to those of every point.

    Raises
    ------
    DataError
        If the source file of a module is missing.
    """
    hashed = hashlib.sha256()
    for name in [*point_modules(more), *sorted(_with_imports(declarations))]:
        source = _file(name).read_bytes()
        hashed.update(f"{name} {len(source)}\n".encode() + source)
    return hashed.hexdigest()[:_LENGTH]


def point_modules(more: Sequence[str] = ()) -> list[str]:
    """Dotted names of the modules that affect a point."""
    return sorted(name for package in (*_EVERY_POINT, *more) for name in _modules(f"{_PACKAGE}.{package}"))


def _modules(name: str) -> Iterator[str]:
    """A module, or the modules of a package."""
    file = _file(name)
    if file.name != "__init__.py":
        yield name
        return
    for found in pkgutil.iter_modules([str(file.parent)]):
        yield f"{name}.{found.name}"


def _with_imports(declarations: Iterable[str]) -> set[str]:
    """Dotted names of declarations and of all modules in ``circuits/`` that they import, directly or indirectly."""
    found: set[str] = set()
    homes = circuit_modules()
    waiting = [homes.get(name, f"{CIRCUITS}.{name}") for name in declarations]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imports(name)
    return found


def _imports(name: str) -> Iterator[str]:
    """Modules in ``circuits/`` imported by a module in ``circuits/``."""
    package = name if _file(name).name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(_file(name).read_bytes())):
        if isinstance(node, ast.ImportFrom):
            home = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            candidates = [home, *(f"{home}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            candidates = [alias.name for alias in node.names]
        else:
            continue
        yield from (c for c in candidates if c.startswith(f"{CIRCUITS}.") and _exists(c))


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # a name inside a module, not a module
        return False


def _file(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise DataError(f"the source file of {name} is missing; results cannot be identified without it")
    return Path(spec.origin)
