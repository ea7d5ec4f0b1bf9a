"""Model files of a foundry -> the blocks used by the wrapper devices of a technology."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import PurePosixPath

import re2

from ..errors import NetlistError, TechnologyError
from ..spice.blocks import hoisted, needed
from ..spice.cards import Card, split_cards, split_lines
from ..spice.netlist import Netlist, as_netlist
from ..spice.reader import Budget, Read, checked
from ..storage.untrusted import printable, shown
from .fields import compile_edit

_FOREIGN = (
    (
        re.compile(r"^[ \t]*simulator[ \t]+lang|^[ \t]*(?:end)?section[ \t]+\w+", re.IGNORECASE | re.MULTILINE),
        "Spectre",
    ),
    (re.compile(r"^[ \t]*\.(?:prot(?:ect)?|alter|data)\b", re.IGNORECASE | re.MULTILINE), "HSPICE"),
)
_BLOCK = re.compile(r"^[ \t]*\.(subckt|ends)\b", re.IGNORECASE | re.MULTILINE)
_DEEPEST = 20
_MOST_MATCHES = 100_000


def section_files(lib: str, section: str, read: Read, where: str) -> list[str]:
    """Texts of a library section, in order, with includes and other sections inserted.

    Parameters
    ----------
    lib : str
        File name of the library.
    section : str
        Name of the section, after ``.lib``; empty for the whole file.
    read : callable
        File name -> text.
    where : str
        Name of the technology, for errors.

    Raises
    ------
    TechnologyError
        If the section does not exist, or the files are written for another simulator.
    """
    budget = Budget()
    try:
        return list(_whole(_texts(read(lib), lib, section, _limited(read, budget), where, depth=0)))
    except NetlistError as error:
        raise TechnologyError(f"{where}: {error}") from None


def _limited(read: Read, budget: Budget) -> Read:
    """Reader with a limit on the total size."""

    def read_some(name: str) -> str:
        text = read(name)
        budget.take(text, name)
        return text

    return read_some


def _texts(text: str, file: str, section: str, read: Read, where: str, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise TechnologyError(f"{where}: {file}: libraries include each other more than {_DEEPEST} deep")
    if foreign := _foreign(text):
        raise TechnologyError(f"{where}: {file} is written for {foreign}; use the files for ngspice")
    lines = _lines(text)
    first, last = _section(text, file, section, where)
    for card in _cards(text):
        if first < card.line < last and (asked := _asked(card)):
            yield "\n".join(lines[first : card.line - 1])
            first = card.line
            beside = str(PurePosixPath(file).parent / asked[0])
            yield from _texts(read(beside), beside, asked[1], read, where, depth + 1)
    yield "\n".join(lines[first : last - 1])


def _whole(texts: Iterable[str]) -> Iterator[str]:
    """Join texts of which the first ends inside a subcircuit: a file is included there."""
    parts: list[str] = []
    open_ = 0
    for text in texts:
        parts.append(text)
        open_ += sum(1 if word.lower() == "subckt" else -1 for word in _BLOCK.findall(text))
        if open_ <= 0:
            yield "\n".join(parts)
            parts, open_ = [], 0
    if parts:
        yield "\n".join(parts)


def _asked(card: Card) -> tuple[str, str] | None:
    """File and section included by a card; the section of an ``.include`` is empty."""
    if card.kind not in (".inc", ".include", ".lib"):
        return None
    name, section = (*(word.strip("\"'") for word in card.text.split(" ")[1:]), "", "")[:2]
    if card.kind != ".lib":
        return name, ""
    return (name, section) if section else None


def _section(text: str, file: str, section: str, where: str) -> tuple[int, int]:
    """Numbers of the lines before and after a section, or before and after the whole file if it is empty."""
    if not section:
        return 0, len(split_lines(text)) + 1
    begins = 0
    have: list[str] = []
    for card in _cards(text):
        if card.kind == ".lib" and not begins and not _asked(card):
            have.append(card.text.partition(" ")[2].strip("\"'"))
            begins = card.line if have[-1].lower() == section.lower() else 0
        elif card.kind == ".endl" and begins:
            return begins, card.line
    raise TechnologyError(f"{where}: {file} has no section {section!r}; have {', '.join(have) or 'none'}")


# A file is split, searched and parsed once for all its sections.
@lru_cache(maxsize=256)
def _lines(text: str) -> tuple[str, ...]:
    return tuple(split_lines(text))


@lru_cache(maxsize=256)
def _foreign(text: str) -> str:
    """Simulator that a file is written for, with what says so; empty for ngspice."""
    for pattern, simulator in _FOREIGN:
        if found := pattern.search(text):
            return f"{simulator} ({found[0].strip()!r})"
    return ""


@lru_cache(maxsize=256)
def _cards(text: str) -> tuple[Card, ...]:
    return tuple(split_cards(text, commands=True))


def assemble(texts: Sequence[str], wrappers: str, edits: Mapping[str, str], hoist: bool, where: str) -> str:
    """Assemble the blocks used by `wrappers` into one text.

    Parameters
    ----------
    texts : sequence of str
        From `section_files`.
    wrappers : str
        SPICE text of the wrapper devices.
    edits : mapping of str to str
        Regular expression of RE2 -> replacement; each must match at least once.
    hoist : bool
        Move model cards out of subcircuits: ngspice copies a model inside a subcircuit for every instance.
    where : str
        Name of the technology, for errors.

    Raises
    ------
    TechnologyError
        If an edit matches nothing: the files have another version.
    """
    edited = [text for text in texts if text.strip()]
    for pattern, replacement in edits.items():
        changed = [_edited(text, pattern, replacement, where) for text in edited]
        if changed == edited:
            raise TechnologyError(
                f"{where}: [models.edits] {shown(pattern)} matches nothing in the model files; use the version of the "
                "files that the edits are written for"
            )
        edited = changed
    try:
        kept = needed([_tree(text) for text in edited], as_netlist(wrappers))
        safe = [_safe(library, hoist) for library in kept]
    except NetlistError as error:
        raise TechnologyError(f"{where}: {error}") from None
    return "\n".join(filter(None, safe))


# Cached, because the sections of a library share most of their files.
@lru_cache(maxsize=256)
def _edited(text: str, pattern: str, replacement: str, where: str) -> str:
    try:
        edited, count = compile_edit(pattern).subn(replacement, text, count=_MOST_MATCHES)
    except (IndexError, ValueError, re2.error) as error:
        raise TechnologyError(f"{where}: [models.edits] {shown(pattern)}: {printable(str(error))}") from None
    if count >= _MOST_MATCHES:
        raise TechnologyError(
            f"{where}: [models.edits] {shown(pattern)} matches at least {_MOST_MATCHES} places, the maximum"
        )
    return str(edited)


@lru_cache(maxsize=256)
def _tree(text: str) -> Netlist:
    return Netlist.of(_cards(text))


@lru_cache(maxsize=256)
def _safe(library: Netlist, hoist: bool) -> str:
    kept = checked(library.cards(), foundry=True)
    return (hoisted(kept) if hoist else kept).text
