"""Model files as a foundry ships them -> the few blocks that the wrapper devices of a technology use."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import PurePosixPath

import re2

from ..errors import NetlistError, TechnologyError
from ..spice.cards import Budget, flatten
from ..spice.netlist import needed
from ..storage.untrusted import printable, shown
from .fields import compile_edit

Read = Callable[[str], str]
"""Name of a file beside the one that asks for it -> its text; raises `NetlistError`."""

_LIB = re.compile(r"^\s*\.lib\s+(?:[\"']([^\"']+)[\"']|(\S+))(?:\s+[\"']?(\w+)[\"']?)?\s*$", re.IGNORECASE)
_END = re.compile(r"^\s*\.endl\b", re.IGNORECASE)
_INCLUDE = re.compile(r"^\s*\.inc(?:lude)?\s+[\"']?([^\"'\s]+)[\"']?\s*$", re.IGNORECASE)
_FOREIGN = (
    (
        re.compile(r"^[ \t]*simulator[ \t]+lang|^[ \t]*(?:end)?section[ \t]+\w+", re.IGNORECASE | re.MULTILINE),
        "Spectre",
    ),
    (re.compile(r"^[ \t]*\.(?:prot(?:ect)?|alter|data)\b", re.IGNORECASE | re.MULTILINE), "HSPICE"),
)
_DEEPEST = 20
_MOST_MATCHES = 100_000


def section_files(lib: str, section: str, read: Read, where: str) -> list[str]:
    """Texts that a section of a library consists of, its includes and other sections filled in, in order.

    Parameters
    ----------
    lib : str
        Name of the library's file.
    section : str
        What stands behind ``.lib``; the whole file if empty.
    where : str
        What to call the technology in an error.

    Raises
    ------
    TechnologyError
        If there is no such section, or the files are written for another simulator.
    """
    budget = Budget()
    try:
        return list(_texts(read(lib), lib, section, _limited(read, budget), where, depth=0))
    except NetlistError as error:
        raise TechnologyError(f"{where}: {error}") from None


def _limited(read: Read, budget: Budget) -> Read:
    """The same, as long as not too much is read."""

    def read_some(name: str) -> str:
        text = read(name)
        budget.take(text, name)
        return text

    return read_some


def _texts(text: str, file: str, section: str, read: Read, where: str, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise TechnologyError(f"{where}: {file}: libraries include each other without end")
    for pattern, simulator in _FOREIGN:
        if found := pattern.search(text):
            raise TechnologyError(
                f"{where}: {file} is written for {simulator} ({found[0].strip()!r}); give the files for ngspice"
            )
    plain: list[str] = []
    for line in _section(text, file, section, where):
        include, lib = _INCLUDE.match(line), _LIB.match(line)
        if not (include or (lib and lib[3])):
            plain.append(line)
            continue
        yield "\n".join(plain)
        plain = []
        name, inner = (include[1], "") if include else (lib[1] or lib[2], lib[3]) if lib else ("", "")
        beside = str(PurePosixPath(file).parent / name)
        yield from _texts(read(beside), beside, inner, read, where, depth + 1)
    yield "\n".join(plain)


def _section(text: str, file: str, section: str, where: str) -> list[str]:
    if not section:
        return text.splitlines()
    inside: list[str] | None = None
    have: list[str] = []
    for line in text.splitlines():
        begins = _LIB.match(line)
        if begins and not begins[3] and inside is None:
            have.append(begins[1] or begins[2])
            if have[-1].lower() == section.lower():
                inside = []
        elif inside is not None and _END.match(line):
            return inside
        elif inside is not None:
            inside.append(line)
    raise TechnologyError(f"{where}: {file} has no section {section!r}; have {', '.join(have) or 'none'}")


def assemble(texts: Sequence[str], wrappers: str, edits: Mapping[str, str], hoist: bool, where: str) -> str:
    """Put the blocks that `wrappers` use into one flattened text.

    Parameters
    ----------
    edits : mapping of str to str
        Regular expression of RE2 -> what to put in its place; each must match somewhere.
    hoist : bool
        Move model cards out of subcircuits: ngspice copies those inside for every instance.

    Raises
    ------
    TechnologyError
        If an edit finds nothing: the files are not those that the technology was written for.
    """
    edited = [text for text in texts if text.strip()]
    for pattern, replacement in edits.items():
        changed = [_edited(text, pattern, replacement, where) for text in edited]
        if changed == edited:
            raise TechnologyError(
                f"{where}: [models.edits] {shown(pattern)} matches nothing in the model files; they are another version"
            )
        edited = changed
    try:
        kept = [_flat(text, where) for text in needed([_bare(text) for text in edited], wrappers)]
    except NetlistError as error:
        raise TechnologyError(f"{where}: {error}") from None
    return "\n".join(_hoisted(text) if hoist else text for text in kept if text)


# The sections of a library share most of their files: what was done to one is kept.
@lru_cache(maxsize=256)
def _edited(text: str, pattern: str, replacement: str, where: str) -> str:
    try:
        edited, count = compile_edit(pattern).subn(replacement, text, count=_MOST_MATCHES)
    except (IndexError, ValueError, re2.error) as error:
        raise TechnologyError(f"{where}: [models.edits] {shown(pattern)}: {printable(str(error))}") from None
    if count >= _MOST_MATCHES:
        raise TechnologyError(
            f"{where}: [models.edits] {shown(pattern)} matches {_MOST_MATCHES} places, the most there are"
        )
    return str(edited)


@lru_cache(maxsize=256)
def _bare(text: str) -> str:
    """Without comments, which may stand between a card and its continuation."""
    return re.sub(r"^[ \t]*(\*.*)?\n", "", f"{text}\n", flags=re.MULTILINE)


@lru_cache(maxsize=256)
def _flat(text: str, where: str) -> str:
    return flatten(text, where=where, foundry=True)


@lru_cache(maxsize=256)
def _hoisted(text: str) -> str:
    models: list[str] = []
    rest: list[str] = []
    current, depth = rest, 0
    for line in text.splitlines():
        kind = line.split()[0].lower()
        if kind == ".model" and depth:
            current = models
        elif not line.startswith("+"):
            current = rest
            depth += (kind == ".subckt") - (kind == ".ends")
        current.append(line)
    return "\n".join([*rest, *models])
