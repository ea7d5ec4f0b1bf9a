"""Netlists in files: what may be read, and from where."""

from pathlib import Path

from ..errors import NetlistError
from ..storage import untrusted
from .netlist import Netlist
from .reader import Read, read_netlist


def read_file(path: Path, what: str) -> str:
    """Return the text of a file, or raise `NetlistError`; `what` is what to call it."""
    return untrusted.read_text(path, what, most=untrusted.MOST_NETLIST, error=NetlistError)


def reader_below(root: Path, within: Path | None = None) -> Read:
    """Return what reads a file below `root`, or below `within`, and no other."""

    def read(name: str) -> str:
        path = (root / name).resolve()
        if not path.is_relative_to((within or root).resolve()):
            raise NetlistError(f"{untrusted.shown(name)} lies outside {root}; copy it into that folder")
        return read_file(path, "include")

    return read


def read_netlist_file(path: Path, what: str = "netlist", where: str = "") -> Netlist:
    """Return the netlist of a file, which may include files beside and below itself.

    Raises
    ------
    NetlistError
        If it cannot be read, or may not be simulated.
    """
    return read_netlist(read_file(path, what), read=reader_below(path.parent), where=where or str(path))
