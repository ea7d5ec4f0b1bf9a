"""SPICE text -> cards: lines joined, comments dropped, includes filled in, and everything unsafe refused.

A card is one statement of a netlist: a device or a command such as ``.model``, with its continuation lines.  What this
module returns has one blank between words and no comment, and is the only text that reaches the simulator: what was
looked at is what runs.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from ..errors import NetlistError, ParameterError
from ..storage import untrusted
from .simulator_options import check_netlist_options

Read = Callable[[str], str]
"""Name of a file in an ``.include`` -> its text; raises `NetlistError` for a file that may not be read."""

_LONGEST_CARD = 2**20
_DEEPEST = 8
_MOST_INCLUDES = 1000
_LINE_WIDTH = 118
_LINE_END = re.compile(r"\r\n|\n|\r")
_COMMENT = re.compile(r";|//|\s\$\s")
# Each of these makes ngspice run a command, load a library or open a file while it reads the deck
# (measured: engine notes, section "security").
_UNSAFE = (
    (re.compile(r"^\.(control|endc)"), "a .control block runs commands"),
    (re.compile(r"^\.?(pre_|codemodel|osdi|load\b|shell\b|source\b)"), "it loads or runs a program"),
    (re.compile(r"^a"), "XSPICE code models are not supported"),
    (re.compile(r"\b(filesource|d_process|d_cosim|d_source|d_state|input_file)\b|file ?="),
     "it opens a file or starts a program"),
    (re.compile(r"\b(numd|nbjt|numos)\b"), "CIDER models read and write files"),
    (re.compile(r"`"), "backticks run a shell command"),
    (re.compile(r"^\.lib"), ".lib sections are not supported; .include the file instead"),
    (re.compile(r"^\.temp"), "it would change the temperature; give that with the request"),
)  # fmt: skip
# One look for all of them, any of which the slower look then names: a foundry's library has 20,000 lines.
_ANY_UNSAFE = re.compile("|".join(f"(?:{pattern.pattern})" for pattern, _ in _UNSAFE))
# ngspice knows a card by its beginning (.controls, .incl) and takes a stray first character, as in "(# shell", for
# an asterisk, so what is not plainly a device, a continuation or one of these cards is refused.
_PLAIN = re.compile(r"[a-zA-Z+.][\x20-\x7e\t]*")
CARDS = frozenset((
    ".subckt", ".ends", ".model", ".param", ".func", ".global", ".ic", ".nodeset", ".save", ".option",
    ".options", ".if", ".elseif", ".else", ".endif",
))  # fmt: skip
# Analyses, and what they print, are the bench's.
_IGNORED = frozenset((
    ".title", ".end", ".op", ".dc", ".ac", ".tran", ".tf", ".noise", ".pz", ".sens", ".disto", ".print",
    ".plot", ".four", ".meas", ".measure", ".width", ".csparam",
))  # fmt: skip
# With fewer ngspice takes a resistor of 1 mOhm, or dies, without a word.
_FEWEST_WORDS = {"r": 4, "c": 4, "l": 4, "v": 3, "i": 3, ".model": 3, ".ends": 1, ".else": 1, ".endif": 1}
# Names that come before the first value; an m may have three nodes.
_FEWEST_NAMES = {"m": 5, "k": 3, "x": 2, ".subckt": 1, ".global": 1}
# ngspice ends its process at a block that is not closed.
_CLOSED_BY = {".subckt": ".ends", ".if": ".endif"}
# Words behind an element's own name that are nodes, models or other elements; those of an x end at its parameters.
_NAMES = {
    "b": 2, "c": 2, "d": 3, "e": 2, "f": 3, "g": 2, "h": 3, "i": 2, "j": 4, "k": 3, "l": 2, "m": 5, "o": 5, "q": 4,
    "r": 2, "s": 5, "t": 4, "u": 4, "v": 2, "w": 4, "y": 5, "z": 4,
}  # fmt: skip
# Part of a node or model that a parameter's word replaces: n_{read_flavour}.
_CHOICE = re.compile(r"\{[a-z]\w*\}", re.IGNORECASE)
_NAME = r"[a-z_]\w*"
_VALUE = r"(?:\{[^{}]*\}|'[^']*'|\"[^\"]*\"|[=<>!]=|[^ ={}'\"])+"
_VOLTAGES = rf"(?: (?:v ?\( ?[^ ()=]+ ?\)|all) ?= ?{_VALUE})+"
# ngspice skips, or gives up at, what lacks a name or a value; a comma between parameters keeps it busy for ever.
_FORMS = {kind: (re.compile(rf"\{kind}{form}", re.IGNORECASE), example) for kind, form, example in (
    (".param", rf"(?: {_NAME}(?: ?\([^()]*\))? ?= ?{_VALUE}(?<!,))+", ".param name={value}"),
    (".func", rf" {_NAME} ?\([^()]*\) ?=? ?[^ =].*", ".func name(x) {2*x}"),
    (".ic", _VOLTAGES, ".ic v(node)=value"),
    (".nodeset", _VOLTAGES, ".nodeset v(node)=value"),
    (".save", r" [^=]+", ".save v(node)"),
    (".option", rf"(?: {_NAME}(?: ?= ?[^ =]+)?)+", ".option name=value"),
    (".options", rf"(?: {_NAME}(?: ?= ?[^ =]+)?)+", ".options name=value"),
)}  # fmt: skip
_FUNCTION = re.compile(rf"\.(?:func|param) ({_NAME}) ?\([^()]*\)(.*)")
_CALL = re.compile(rf"(?<!\w)({_NAME}) ?\(")
_OPTION = re.compile(rf" ({_NAME})(?: ?= ?([^ =]+))?")


@dataclass(frozen=True, slots=True)
class Card:
    """One statement: its words with one blank between them, and where its first line stands."""

    text: str
    where: str
    line: int

    @property
    def kind(self) -> str:
        """``.model``, or the letter of a device, in lower case."""
        first = re.split(r"[ (=]", self.text, maxsplit=1)[0].lower()
        return first if first.startswith(".") else first[0]

    def error(self, message: str) -> NetlistError:
        """Return an error that quotes the card."""
        return NetlistError(f"{self.where}, line {self.line}: {untrusted.shown(self.text)} {message}")

    def __str__(self) -> str:
        """The card on lines of limited width, as SPICE continues them."""
        if len(self.text) <= _LINE_WIDTH:
            return self.text
        lines: list[str] = []
        words: list[str] = []
        width = 0
        for word in self.text.split(" "):
            if words and width + len(word) > _LINE_WIDTH:
                lines.append(" ".join(words))
                words, width = ["+"], 1
            words.append(word)
            width += len(word) + 1
        return "\n".join([*lines, " ".join(words)])


@dataclass
class Budget:
    """What may still be read: characters, and files that include each other."""

    characters: int = untrusted.MOST_NETLIST
    files: int = _MOST_INCLUDES
    open: list[str] = field(default_factory=list)

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


def read_cards(text: str, *, read: Read | None = None, where: str = "netlist", foundry: bool = False) -> Iterator[Card]:
    """Yield the cards of a netlist that a simulation uses.

    The time it takes grows in proportion to the length of the text.

    Parameters
    ----------
    text : str
        SPICE text, or ``str()`` of a PySpice `Circuit`.
    read : callable, optional
        File name of an ``.include`` -> its text.
    where : str
        What to call the netlist in an error.
    foundry : bool
        Accept what ngspice skips, such as a ``.param`` without a value: nobody can change a foundry's files.

    Raises
    ------
    NetlistError
        If a card is incomplete, sets an option out of its range, names something that is not a plain name, or could
        run a command, load a program or open a file; if a block is not closed, or a function calls itself; if an
        include cannot be read; or if the text is too large.
    """
    open_blocks: list[Card] = []
    functions: dict[str, tuple[Card, str]] = {}
    for card in _included(text, read, untrusted.printable(where), Budget(), depth=0):
        _check_complete(card, foundry)
        _check_names(card)
        _follow(open_blocks, card)
        if card.text.startswith(".") and (function := _FUNCTION.match(card.text.lower())):
            functions[function[1]] = (card, function[2])
        yield card
    _check_functions(functions)
    if open_blocks:
        raise open_blocks[-1].error(f"is not closed: no {_CLOSED_BY[open_blocks[-1].kind]} follows")


def flatten(text: str, *, read: Read | None = None, where: str = "netlist", foundry: bool = False) -> str:
    """Return a netlist without comments and with its includes filled in; arguments are those of `read_cards`."""
    return "\n".join(map(str, read_cards(text, read=read, where=where, foundry=foundry)))


def _included(text: str, read: Read | None, where: str, budget: Budget, depth: int) -> Iterator[Card]:
    if depth > _DEEPEST:
        raise NetlistError(f"{where}: includes are nested more than {_DEEPEST} deep")
    budget.take(text, where)
    for card in _joined(text, where):
        if card.kind in (".inc", ".include"):
            if read is None:
                raise card.error("cannot be followed: includes need a netlist read from a file")
            name = card.text.partition(" ")[2].strip("\"'")
            yield from _included(read(name), read, untrusted.printable(name), budget, depth + 1)
        elif _is_kept(card):
            yield card


def _joined(text: str, where: str) -> Iterator[Card]:
    """Cards in order, each looked at as a whole."""
    parts: list[str] = []
    first = 0
    for number, raw in enumerate(_LINE_END.split(text), start=1):
        line = _uncommented(raw, where, number)
        if line.startswith("+") and parts:
            parts.append(line[1:])
        elif line:
            if parts:
                yield _card(parts, where, first)
            parts, first = [line], number
    if parts:
        yield _card(parts, where, first)


def _uncommented(raw: str, where: str, number: int) -> str:
    """A line without blanks around it and without a comment; empty if there is nothing else."""
    line = raw.strip(" \t")
    if line.startswith("*"):
        lowered = line[1:].lstrip().lower()
        if line.startswith("*#") or lowered.startswith("ng_script"):
            why = (
                "a *# line is a command to ngspice" if line.startswith("*#") else "a *ng_script deck is a command file"
            )
            raise NetlistError(f"{where}, line {number}: {untrusted.shown(line)} is refused: {why}")
        return ""
    line = _COMMENT.split(line, maxsplit=1)[0].strip(" \t")
    if line and not _PLAIN.fullmatch(line):
        raise NetlistError(
            f"{where}, line {number}: {untrusted.shown(line)} is no device, card or continuation in plain ASCII"
        )
    if line.endswith("\\"):
        raise NetlistError(
            f"{where}, line {number}: {untrusted.shown(line)} is refused: it ends in a backslash; "
            "continue it with + on the next line"
        )
    return line


def _card(parts: Sequence[str], where: str, first: int) -> Card:
    card = Card(" ".join(" ".join(parts).split()), where, first)
    if card.text.startswith("+"):
        raise card.error("is no device, card or continuation: no card comes before it")
    if len(card.text) > _LONGEST_CARD:
        raise card.error(f"has {len(card.text)} characters with its continuation lines; the most is {_LONGEST_CARD}")
    lowered = card.text.lower()
    if _ANY_UNSAFE.search(lowered):
        raise card.error(f"is refused: {next(why for pattern, why in _UNSAFE if pattern.search(lowered))}")
    return card


def _is_kept(card: Card) -> bool:
    """Whether a card is part of a deck; analyses are not."""
    kind = card.kind
    if not kind.startswith(".") or kind in CARDS:
        return True
    if kind not in _IGNORED:
        raise card.error(f"is unknown: no such card; a netlist may contain {' '.join(sorted(CARDS))}")
    return False


def _check_complete(card: Card, foundry: bool) -> None:
    kind = card.kind
    if card.text.count(" ") + 1 < _FEWEST_WORDS.get(kind, 2) or card.text.endswith("="):
        raise card.error("is incomplete")
    if not foundry and kind in _FORMS and not _FORMS[kind][0].fullmatch(card.text):
        raise card.error(f"lacks a name or a value, or has one too many; write {_FORMS[kind][1]}")


def _check_names(card: Card) -> None:
    """Raise `NetlistError` unless elements, nodes, subcircuits, models and options have plain names."""
    kind, names = card.kind, _names(card)
    if len(names) < _FEWEST_NAMES.get(kind, 1 + _NAMES[kind] if kind in _NAMES else 0):
        raise card.error("is incomplete: a name is missing before its first value")
    try:
        for name in names[:1]:
            untrusted.check_element(name)
        for name in names[1:]:
            untrusted.check_element(_CHOICE.sub("x", name))
    except ValueError as error:
        raise card.error(f"is refused: {error}") from None
    if kind in (".option", ".options"):
        try:
            check_netlist_options(_OPTION.findall(card.text.lower()))
        except ParameterError as error:
            raise card.error(f"is refused: {error}") from None


def _check_functions(functions: Mapping[str, tuple[Card, str]]) -> None:
    """Raise `NetlistError` for a function that calls itself, at which ngspice ends."""
    calls = {name: functions.keys() & set(_CALL.findall(body)) for name, (_, body) in functions.items()}
    try:
        TopologicalSorter(calls).prepare()
    except CycleError as error:
        raise functions[error.args[1][0]][0].error("calls itself, directly or through another function") from None


def _follow(open_blocks: list[Card], card: Card) -> None:
    """Open or close a block, or raise `NetlistError` for an end without a beginning."""
    if card.kind in _CLOSED_BY:
        open_blocks.append(card)
    elif card.kind in _CLOSED_BY.values():
        if not open_blocks or _CLOSED_BY[open_blocks[-1].kind] != card.kind:
            raise card.error("closes nothing: no block of that kind is open here")
        open_blocks.pop()


def _names(card: Card) -> Sequence[str]:
    words = card.text.split(" ")
    match card.kind:
        case ".subckt" | ".ends" | ".global":
            return _before_parameters(words[1:])
        case ".model":
            return words[1:2]
        case "x":
            return _before_parameters(words)
        case kind if kind.startswith("."):
            return ()
        case kind:
            # A value may come early: e1 a 0 vol={...}, b1 a 0 i={...}.
            return _before_parameters(words[: 1 + _NAMES.get(kind, 0)])


def _before_parameters(words: Sequence[str]) -> Sequence[str]:
    """Words up to the first that gives a parameter a value, with or without blanks around the equals sign."""
    for number, word in enumerate(words):
        if word.lower() == "params:" or word.startswith("="):
            return words[: max(0, number - word.startswith("="))]
        if "=" in word:
            return words[:number]
    return words
