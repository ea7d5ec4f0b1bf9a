"""Checks of the names in a netlist: undeclared names, duplicate definitions, wrong instances."""

import re
from collections.abc import Collection, Iterable, Iterator, Set

from ..errors import NetlistError
from .blocks import block_name
from .cards import Card
from .netlist import Item, Netlist, Subcircuit

_KNOWN_TO_NGSPICE = frozenset(("temper", "time", "hertz"))


def undeclared(netlist: Netlist, declared: Iterable[str]) -> set[str]:
    """Names used in ``{...}`` that neither `declared` nor ``.param`` nor the surrounding subcircuit defines."""
    known = {name.lower() for name in declared} | _KNOWN_TO_NGSPICE
    known.update(*(card.assignments for card in netlist.cards() if card.kind == ".param"))
    return _undeclared(netlist.items, known)


def _undeclared(items: Iterable[Item], known: Set[str]) -> set[str]:
    missing: set[str] = set()
    for item in items:
        if isinstance(item, Subcircuit):
            inside = known | item.defaults.keys()
            missing |= (item.head.references - inside) | _undeclared(item.items, inside)
        else:
            missing |= item.references - known - _arguments(item)
    return missing


def _arguments(card: Card) -> set[str]:
    """Names of a function's arguments."""
    return set(re.findall(r"\w+", card.lowered.partition(")")[0])) if card.kind == ".func" else set()


def check_instances(netlist: Netlist) -> None:
    """Raise `NetlistError` if an instance has an undefined subcircuit, or another number of nodes than its ports."""
    instances = [card for card in netlist.cards() if card.kind == "x"]
    if alone := next((card for card in instances if len(card.positional) < 2), None):
        raise NetlistError(f"{alone.words[0]} names no subcircuit")
    if missing := {card.positional[-1] for card in instances} - netlist.subcircuits.keys():
        raise NetlistError(
            f"neither the netlist nor the technology defines .subckt {', '.join(sorted(missing))}; define it in the "
            "netlist, or in one of the files of technology.toml"
        )
    for card in instances:
        name, *nodes, kind = card.positional
        ports = netlist.subcircuits[kind].ports
        if len(nodes) != len(ports):
            raise NetlistError(f"{name} has {len(nodes)} nodes; .subckt {kind} has {len(ports)}")


def check_definitions(library: Netlist, user: Netlist, declared: Collection[str]) -> None:
    """Raise `NetlistError` if a name is defined twice.

    Parameters
    ----------
    library : Netlist
        The part of the technology that the deck uses.
    user : Netlist
        The circuit with its bench.
    declared : collection of str
        Parameters of the plan.
    """
    names = {name.lower() for name in declared}
    its_own = set[str]().union(*(card.defines for card in library.top))
    blocks = {block_name(item) for item in library.items} - {""}
    for card in library.top:
        if both := card.defines & names:
            raise _twice(card, both, "of the technology defines {}, which the plan declares; rename it")
    for card in user.cards():
        if both := card.defines & names:
            raise _twice(card, both, "defines {}, which the plan declares; remove it, or choose another name")
        if both := card.defines & its_own:
            raise _twice(card, both, "defines {}, which the technology defines; choose another name")
    for item, name in _named(user.items):
        if name in blocks:
            raise _twice(item, {name}, "defines {}, which the technology defines; choose another name")


def _twice(card: Card, names: Set[str], what: str) -> NetlistError:
    return card.error(what.format(", ".join(sorted(names))))


def _named(items: Iterable[Item]) -> Iterator[tuple[Card, str]]:
    """Subcircuits and models with their names, also those inside of others."""
    for item in items:
        if name := block_name(item):
            yield (item.head if isinstance(item, Subcircuit) else item), name
        if isinstance(item, Subcircuit):
            yield from _named(item.items)


def check_defaults(netlist: Netlist, asked: Collection[str]) -> None:
    """Raise `NetlistError` if the default of a subcircuit would override a value that the request sets (`asked`)."""
    names = {name.lower() for name in asked}
    for card in netlist.cards():
        block = netlist.subcircuits.get(card.positional[-1]) if card.kind == "x" else None
        if block and (both := (block.defaults.keys() & names) - card.assignments.keys()):
            said = f"has a default for {', '.join(sorted(both))}, which the request sets to another value; rename it"
            raise block.head.error(said)
