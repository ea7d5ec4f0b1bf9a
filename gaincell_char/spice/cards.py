"""SPICE text -> cards: continuation lines joined, comments removed, words split."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..declare.arithmetic import references
from ..errors import NetlistError
from ..storage import untrusted

_LINE_WIDTH = 118
_LINE_END = re.compile(r"\r\n|\n|\r")
_BLANKS = re.compile(r"[ \t]+")
_WORD = re.compile(r"[\w.]+")
_COMMENT = re.compile(r";|//|\s\$\s")
_EQUALS = re.compile(" ?= ?")
_ASSIGNMENT = re.compile(r"(?<!\w)(\w+) ?= ?(\{[^{}]*\}|'[^']*'|[^\s{}]+)")
_FUNCTION = re.compile(r"\.(?:func|param) ([a-z_]\w*) ?\([^()]*\)(.*)")


@dataclass(frozen=True)
class Card:
    """One statement of a netlist: a device, or a command such as ``.model``, with its continuation lines.

    Attributes
    ----------
    text : str
        The words, separated by single blanks.
    where : str
        Name of the file.
    line : int
        Number of the first line.
    """

    text: str
    where: str = "netlist"
    line: int = 0

    @cached_property
    def lowered(self) -> str:
        """The text in lower case: SPICE is not case-sensitive."""
        return self.text.lower()

    @cached_property
    def kind(self) -> str:
        """``.model``, or the letter of a device, in lower case."""
        first = re.split(r"[ (=]", self.lowered, maxsplit=1)[0]
        return first if first.startswith(".") else first[:1]

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Words in lower case, without blanks around an equals sign."""
        return tuple(_EQUALS.sub("=", self.lowered).split(" "))

    @cached_property
    def positional(self) -> tuple[str, ...]:
        """Words before the first parameter assignment."""
        end = next((i for i, word in enumerate(self.words) if "=" in word or word == "params:"), len(self.words))
        return self.words[:end]

    @cached_property
    def assignments(self) -> dict[str, str]:
        """Parameter -> assigned expression, in lower case."""
        return dict(_ASSIGNMENT.findall(self.lowered))

    @cached_property
    def unassigned(self) -> str:
        """The text in lower case without its assignments."""
        return _ASSIGNMENT.sub(" ", self.lowered)

    @cached_property
    def function(self) -> tuple[str, str] | None:
        """Name and body of the function defined by a ``.func`` or ``.param`` card; None if there is none."""
        match = _FUNCTION.match(self.lowered) if self.kind in (".func", ".param") else None
        return (match[1], match[2]) if match else None

    @property
    def defines(self) -> frozenset[str]:
        """Names of the parameters or of the function that a card defines."""
        if self.function:
            return frozenset((self.function[0],))
        return frozenset(self.assignments) if self.kind == ".param" else frozenset()

    def error(self, message: str) -> NetlistError:
        """Return an error that quotes the card with its file and line number, followed by `message`."""
        return NetlistError(f"{self.where}, line {self.line}: {untrusted.shown(self.text)} {message}")

    @cached_property
    def mentioned(self) -> frozenset[str]:
        """Every word in lower case that may be the name of a subcircuit or a model."""
        return frozenset(_WORD.findall(self.lowered))

    @cached_property
    def references(self) -> frozenset[str]:
        """Names used inside ``{...}``."""
        return references(self.lowered)

    @cached_property
    def _folded(self) -> str:
        lines: list[str] = []
        start, width = 0, _LINE_WIDTH
        while len(self.text) - start > width:
            end = self.text.rfind(" ", start, start + width + 1)
            if end <= start and (end := self.text.find(" ", start)) < 0:  # a word that is longer than a line
                break
            lines.append(self.text[start:end])
            start, width = end + 1, _LINE_WIDTH - len("+")
        return "\n+ ".join([*lines, self.text[start:]])

    def __str__(self) -> str:
        """The card as SPICE text, with continuation lines."""
        return self._folded


def split_lines(text: str) -> list[str]:
    """Lines of a text, split at the line ends that ngspice recognizes."""
    return _LINE_END.split(text)


def split_cards(text: str, where: str = "netlist", *, commands: bool = False) -> Iterator[Card]:
    """Yield every statement of a text, unchecked.

    Parameters
    ----------
    text : str
        SPICE text.
    where : str
        Name of the text, for errors.
    commands : bool
        Remove comments that ngspice reads as commands; if False, such a comment is an error.

    Raises
    ------
    NetlistError
        If a comment is a command to ngspice, and `commands` is False.
    """
    parts: list[str] = []
    first = 0
    for number, raw in enumerate(split_lines(text), start=1):
        line = raw.strip(" \t")
        if line.startswith("*"):
            if not commands:
                _refuse_command(line, where, number)
            continue
        if comment := _COMMENT.search(line):
            line = line[: comment.start()].rstrip(" \t")
        if line.startswith("+") and parts:
            parts.append(line[1:])
        elif line:
            if parts:
                yield _joined(parts, where, first)
            parts, first = [line], number
    if parts:
        yield _joined(parts, where, first)


def _refuse_command(line: str, where: str, number: int) -> None:
    if line.startswith("*#"):
        why = "a *# line is a command to ngspice"
    elif line[1:].lstrip().lower().startswith("ng_script"):
        why = "a *ng_script deck is a command file"
    else:
        return
    raise NetlistError(f"{where}, line {number}: {untrusted.shown(line)} is refused: {why}")


def _joined(parts: Sequence[str], where: str, first: int) -> Card:
    return Card(_BLANKS.sub(" ", " ".join(parts)).strip(" "), where, first)
