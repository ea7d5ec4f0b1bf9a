"""Cards -> a tree of subcircuits and top-level cards."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Self

from .cards import Card, split_cards


@dataclass(frozen=True)
class Subcircuit:
    """A subcircuit from ``.subckt`` to ``.ends``; ``items`` are the cards and subcircuits inside."""

    head: Card
    items: tuple["Card | Subcircuit", ...]
    end: Card

    @property
    def name(self) -> str:
        """Name, in lower case."""
        return self.head.positional[1] if len(self.head.positional) > 1 else ""

    @property
    def ports(self) -> tuple[str, ...]:
        """Ports, in order."""
        return self.head.positional[2:]

    @property
    def defaults(self) -> Mapping[str, str]:
        """Parameter -> expression of its default."""
        return self.head.assignments

    def cards(self) -> Iterator[Card]:
        """Every card, ``.subckt`` and ``.ends`` included."""
        yield self.head
        yield from _cards(self.items)
        yield self.end


Item = Card | Subcircuit


@dataclass(frozen=True)
class Netlist:
    """Cards and subcircuits, in order.

    Attributes
    ----------
    items : tuple of Card or Subcircuit
        The cards and subcircuits.
    compiled : tuple of str
        Files of compiled Verilog-A models that its elements need; only a technology names them.
    """

    items: tuple[Item, ...] = ()
    compiled: tuple[str, ...] = ()

    @classmethod
    def of(cls, cards: Iterable[Card]) -> Self:
        """Build the tree from a sequence of cards.

        Raises
        ------
        NetlistError
            If a ``.subckt`` has no ``.ends``, or an ``.ends`` no ``.subckt``.
        """
        top: list[Item] = []
        open_: list[tuple[Card, list[Item]]] = []
        for card in cards:
            if card.kind == ".subckt":
                open_.append((card, []))
            elif card.kind == ".ends":
                if not open_:
                    raise card.error("has no matching .subckt before it")
                head, items = open_.pop()
                (open_[-1][1] if open_ else top).append(Subcircuit(head, tuple(items), card))
            else:
                (open_[-1][1] if open_ else top).append(card)
        if open_:
            raise open_[-1][0].error("is not closed: add .ends")
        return cls(tuple(top))

    def __add__(self, other: "Netlist") -> "Netlist":
        compiled = tuple(dict.fromkeys((*self.compiled, *other.compiled)))
        return Netlist((*self.items, *other.items), compiled)

    @cached_property
    def text(self) -> str:
        """SPICE text for the simulator."""
        return "\n".join(map(str, self.cards()))

    @cached_property
    def top(self) -> tuple[Card, ...]:
        """Cards outside of every subcircuit."""
        return tuple(item for item in self.items if isinstance(item, Card))

    @cached_property
    def subcircuits(self) -> Mapping[str, Subcircuit]:
        """Every subcircuit by name, nested ones included."""
        return {found.name: found for found in _subcircuits(self.items)}

    def cards(self) -> Iterator[Card]:
        """Every card, in order."""
        return _cards(self.items)


def _cards(items: Iterable[Item]) -> Iterator[Card]:
    for item in items:
        if isinstance(item, Card):
            yield item
        else:
            yield from item.cards()


def _subcircuits(items: Iterable[Item]) -> Iterator[Subcircuit]:
    for item in items:
        if isinstance(item, Subcircuit):
            yield item
            yield from _subcircuits(item.items)


@lru_cache(maxsize=256)
def as_netlist(text: str) -> Netlist:
    """Return the tree of a text already checked by `reader.read_netlist`, such as the body of a deck."""
    return Netlist.of(split_cards(text, commands=True))
