"""Checks of a card: it must not run a command, load a program or open a file, and must be complete."""

import re
from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter

from ..errors import ParameterError
from ..storage import untrusted
from .cards import Card
from .simulator_options import check_netlist_options

_LONGEST_CARD = 2**20
# Each of these makes ngspice run a command, load a library or open a file while it reads the deck
# (measured: engine notes, section "security").
_UNSAFE = (
    (re.compile(r"^\.(control|endc)"), "a .control block runs commands"),
    (re.compile(r"^\.?(pre_|codemodel|osdi|load\b|shell\b|source\b)"), "it loads or runs a program"),
    (re.compile(r"^a"), "XSPICE code models are not supported"),
    (
        re.compile(r"\b(filesource|d_process|d_cosim|d_source|d_state|input_file)\b|file ?="),
        "it opens a file or starts a program",
    ),
    (re.compile(r"\b(numd|nbjt|numos)\b"), "CIDER models read and write files"),
    (re.compile(r"`"), "backticks run a shell command"),
    (re.compile(r"^\.lib"), ".lib sections are not supported; .include the file instead"),
    (re.compile(r"^\.temp"), "it would change the temperature; set it with --temp or temps="),
    (re.compile(r"\\(?= |$)"), "a line ends in a backslash; continue it with + on the next line"),
)
# One pattern for all; the slower search names the reason.  A foundry library has 20,000 lines.
_ANY_UNSAFE = re.compile("|".join(f"(?:{pattern.pattern})" for pattern, _ in _UNSAFE))
# ngspice identifies a card by its beginning (.controls, .incl) and reads some first characters, as in "(# shell", as
# an asterisk; only devices and the cards listed here are accepted.
_PLAIN = re.compile(r"[a-zA-Z.][\x20-\x7e]*")
_DEFINITIONS = frozenset((".subckt", ".ends", ".model", ".param", ".func", ".global"))
_CONDITIONS = frozenset((".ic", ".nodeset", ".save", ".option", ".options"))
_BRANCHES = frozenset((".if", ".elseif", ".else", ".endif"))
CARDS = _DEFINITIONS | _CONDITIONS | _BRANCHES
# Analyses and print commands come from the bench; those of a netlist are ignored.
_ANALYSES = frozenset((".op", ".dc", ".ac", ".tran", ".tf", ".noise", ".pz", ".sens", ".disto"))
_PRINTED = frozenset((".title", ".end", ".print", ".plot", ".four", ".meas", ".measure", ".width", ".csparam"))
_IGNORED = _ANALYSES | _PRINTED
# With fewer words ngspice silently assumes 1 mOhm for a resistor, or crashes.
_FEWEST_WORDS = {"r": 4, "c": 4, "l": 4, "v": 3, "i": 3, ".model": 3, ".ends": 1, ".else": 1, ".endif": 1}
# Number of names before the first value; an m may have three nodes.
_FEWEST_NAMES = {"m": 5, "k": 3, "n": 3, "x": 2, ".subckt": 1, ".global": 1}
# A block that is not closed ends the process of ngspice.
_CLOSED_BY = {".subckt": ".ends", ".if": ".endif"}
# Number of nodes, models or other elements after the name of an element; for an x, all words before its parameters.
_NAMES = {
    **dict.fromkeys("bcegilrv", 2),
    **dict.fromkeys("dfhk", 3),
    **dict.fromkeys("jqtuwz", 4),
    **dict.fromkeys("mosy", 5),
}
# Part of a node or model that a parameter's word replaces: n_{flavour}.
_CHOICE = re.compile(r"\{[a-z]\w*\}", re.IGNORECASE)
_NAME = r"[a-z_]\w*"
_VALUE = r"(?:\{[^{}]*\}|'[^']*'|\"[^\"]*\"|[=<>!]=|[^ ={}'\"])+"
_VOLTAGES = rf"(?: (?:v ?\( ?[^ ()=]+ ?\)|all) ?= ?{_VALUE})+"
# ngspice skips, or ends at, a card without a name or a value; a comma between parameters makes it hang.
_FORMS = {
    kind: (re.compile(rf"\{kind}{form}", re.IGNORECASE), example)
    for kind, form, example in (
        (".param", rf"(?: {_NAME}(?: ?\([^()]*\))? ?= ?{_VALUE}(?<!,))+", ".param name={value}"),
        (".func", rf" {_NAME} ?\([^()]*\) ?=? ?[^ =].*", ".func name(x) {2*x}"),
        (".ic", _VOLTAGES, ".ic v(node)=value"),
        (".nodeset", _VOLTAGES, ".nodeset v(node)=value"),
        (".save", r" [^=]+", ".save v(node)"),
        (".option", rf"(?: {_NAME}(?: ?= ?[^ =]+)?)+", ".option name=value"),
        (".options", rf"(?: {_NAME}(?: ?= ?[^ =]+)?)+", ".options name=value"),
    )
}
_CALL = re.compile(rf"(?<!\w)({_NAME}) ?\(")
_OPTION = re.compile(rf" ({_NAME})(?: ?= ?([^ =]+))?")


