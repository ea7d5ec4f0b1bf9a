"""Which devices of a deck vary, and where their numbers go: the hierarchy walked once, expressions evaluated."""

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from .errors import NetlistError
from .expression import evaluate
from .netlist import references

MISMATCH = ("dvth", "dmu")
"""Ports of a wrapper device through which its own deviation enters: threshold [V], mobility [1]."""
_ASSIGNMENT = re.compile(r"(\w+)\s*=\s*(\{[^{}]*\}|'[^']*'|[^\s{}]+)")
_DEEPEST = 30


@dataclass(frozen=True, kw_only=True)
class Hook:
    """One number of one element: what ``alter`` calls it, and its expression."""

    target: str
    expression: str


@dataclass(frozen=True, kw_only=True)
class Device:
    """One instance of a wrapper device.

    Attributes
    ----------
    path : str
        ``"xcell.xn"``.
    kind : str
        Name of the wrapper, ``"n_svt"``.
    values : mapping of str to float
        Its parameters and every global one.
    """

    path: str
    kind: str
    values: Mapping[str, float]
    hooks: tuple[Hook, ...]

    @property
    def mismatched(self) -> tuple[str, ...]:
        """Which of `MISMATCH` its hooks use."""
        used = set().union(*(references(hook.expression) for hook in self.hooks))
        return tuple(name for name in MISMATCH if name in used)

    def altered(self, deviations: Mapping[str, Any]) -> dict[str, Any]:
        """Target -> value, for deviations given as numbers or arrays by name."""
        scope = {**self.values, **deviations}
        return {hook.target: evaluate(hook.expression, scope, self.path) for hook in self.hooks}


@dataclass(frozen=True, kw_only=True)
class _Block:
    """A subcircuit: default of each parameter, and its lines."""

    defaults: Mapping[str, str]
    lines: tuple[str, ...]


def find_devices(body: str, params: Mapping[str, float], process: Sequence[str]) -> tuple[Device, ...]:
    """Every instance, in the order of the deck, whose elements use `MISMATCH` or a name of `process`.

    Parameters
    ----------
    body : str
        Flattened text: models, subcircuits and top-level lines, as in `Template.body`.
    params : mapping of str to float
        Value of every parameter of the deck.

    Raises
    ------
    NetlistError
        If such a name stands where ``alter`` cannot reach it, or an instance's value is no arithmetic.
    """
    blocks, top = _split(body)
    scope: dict[str, Any] = {name.lower(): value for name, value in params.items()}
    random = {*MISMATCH, *process}
    for line in top:
        if names := references(line) & random:
            raise NetlistError(
                f"{line[:60]!r} uses {', '.join(sorted(names))} outside a subcircuit, where Monte Carlo cannot vary it"
            )
    return tuple(_walk(top, "", "", scope, blocks, random))


def _split(body: str) -> tuple[dict[str, _Block], tuple[str, ...]]:
    blocks: dict[str, _Block] = {}
    top: list[str] = []
    current, name, defaults = top, "", {}
    for line in body.lower().replace("\n+", " ").splitlines():
        if line.startswith(".subckt"):
            name, current = line.split()[1], []
            defaults = dict(_ASSIGNMENT.findall(line))
        elif line.startswith(".ends"):
            blocks[name] = _Block(defaults=defaults, lines=tuple(current))
            current = top
        elif line.strip():
            current.append(line)
    return blocks, tuple(top)


def _walk(
    lines: Sequence[str], path: str, kind: str, scope: Mapping[str, Any], blocks: Mapping[str, _Block],
    random: AbstractSet[str],
) -> Iterator[Device]:  # fmt: skip
    if path.count(".") > _DEEPEST:
        raise NetlistError(f"{path}: subcircuits are nested too deep")
    local = dict(scope)
    hooks: list[Hook] = []
    for line in lines:
        if line.startswith((".if", ".elseif", ".else", ".func")) and path:
            raise NetlistError(
                f"{kind}: {line[:60]!r}: Monte Carlo cannot look into a subcircuit with {line.split()[0]}"
            )
        if line.startswith(".param"):
            local |= {n: evaluate(v, local, kind or "netlist") for n, v in _ASSIGNMENT.findall(line)}
        elif line.startswith("x"):
            yield from _instance(line, path, local, blocks, random)
        elif references(line) & random:
            hooks += _hooks(line, path, random)
    if hooks:
        yield Device(path=path, kind=kind, values=local, hooks=tuple(hooks))


def _instance(
    line: str, path: str, scope: Mapping[str, Any], blocks: Mapping[str, _Block], random: AbstractSet[str]
) -> Iterator[Device]:
    if names := references(line) & random:
        raise NetlistError(f"{line[:60]!r} hands on {', '.join(sorted(names))}, where Monte Carlo cannot vary it")
    given = dict(_ASSIGNMENT.findall(line))
    words = _ASSIGNMENT.sub(" ", line).replace("params:", " ").split()
    name, kind = words[0], words[-1]
    block = blocks[kind]
    where = f"{path}.{name}".lstrip(".")
    inner = dict(scope)
    for parameter, default in block.defaults.items():
        own = parameter in given
        inner[parameter] = evaluate(given[parameter] if own else default, scope if own else inner, where)
    yield from _walk(block.lines, where, kind, inner, blocks, random)


def _hooks(line: str, path: str, random: AbstractSet[str]) -> list[Hook]:
    element = line.split()[0]
    name = f"{element[0]}.{path}.{element}"
    hooks = [
        Hook(target=f"@{name}[{parameter}]", expression=expression)
        for parameter, expression in _ASSIGNMENT.findall(line)
        if references(expression) & random
    ]
    bare = _ASSIGNMENT.sub(" ", line)
    for expression in re.findall(r"\{[^{}]*\}", bare):
        if not references(expression) & random:
            continue
        if element[0] not in "rcl":
            raise NetlistError(f"{path}: Monte Carlo cannot vary {expression} of {element}")
        hooks.append(Hook(target=name, expression=expression))
    return hooks
