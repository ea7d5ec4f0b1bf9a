"""Devices of a deck that vary in Monte Carlo, and the element values to alter: one traversal of the hierarchy."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from ..declare.arithmetic import evaluate, references
from ..errors import NetlistError
from ..storage.untrusted import shown
from .cards import Card
from .netlist import Item, Netlist, Subcircuit

MISMATCH = ("dvth", "dmu", "dcap")
"""Parameters of a wrapper device for its mismatch: threshold voltage [V], relative mobility, relative capacitance."""
_EXPRESSION = re.compile(r"\{[^{}]*\}")
_ALTERABLE = "rclmjqzdn"
"""First letters of elements whose values ``alter`` changes; in a source, ngspice leaves the old value in place."""
_LONGEST_SHOWN = 60
_DEEPEST = 30
_MOST_INSTANCES = 100_000


@dataclass(frozen=True, kw_only=True)
class _Drawn:
    """Name of a random parameter, with its `nominal` value.

    A mismatch deviation is added to the value of the instance; a process parameter is replaced by the drawn value.
    """

    name: str
    nominal: float

    def at(self, deviations: Mapping[str, Any]) -> Any:
        """Value at the given deviations."""
        if self.name in MISMATCH:
            return self.nominal + deviations.get(self.name, 0.0)
        return deviations.get(self.name, self.nominal)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Later:
    """A value that depends on random parameters: an expression, and the scope in which its names are defined."""

    expression: str
    scope: "_Scope"

    @cached_property
    def random_names(self) -> AbstractSet[str]:
        """Names of the random parameters it depends on, directly or indirectly."""
        return _random_names(self.expression, self.scope)


_Scope = Mapping[str, float | _Drawn | _Later]
_Known = dict[_Later, Any]


@lru_cache(maxsize=4096)  # every instance of a subcircuit has the same expressions
def _names(expression: str) -> frozenset[str]:
    return references(expression if "{" in expression else f"{{{expression}}}")


def _random_names(expression: str, scope: _Scope) -> set[str]:
    """Names of the random parameters that an expression depends on, directly or indirectly."""
    found: set[str] = set()
    for name in _names(expression):
        value = scope.get(name, 0.0)
        if isinstance(value, _Drawn):
            found.add(value.name)
        elif isinstance(value, _Later):
            found |= value.random_names
    return found


def _value(expression: str, scope: _Scope, deviations: Mapping[str, Any], where: str, known: _Known) -> Any:
    """Evaluate an expression at the given deviations; random parameters without a deviation are nominal.

    ``known`` caches intermediate values, so that shared subexpressions are evaluated once.
    """
    numbers: dict[str, Any] = {}
    for name in _names(expression) & scope.keys():
        value = scope[name]
        if isinstance(value, _Drawn):
            numbers[name] = value.at(deviations)
        elif isinstance(value, _Later):
            if value not in known:
                known[value] = _value(value.expression, value.scope, deviations, where, known)
            numbers[name] = known[value]
        else:
            numbers[name] = value
    return evaluate(expression, numbers, where)


@dataclass(frozen=True, kw_only=True)
class Hook:
    """One value of one element: its target in the command ``alter``, and its expression."""

    target: str
    value: _Later

    @property
    def names(self) -> set[str]:
        """Random parameters it depends on."""
        return set(self.value.random_names)


@dataclass(frozen=True, kw_only=True)
class Device:
    """One instance of a wrapper device.

    Attributes
    ----------
    path : str
        Hierarchical name, for example ``"xcell.xn"``.
    kind : str
        Name of the wrapper, for example ``"n_svt"``.
    values : mapping of str to float
        Parameters of the instance and global parameters, in SI units.
    hooks : tuple of Hook
        Values of its elements that depend on random parameters.
    """

    path: str
    kind: str
    values: Mapping[str, float]
    hooks: tuple[Hook, ...]

    @property
    def mismatched(self) -> tuple[str, ...]:
        """Names in `MISMATCH` that its hooks use."""
        used = set().union(*(hook.names for hook in self.hooks))
        return tuple(name for name in MISMATCH if name in used)

    def altered(self, deviations: Mapping[str, Any]) -> dict[str, Any]:
        """Target -> value, in SI units; `deviations` maps a random parameter to a number or an array (elementwise)."""
        known: _Known = {}
        return {
            hook.target: _value(hook.value.expression, hook.value.scope, deviations, self.path, known)
            for hook in self.hooks
        }


def block_defaults(library: Netlist) -> dict[str, dict[str, float]]:
    """Subcircuit -> parameters whose default is a plain number, with that number."""
    return {
        name: {
            parameter: float(evaluate(text, {}, f"{name}: {parameter}"))
            for parameter, text in block.defaults.items()
            if not references(text)
        }
        for name, block in library.subcircuits.items()
    }


def find_devices(netlist: Netlist, params: Mapping[str, float], process: Sequence[str]) -> tuple[Device, ...]:
    """Find every instance, in the order of the deck, whose elements depend on a random parameter.

    Parameters
    ----------
    netlist : Netlist
        The complete netlist, as in `Template.netlist`.
    params : mapping of str to float
        Value of every parameter of the deck, in SI units.
    process : sequence of str
        Names of the process parameters, random in addition to `MISMATCH`.

    Raises
    ------
    NetlistError
        If a random parameter is used where ``alter`` cannot reach it, the value of an instance is not arithmetic,
        parameters have a circular definition, or there are more than 100,000 instances.
    """
    try:
        return _found_devices(netlist, params, process)
    except RecursionError:
        raise NetlistError(
            "Monte Carlo cannot evaluate the netlist: parameters have a circular definition, or an expression is "
            "nested too deeply"
        ) from None


def _found_devices(netlist: Netlist, params: Mapping[str, float], process: Sequence[str]) -> tuple[Device, ...]:
    scope: dict[str, Any] = {name.lower(): value for name, value in params.items()}
    scope |= {name: _Drawn(name=name, nominal=scope.get(name, 0.0)) for name in process}
    for card in netlist.top:
        # Parameters of the technology may depend on a process parameter; alter reaches neither.
        if names := card.references & {*MISMATCH, *process}:
            raise NetlistError(
                f"{card.lowered[:60]!r} uses {', '.join(sorted(names))} outside a subcircuit, where Monte Carlo cannot "
                "vary it; use it inside one"
            )
    found: dict[str, Device] = {}
    for path, kind, scope_, hooks in _walk(netlist.top, _Place(), scope, _Library(blocks=netlist.subcircuits)):
        values = {name: value for name, value in scope_.items() if isinstance(value, float | int)}
        before = found[path].hooks if path in found else ()
        found[path] = Device(path=path, kind=kind, values=values, hooks=(*before, *hooks))
    return tuple(found.values())


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Place in the hierarchy: ``root`` is the enclosing wrapper device, ``given`` the parameters the instance sets."""

    path: str = ""
    kind: str = ""
    root: str = ""
    given: AbstractSet[str] = frozenset()


