"""The reader of SPICE text, whoever wrote it: includes filled in, every card checked, a tree returned.

The text of that tree is the only one that reaches the simulator: what was checked is what runs.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ..errors import NetlistError
from ..storage import untrusted
from .cards import Card, split_cards
from .netlist import Netlist
from .safety import check_blocks, check_card, check_functions, check_text, is_kept

Read = Callable[[str], str]
"""Name of a file in an ``.include`` -> its text; raises `NetlistError` for a file that may not be read."""

_DEEPEST = 8
_MOST_INCLUDES = 1000


@dataclass
class Budget:
    """What may still be read: characters, and files that include each other."""

    characters: int = untrusted.MOST_NETLIST
    files: int = _MOST_INCLUDES

    def take(self, text: str, where: str) -> None:
        """Count one more file, or raise `NetlistError`."""
        self.characters -= len(text)
        self.files -= 1
        if self.characters < 0:
            raise NetlistError(
                f"{where}: with its includes the netlist is larger than {untrusted.MOST_NETLIST >> 20} MiB"
            )
        if self.files < 0:
            raise NetlistError(f"{where}: the netlist includes more than {_MOST_INCLUDES} files")


def read_netlist(text: str, *, read: Read | None = None, where: str = "netlist") -> Netlist:
    """Return what a simulation uses of a netlist.

    The time it takes grows in proportion to the length of the text.

    Parameters
    ----------
    text : str
        SPICE text, or ``str()`` of a PySpice `Circuit`.
    read : callable, optional
        File name of an ``.include`` -> its text.
    where : str
        What to call the netlist in an error.

    Raises
    ------
    NetlistError
        If a card is incomplete, sets an option out of its range, names something that is not a plain name, or could
        run a command, load a program or open a file; if a block is not closed, or a function calls itself; if an
        include cannot be read; or if the text is too large.
    """
    return checked(_included(text, read, untrusted.printable(where), Budget(), depth=0))


def checked(cards: Iterable[Card], *, foundry: bool = False) -> Netlist:
    """Return the tree of cards, each of which may reach the simulator.

    Parameters
    ----------
    foundry : bool
        Accept what ngspice skips, such as a ``.param`` without a value: nobody can change a foundry's files.

    Raises
    ------
    NetlistError
        As `read_netlist`.
    """
    kept = [card for card in cards if _may_run(card, foundry)]
    check_blocks(kept)
    check_functions(kept)
    return Netlist.of(kept)


def _may_run(card: Card, foundry: bool) -> bool:
    check_text(card)
    if not is_kept(card):
        return False
    check_card(card, foundry=foundry)
    return True


def _included(text: str, read: Read | None, where: str, budget: Budget, depth: int) -> Iterator[Card]:
    if depth > _DEEPEST:
        raise NetlistError(f"{where}: includes are nested more than {_DEEPEST} deep")
    budget.take(text, where)
    for card in split_cards(text, where):
        if card.kind not in (".inc", ".include"):
            yield card
            continue
        check_text(card)
        if read is None:
            raise card.error("cannot be followed: includes need a netlist read from a file")
        name = card.text.partition(" ")[2].strip("\"'")
        yield from _included(read(name), read, untrusted.printable(name), budget, depth + 1)
