"""Reader of SPICE text from any source: includes inserted, every card checked, a tree returned.

Only the text of that tree reaches the simulator, so nothing unchecked is simulated.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ..errors import NetlistError
from ..storage import untrusted
from .cards import Card, split_cards
from .netlist import Netlist
from .safety import check_blocks, check_card, check_functions, check_text, is_kept

Read = Callable[[str], str]
"""File name in an ``.include`` -> text of the file; raises `NetlistError` for a file that must not be read."""

_DEEPEST = 8
_MOST_INCLUDES = 1000


@dataclass
class Budget:
    """Number of characters and of files that may still be read, includes counted."""

    characters: int = untrusted.MOST_NETLIST
    files: int = _MOST_INCLUDES

    def take(self, text: str, where: str) -> None:
        """Count one more file, or raise `NetlistError` if a limit is exceeded; `where` names the file."""
        self.characters -= len(text)
        self.files -= 1
        if self.characters < 0:
            raise NetlistError(
                f"{where}: the netlist with its includes is larger than {untrusted.MOST_NETLIST >> 20} MiB"
            )
        if self.files < 0:
            raise NetlistError(f"{where}: the netlist includes more than {_MOST_INCLUDES} files")


def read_netlist(text: str, *, read: Read | None = None, where: str = "netlist") -> Netlist:
    """Read and check a netlist; analyses and print commands are removed.

    The time is proportional to the length of the text.

    Parameters
    ----------
    text : str
        SPICE text, or ``str()`` of a PySpice `Circuit`.
    read : callable, optional
        File name of an ``.include`` -> its text.
    where : str
        Name of the netlist, for errors.

    Raises
    ------
    NetlistError
        If a card is incomplete, sets an option out of its range, contains an invalid name, or could run a command,
        load a program or open a file; if a block is not closed, or a function calls itself; if an include cannot be
        read; or if the text is too large.
    """
    return checked(_included(text, read, untrusted.printable(where), Budget(), depth=0))


def checked(cards: Iterable[Card], *, foundry: bool = False) -> Netlist:
    """Check cards and return their tree.

    Parameters
    ----------
    cards : iterable of Card
        Unchecked cards.
    foundry : bool
        Accept cards that ngspice skips, such as a ``.param`` without a value: foundry files cannot be changed.

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
            raise card.error("cannot be resolved: only a netlist read from a file may include others")
        name = card.text.partition(" ")[2].strip("\"'")
        yield from _included(read(name), read, untrusted.printable(name), budget, depth + 1)