_Found = tuple[str, str, _Scope, tuple[Hook, ...]]


@dataclass(frozen=True, kw_only=True)
class _Library:
    """Subcircuits by name, and the number of instances visited so far."""

    blocks: Mapping[str, Subcircuit]
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def block(self, kind: str, where: str) -> Subcircuit:
        """Return the subcircuit of one more instance."""
        if kind not in self.blocks:
            raise NetlistError(f"{where}: subcircuit {kind} is not defined")
        if next(self.numbers) >= _MOST_INSTANCES:
            raise NetlistError(f"{where}: the netlist has more than {_MOST_INSTANCES} instances")
        return self.blocks[kind]


def _walk(items: Iterable[Item], at: _Place, scope: _Scope, library: _Library) -> Iterator[_Found]:
    if at.path.count(".") > _DEEPEST:
        raise NetlistError(f"{at.path}: subcircuits are nested more than {_DEEPEST} deep")
    local = dict(scope)
    hooks: list[Hook] = []
    inner: list[_Found] = []
    for card in items:
        if isinstance(card, Subcircuit):
            continue
        if card.kind in (".if", ".elseif", ".else", ".func") and at.path:
            raise NetlistError(
                f"{at.kind}: {card.lowered[:60]!r}: Monte Carlo cannot evaluate a subcircuit with {card.kind}"
            )
        if card.kind == ".param":
            for name, text in card.assignments.items():
                # A value of the instance overrides that of the subcircuit; ngspice sorts the outermost ones itself.
                if not at.path:
                    local[name] = _Later(expression=text, scope=local)
                elif name not in at.given:
                    local[name] = _bound(text, dict(local), at.kind)
        elif card.kind == "x":
            inner += _instance(card, at, local, library)
        else:
            hooks += _hooks(card, at, local)
    own = [item for item in inner if item[0] == at.root] if at.root else []
    hooks += [hook for item in own for hook in item[3]]
    yield from (item for item in inner if item not in own)
    if hooks:
        yield at.root or at.path, at.kind, local, tuple(hooks)


