"""Which devices of a deck vary, and where their numbers go: the hierarchy walked once, expressions evaluated."""

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

MISMATCH = ("dvth", "dmu")
"""Ports of a wrapper device through which its own deviation enters: threshold [V], mobility [1]."""
_EXPRESSION = re.compile(r"\{[^{}]*\}")
_DEEPEST = 30
_MOST_INSTANCES = 100_000


@dataclass(frozen=True, kw_only=True)
class _Drawn:
    """A name that stands for a random number; `nominal` while nothing is drawn.

    What is drawn for a device is added to what its instance says; a die's parameter is given as a whole.
    """

    name: str
    nominal: float

    def at(self, deviations: Mapping[str, Any]) -> Any:
        """Its value at the given deviations."""
        if self.name in MISMATCH:
            return self.nominal + deviations.get(self.name, 0.0)
        return deviations.get(self.name, self.nominal)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Later:
    """A value that depends on random numbers: an expression, and what its names mean where it stands."""

    expression: str
    scope: "_Scope"

    @cached_property
    def random_names(self) -> AbstractSet[str]:
        """Names of the random numbers it depends on, directly or not."""
        return _random_names(self.expression, self.scope)


_Scope = Mapping[str, float | _Drawn | _Later]
_Known = dict[_Later, Any]


@lru_cache(maxsize=4096)  # every instance of a subcircuit has the same expressions
def _names(expression: str) -> frozenset[str]:
    return references(expression if "{" in expression else f"{{{expression}}}")


def _random_names(expression: str, scope: _Scope) -> set[str]:
    """Names of the random numbers that an expression depends on, directly or not."""
    found: set[str] = set()
    for name in _names(expression):
        value = scope.get(name, 0.0)
        if isinstance(value, _Drawn):
            found.add(value.name)
        elif isinstance(value, _Later):
            found |= value.random_names
    return found


def _value(expression: str, scope: _Scope, deviations: Mapping[str, Any], where: str, known: _Known) -> Any:
    """Evaluate an expression at the given deviations; random numbers left out are nominal.

    ``known`` collects the values found on the way: expressions that share names take no longer for it.
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
    """One number of one element: what ``alter`` calls it, and the expression it is worth."""

    target: str
    value: _Later

    @property
    def names(self) -> set[str]:
        """Random numbers it depends on."""
        return set(self.value.random_names)


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
        used = set().union(*(hook.names for hook in self.hooks))
        return tuple(name for name in MISMATCH if name in used)

    def altered(self, deviations: Mapping[str, Any]) -> dict[str, Any]:
        """Target -> value, for deviations given as numbers or arrays by name."""
        known: _Known = {}
        return {
            hook.target: _value(hook.value.expression, hook.value.scope, deviations, self.path, known)
            for hook in self.hooks
        }


def block_defaults(library: Netlist) -> dict[str, dict[str, float]]:
    """Subcircuit -> its parameters with a plain number for a default."""
    return {
        name: {
            parameter: float(evaluate(text, {}, f"{name}: {parameter}"))
            for parameter, text in block.defaults.items()
            if not references(text)
        }
        for name, block in library.subcircuits.items()
    }


def find_devices(netlist: Netlist, params: Mapping[str, float], process: Sequence[str]) -> tuple[Device, ...]:
    """Every instance, in the order of the deck, whose elements use `MISMATCH` or a name of `process`.

    Parameters
    ----------
    netlist : Netlist
        Models, subcircuits and what is outside of them, as in `Template.netlist`.
    params : mapping of str to float
        Value of every parameter of the deck.

    Raises
    ------
    NetlistError
        If such a name stands where ``alter`` cannot reach it, an instance's value is no arithmetic, parameters refer to
        each other in a circle, or there are more than 100,000 instances.
    """
    try:
        return _found_devices(netlist, params, process)
    except RecursionError:
        raise NetlistError(
            "Monte Carlo cannot evaluate the netlist: parameters refer to each other in a circle, or an expression is "
            "nested too deep"
        ) from None


def _found_devices(netlist: Netlist, params: Mapping[str, float], process: Sequence[str]) -> tuple[Device, ...]:
    scope: dict[str, Any] = {name.lower(): value for name, value in params.items()}
    scope |= {name: _Drawn(name=name, nominal=scope.get(name, 0.0)) for name in process}
    for card in netlist.top:
        # A technology's own parameters may build on one of the process; alter reaches neither.
        if names := card.references & {*MISMATCH, *process}:
            raise NetlistError(
                f"{card.lowered[:60]!r} uses {', '.join(sorted(names))} outside a subcircuit, where Monte Carlo cannot "
                "vary it"
            )
    found: dict[str, Device] = {}
    for path, kind, scope_, hooks in _walk(netlist.top, _Place(), scope, _Library(blocks=netlist.subcircuits)):
        values = {name: value for name, value in scope_.items() if isinstance(value, float | int)}
        before = found[path].hooks if path in found else ()
        found[path] = Device(path=path, kind=kind, values=values, hooks=(*before, *hooks))
    return tuple(found.values())


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where in the hierarchy: ``root`` is the wrapper device around it, if any, ``given`` what the instance sets."""

    path: str = ""
    kind: str = ""
    root: str = ""
    given: AbstractSet[str] = frozenset()


