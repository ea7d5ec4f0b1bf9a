"""Selection of the library blocks that a netlist uses; moving model cards out of subcircuits."""

import re
from collections.abc import Iterable, Sequence

from .cards import Card
from .netlist import Item, Netlist, Subcircuit

_BIN = re.compile(r"\.\d+$")


def block_name(item: Item) -> str:
    """Name by which instances refer to a subcircuit or a model; empty for any other card.

    Instances refer to binned models, ``nmos_model.1``, ``nmos_model.2``, as ``nmos_model``.
    """
    if isinstance(item, Subcircuit):
        return _BIN.sub("", item.name)
    return _BIN.sub("", item.words[1]) if item.kind == ".model" and len(item.words) > 1 else ""


def prune(library: Netlist, user: Netlist) -> Netlist:
    """Return a library without the subcircuits and models that `user` does not need, directly or indirectly."""
    [kept] = needed([library], user)
    return kept


def needed(libraries: Sequence[Netlist], user: Netlist) -> list[Netlist]:
    """Reduce each library to the blocks that `user` needs, directly or indirectly; other cards come first."""
    blocks: dict[str, list[Item]] = {}
    for library in libraries:
        own: dict[str, list[Item]] = {}
        for item in library.items:
            own.setdefault(block_name(item), []).append(item)
        blocks |= own
    kept: set[str] = {""}
    words = _words(user.items)
    while new := (words & blocks.keys()) - kept:
        kept |= new
        words = _words(item for name in new for item in blocks[name])
    return [_selected(library, kept) for library in libraries]


def _selected(library: Netlist, kept: set[str]) -> Netlist:
    blocks: dict[str, list[Item]] = {"": []}
    for item in library.items:
        blocks.setdefault(block_name(item), []).append(item)
    return Netlist(tuple(item for name, items in blocks.items() if name in kept for item in items), library.compiled)


def _words(items: Iterable[Item]) -> set[str]:
    return set().union(*(card.mentioned for card in Netlist(tuple(items)).cards()))


def hoisted(netlist: Netlist) -> Netlist:
    """Return a netlist with all model cards at the end, outside of the subcircuits.

    ngspice copies a model inside a subcircuit for every instance.
    """
    models: list[Card] = []
    rest = tuple(_without_models(item, models) for item in netlist.items)
    return Netlist((*rest, *models))


def _without_models(item: Item, models: list[Card]) -> Item:
    if isinstance(item, Card):
        return item
    models += (inner for inner in item.items if isinstance(inner, Card) and inner.kind == ".model")
    rest = [inner for inner in item.items if isinstance(inner, Subcircuit) or inner.kind != ".model"]
    return Subcircuit(item.head, tuple(_without_models(inner, models) for inner in rest), item.end)