def _bound(text: str, scope: _Scope, where: str) -> Any:
    """Value of an assignment: a number, or a `_Later` if it depends on random parameters."""
    return _Later(expression=text, scope=scope) if _random_names(text, scope) else _value(text, scope, {}, where, {})


def _instance(card: Card, at: _Place, scope: _Scope, library: _Library) -> Iterator[_Found]:
    given = card.assignments
    name, kind = card.positional[0], card.positional[-1]
    where = f"{at.path}.{name}".lstrip(".")
    block = library.block(kind, where)
    # Names of the caller stay visible, as in ngspice, with the values they have at this point.
    inner: dict[str, Any] = {**scope, **{parameter: _bound(text, scope, where) for parameter, text in given.items()}}
    root = at.root
    for parameter, default in block.defaults.items():
        if parameter not in given:
            inner[parameter] = _bound(default, dict(inner), where)
        own = inner[parameter]
        if parameter in MISMATCH and isinstance(own, _Later) and not at.root:
            raise NetlistError(
                f"{where}: {parameter} = {shown(own.expression)[1:-1]} depends on "
                f"{', '.join(sorted(own.random_names))}, so Monte Carlo cannot add a deviation; use a number"
            )
        if parameter in MISMATCH and not isinstance(own, _Later):
            inner[parameter] = _Drawn(name=parameter, nominal=own)
            root = root or where
    place = _Place(path=where, kind=kind, root=root, given=given.keys())
    yield from _walk(block.items, place, inner, library)


def _hooks(card: Card, at: _Place, scope: _Scope) -> list[Hook]:
    element = card.words[0]
    if element.startswith("."):
        if names := _random_names(card.lowered, scope):
            said = f"{card.lowered[:60]!r} uses {', '.join(sorted(names))}"
            raise NetlistError(f"{said}, where Monte Carlo cannot vary it")
        return []
    if element[0] not in _ALTERABLE:
        _check_constant(card, at, scope)
        return []
    name = f"{element[0]}.{at.path}.{element}"
    hooks = [
        Hook(target=f"@{name}[{parameter}]", value=_Later(expression=expression, scope=scope))
        for parameter, expression in card.assignments.items()
        if _random_names(expression, scope)
    ]
    for expression in _EXPRESSION.findall(card.unassigned):
        if not _random_names(expression, scope):
            continue
        if element[0] not in "rcl":
            raise _not_varied(expression, element, at, scope)
        hooks.append(Hook(target=name, value=_Later(expression=expression, scope=scope)))
    return hooks


def _check_constant(card: Card, at: _Place, scope: _Scope) -> None:
    """Raise `NetlistError` if a value of a source depends on a random parameter, with or without braces."""
    assigned = card.lowered.partition("=")[2].strip()
    whole = [assigned.replace("{", "(").replace("}", ")")] if assigned else []
    for expression in (*_EXPRESSION.findall(card.lowered), *whole):
        if _random_names(expression, scope):
            raise _not_varied(expression, card.words[0], at, scope)


def _not_varied(expression: str, element: str, at: _Place, scope: _Scope) -> NetlistError:
    names = ", ".join(sorted(_random_names(expression, scope)))
    said = expression if len(expression) <= _LONGEST_SHOWN else f"{expression[:_LONGEST_SHOWN]}..."
    return NetlistError(
        f"subcircuit {at.kind}: Monte Carlo cannot vary {said} of {element}, which depends on {names}: it changes only "
        "transistors, diodes, resistors, capacitors and inductors; make it the value of a resistor in which a source "
        f"of 1 A flows, and use the voltage of the resistor in {element}"
    )