def check_text(card: Card) -> None:
    """Check the text of a card of any kind.

    Raises
    ------
    NetlistError
        If it is not plain ASCII, too long, or could run a command, load a program or open a file.
    """
    if card.kind == "+":
        raise card.error("is not a device, card or continuation: no card comes before it")
    if not _PLAIN.fullmatch(card.text):
        raise card.error("is not a device, card or continuation in plain ASCII")
    if len(card.text) > _LONGEST_CARD:
        raise card.error(f"has {len(card.text)} characters with its continuation lines; the maximum is {_LONGEST_CARD}")
    if _ANY_UNSAFE.search(card.lowered):
        raise card.error(f"is refused: {next(why for pattern, why in _UNSAFE if pattern.search(card.lowered))}")


def is_kept(card: Card) -> bool:
    """Whether a card is part of a deck; analyses are not.

    Raises
    ------
    NetlistError
        If the card is unknown.
    """
    if not card.kind.startswith(".") or card.kind in CARDS:
        return True
    if card.kind not in _IGNORED:
        raise card.error(f"is unknown: no such card; a netlist may contain {' '.join(sorted(CARDS))}")
    return False


def check_card(card: Card, *, foundry: bool = False) -> None:
    """Check that a card is complete and contains valid names.

    Parameters
    ----------
    card : Card
        The card.
    foundry : bool
        Accept cards that ngspice skips.

    Raises
    ------
    NetlistError
        If the card is incomplete, or a name or an option is invalid.
    """
    if card.text.count(" ") + 1 < _FEWEST_WORDS.get(card.kind, 2) or card.text.endswith("="):
        raise card.error("is incomplete")
    if not foundry and card.kind in _FORMS and not _FORMS[card.kind][0].fullmatch(card.text):
        raise card.error(f"has a missing or an extra name or value; write {_FORMS[card.kind][1]}")
    _check_names(card)
    if card.kind in (".option", ".options"):
        try:
            check_netlist_options(_OPTION.findall(card.lowered))
        except ParameterError as error:
            raise card.error(f"is refused: {error}") from None


def _check_names(card: Card) -> None:
    """Raise `NetlistError` unless elements, nodes, subcircuits and models have valid names."""
    names = _names(card)
    if len(names) < _FEWEST_NAMES.get(card.kind, 1 + _NAMES[card.kind] if card.kind in _NAMES else 0):
        raise card.error("is incomplete: a name is missing before its first value")
    try:
        for number, name in enumerate(names):
            untrusted.check_element(_CHOICE.sub("x", name) if number else name)
    except ValueError as error:
        raise card.error(f"is refused: {error}") from None


def _names(card: Card) -> Sequence[str]:
    match card.kind:
        case ".subckt" | ".ends" | ".global":
            return card.positional[1:]
        case ".model":
            return card.words[1:2]
        case "x" | "n":
            return card.positional
        case kind if kind.startswith("."):
            return ()
        case kind:
            # A value may come early: e1 a 0 vol={...}, b1 a 0 i={...}.
            return card.positional[: 1 + _NAMES.get(kind, 0)]


def check_blocks(cards: Iterable[Card]) -> None:
    """Check that every block is closed, and every end has a beginning.

    Raises
    ------
    NetlistError
        If a block is not closed, or an end has no beginning.
    """
    open_: list[Card] = []
    for card in cards:
        if card.kind in _CLOSED_BY:
            open_.append(card)
        elif card.kind in _CLOSED_BY.values():
            if not open_ or _CLOSED_BY[open_[-1].kind] != card.kind:
                raise card.error("has no matching beginning before it")
            open_.pop()
    if open_:
        raise open_[-1].error(f"is not closed: add {_CLOSED_BY[open_[-1].kind]}")


def check_functions(cards: Iterable[Card]) -> None:
    """Check that no function calls itself: such a function ends the process of ngspice.

    Raises
    ------
    NetlistError
        If a function calls itself, directly or through another function.
    """
    found = {card.function[0]: (card, card.function[1]) for card in cards if card.function}
    calls = {name: found.keys() & set(_CALL.findall(body)) for name, (_, body) in found.items()}
    try:
        TopologicalSorter(calls).prepare()
    except CycleError as error:
        raise found[error.args[1][0]][0].error("calls itself, directly or through another function") from None
