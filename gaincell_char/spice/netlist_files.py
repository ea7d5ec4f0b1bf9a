"""Netlists in files, with the rules for include files."""

from pathlib import Path

from ..errors import NetlistError
from ..storage import untrusted
from .netlist import Netlist
from .reader import Read, read_netlist


def read_file(path: Path, what: str) -> str:
    """Return the text of a file, or raise `NetlistError`; `what` names the kind of file in errors."""
    return untrusted.read_text(path, what, most=untrusted.MOST_NETLIST, error=NetlistError)


def reader_below(root: Path, within: Path | None = None) -> Read:
    """Return a function that reads files below `root`, or below `within` if given; others raise `NetlistError`."""

    def read(name: str) -> str:
        path = (root / name).resolve()
        if not path.is_relative_to((within or root).resolve()):
            raise NetlistError(f"{untrusted.shown(name)} is outside {root}; copy it into that folder")
        return read_file(path, "include")

    return read


def read_netlist_file(path: Path, what: str = "netlist", where: str = "") -> Netlist:
    """Read a netlist from a file, which may include files in its own folder or below it.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        Kind of file, for errors.
    where : str
        Name of the netlist in errors; the path by default.

    Raises
    ------
    NetlistError
        If the file cannot be read, or the netlist is rejected by `read_netlist`.
    """
    return read_netlist(read_file(path, what), read=reader_below(path.parent), where=where or str(path))