_Found = tuple[str, str, _Scope, tuple[Hook, ...]]


@dataclass(frozen=True, kw_only=True)
class _Library:
    """Subcircuits by name, and a count of the instances met so far."""

    blocks: Mapping[str, Subcircuit]
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def block(self, kind: str, where: str) -> Subcircuit:
        """Return the subcircuit of one more instance."""
        if kind not in self.blocks:
            raise NetlistError(f"{where}: there is no subcircuit {kind}")
        if next(self.numbers) >= _MOST_INSTANCES:
            raise NetlistError(f"{where}: the netlist has more than {_MOST_INSTANCES} instances")
        return self.blocks[kind]


def _walk(items: Iterable[Item], at: _Place, scope: _Scope, library: _Library) -> Iterator[_Found]:
    if at.path.count(".") > _DEEPEST:
        raise NetlistError(f"{at.path}: subcircuits are nested too deep")
    local = dict(scope)
    hooks: list[Hook] = []
    inner: list[_Found] = []
    for card in items:
        if isinstance(card, Subcircuit):
            continue
        if card.kind in (".if", ".elseif", ".else", ".func") and at.path:
            raise NetlistError(
                f"{at.kind}: {card.lowered[:60]!r}: Monte Carlo cannot look into a subcircuit with {card.kind}"
            )
        if card.kind == ".param":
            for name, text in card.assignments.items():
                # What the instance says goes before what the subcircuit says; ngspice sorts the outermost ones itself.
                if not at.path:
                    local[name] = _Later(expression=text, scope=local)
                elif name not in at.given:
                    local[name] = _bound(text, dict(local), at.kind)
        elif card.kind == "x":
            inner += _instance(card, at, local, library)
        else:
            hooks += _hooks(card, at.path, local)
    own = [item for item in inner if item[0] == at.root] if at.root else []
    hooks += [hook for item in own for hook in item[3]]
    yield from (item for item in inner if item not in own)
    if hooks:
        yield at.root or at.path, at.kind, local, tuple(hooks)


def _bound(text: str, scope: _Scope, where: str) -> Any:
    """Value of an assignment, now or later."""
    return _Later(expression=text, scope=scope) if _random_names(text, scope) else _value(text, scope, {}, where, {})


def _instance(card: Card, at: _Place, scope: _Scope, library: _Library) -> Iterator[_Found]:
    given = card.assignments
    name, kind = card.positional[0], card.positional[-1]
    where = f"{at.path}.{name}".lstrip(".")
    block = library.block(kind, where)
    # Names of the caller stay visible, as they do in ngspice; the values are frozen here, not looked up later.
    inner: dict[str, Any] = {**scope, **{parameter: _bound(text, scope, where) for parameter, text in given.items()}}
    root = at.root
    for parameter, default in block.defaults.items():
        if parameter not in given:
            inner[parameter] = _bound(default, dict(inner), where)
        own = inner[parameter]
        if parameter in MISMATCH and isinstance(own, _Later) and not at.root:
            raise NetlistError(
                f"{where}: {parameter} = {shown(own.expression)[1:-1]} depends on "
                f"{', '.join(sorted(own.random_names))}, so Monte Carlo cannot add what it draws; give it a number"
            )
        if parameter in MISMATCH and not isinstance(own, _Later):
            inner[parameter] = _Drawn(name=parameter, nominal=own)
            root = root or where
    place = _Place(path=where, kind=kind, root=root, given=given.keys())
    yield from _walk(block.items, place, inner, library)


def _hooks(card: Card, path: str, scope: _Scope) -> list[Hook]:
    element = card.words[0]
    if element.startswith("."):
        if names := _random_names(card.lowered, scope):
            said = f"{card.lowered[:60]!r} uses {', '.join(sorted(names))}"
            raise NetlistError(f"{said}, where Monte Carlo cannot vary it")
        return []
    name = f"{element[0]}.{path}.{element}"
    hooks = [
        Hook(target=f"@{name}[{parameter}]", value=_Later(expression=expression, scope=scope))
        for parameter, expression in card.assignments.items()
        if _random_names(expression, scope)
    ]
    for expression in _EXPRESSION.findall(card.unassigned):
        if not _random_names(expression, scope):
            continue
        if element[0] not in "rcl":
            raise NetlistError(f"{path}: Monte Carlo cannot vary {expression} of {element}")
        hooks.append(Hook(target=name, value=_Later(expression=expression, scope=scope)))
    return hooks
