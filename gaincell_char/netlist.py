"""SPICE text in, one complete and safe deck out.  Pure: no files, no processes."""

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from textwrap import dedent

from .circuit import Analysis, Bench
from .errors import NetlistError
from .params import Value

_REFERENCE = re.compile(r"\{([^{}]*)\}")
_NUMBER = re.compile(r"(?<![\w.])(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[a-z]*", re.IGNORECASE)
_NAME = re.compile(r"[a-z_]\w*(?!\w*\s*\()", re.IGNORECASE)
_PROBE = re.compile(r"\b[vi]\s*\([^()]*\)", re.IGNORECASE)
_KNOWN_TO_NGSPICE = {"temper", "time", "hertz"}
_PLAIN_SOURCE = re.compile(r"^([vi]\w*)\s+\S+\s+\S+\s+(?:dc\s+)?\{(\w+)\}$", re.IGNORECASE)
_INCLUDE = re.compile(r"^\.inc(?:lude)?\s+[\"']?([^\"']+?)[\"']?$", re.IGNORECASE)
_BLOCK = re.compile(r"^\.(subckt|model)\s+(\S+)", re.IGNORECASE)
# Each of these makes ngspice run a command, load a library or open a file while it reads the deck
# (measured: engine notes, section "security").
_UNSAFE = (
    (re.compile(r"^\*#"), "a *# line is a command to ngspice"),
    (re.compile(r"^\*\s*ng_script", re.IGNORECASE), "a *ng_script deck is a command file"),
    (re.compile(r"^\.(control|endc)", re.IGNORECASE), "a .control block runs commands"),
    (re.compile(r"^\.?(pre_|codemodel|osdi|load\b|shell\b|source\b)", re.IGNORECASE), "it loads or runs a program"),
    (re.compile(r"^a", re.IGNORECASE), "XSPICE code models are not supported"),
    (re.compile(r"\b(filesource|d_process|d_cosim|d_source|d_state|input_file)\b|file\s*=", re.IGNORECASE),
     "it opens a file or starts a program"),
    (re.compile(r"\b(numd|nbjt|numos)\b", re.IGNORECASE), "CIDER models read and write files"),
    (re.compile(r"`"), "backticks run a shell command"),
    (re.compile(r"^\.lib", re.IGNORECASE), ".lib sections are not supported; .include the file instead"),
    (re.compile(r"^\.temp", re.IGNORECASE), "it would change the temperature; give that with the request"),
)  # fmt: skip
# One look for all of them, any of which the slower look then names: a foundry's library has 20,000 lines.
_ANY_UNSAFE = re.compile("|".join(f"(?:{pattern.pattern})" for pattern, _ in _UNSAFE), re.IGNORECASE)
# ngspice knows a card by its beginning (.controls, .incl) and takes a stray first character, as in "(# shell", for
# an asterisk, so what is not plainly a device, a continuation or one of these cards is refused.
_PLAIN = re.compile(r"[a-z+.][\x20-\x7e\t]*", re.IGNORECASE)
_CARDS = frozenset((
    ".subckt", ".ends", ".model", ".param", ".func", ".global", ".ic", ".nodeset", ".save", ".option",
    ".options", ".if", ".elseif", ".else", ".endif",
))  # fmt: skip
# With fewer ngspice takes a resistor of 1 mOhm, or dies, without a word.
_FEWEST_WORDS = {"r": 4, "c": 4, "l": 4, "v": 3, "i": 3, ".model": 3, ".ends": 1, ".else": 1, ".endif": 1}

# Analyses, and what they print, are the bench's.
_IGNORED = frozenset((
    ".title", ".end", ".op", ".dc", ".ac", ".tran", ".tf", ".noise", ".pz", ".sens", ".disto", ".print",
    ".plot", ".four", ".meas", ".measure", ".width", ".csparam",
))  # fmt: skip
_NEAR = 200


@dataclass(frozen=True, kw_only=True)
class Template:
    """The part of a deck that stays when only numbers change.

    Attributes
    ----------
    title : str
        First line, without its asterisk.
    temp : float
        Temperature [degC].
    options : tuple of (str, float)
        Simulator options.
    body : str
        Models, wrapper devices, subcircuits, stimulus, ``.ic`` and ``.save``.
    save : tuple of str
        Vectors to bring back.
    """

    title: str
    temp: float
    options: tuple[tuple[str, float], ...]
    body: str
    save: tuple[str, ...]

    @cached_property
    def alterable(self) -> dict[str, str]:
        """Parameter -> the one source whose value it is, if its name stands nowhere else in the deck."""
        words = Counter(re.findall(r"\w+", self.body.lower()))
        found: dict[str, str] = {}
        depth = 0
        for line in self.body.lower().splitlines():
            depth += line.startswith(".subckt") - line.startswith(".ends")
            if depth == 0 and (match := _PLAIN_SOURCE.match(line)) and words[match[2]] == 1:
                found[match[2]] = match[1]
        return found


@dataclass(frozen=True, kw_only=True)
class Deck:
    """A complete deck: `text` can be run by hand with ``ngspice -b``.

    ``initial`` maps a node voltage to the value it must have at t = 0.  ``alters`` maps what ``alter`` calls a
    number of one device to its value: how mismatch reaches a device inside subcircuits.
    """

    template: Template
    params: Mapping[str, float]
    analysis: Analysis
    initial: Mapping[str, float]
    alters: Mapping[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The deck, first line to ``.end``."""
        t = self.template
        options = " ".join(f"{name}={value:g}" for name, value in t.options)
        head = [f"* {t.title}", f".temp {t.temp:g}", *([f".options {options}"] if options else [])]
        params = [f".param {name}={value!r}" for name, value in self.params.items()]
        alters = [f"alter {target} = {value!r}" for target, value in self.alters.items()]
        control = [".control", *alters, ".endc"] if alters else []
        return "\n".join([*head, *params, t.body, f".{self.analysis.command()}", *control, ".end", ""])

    @property
    def digest(self) -> str:
        """Hash of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


def flatten(text: str, *, read: Callable[[str], str] | None = None, where: str = "netlist") -> str:
    """Return the netlist without comments and with its includes filled in.

    Parameters
    ----------
    text : str
        SPICE text, or ``str()`` of a PySpice `Circuit`.
    read : callable, optional
        File name of an ``.include`` -> its text; raises `NetlistError` for a file that may not be read.
    where : str
        What to call the netlist in an error.

    Raises
    ------
    NetlistError
        If a line is incomplete or could run a command, load a program or open a file, or an include cannot be read.
    """
    flat = "\n".join(_clean_lines(text, read, where, depth=0))
    for line in flat.replace("\n+", " ").splitlines():
        kind = line.split()[0].lower()
        if len(line.split()) < _FEWEST_WORDS.get(kind if kind.startswith(".") else kind[0], 2):
            raise NetlistError(f"{where}: {line!r} is incomplete")
    return flat


def _clean_lines(text: str, read: Callable[[str], str] | None, where: str, depth: int) -> Iterator[str]:
    if depth > 8:
        raise NetlistError(f"{where}: includes are nested more than 8 deep")
    card = ""  # what a continuation line belongs to
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        _refuse_unsafe(line, where, number)
        line = re.split(r";|//|\s\$\s", line, maxsplit=1)[0].strip()
        if not line or line.startswith("*"):
            continue
        # What a continuation can complete stands at the card's beginning or right before it: a model card of a
        # hundred lines is not looked at as a whole for each of them.
        near = f"{card[:_NEAR]} {card[-_NEAR:]}" if len(card) > 2 * _NEAR else card
        card = f"{card} {line[1:].strip()}" if line.startswith("+") else line
        _refuse_unsafe(f"{near} {line[1:].strip()}" if line.startswith("+") else line, where, number)
        kind = re.split(r"[\s(=]", card, maxsplit=1)[0].lower()
        if include := _INCLUDE.match(line):
            if read is None:
                raise NetlistError(f"{where}, line {number}: {line!r}: includes need a netlist read from a file")
            yield from _clean_lines(read(include[1]), read, include[1], depth + 1)
        elif not _PLAIN.fullmatch(line) or card.startswith(" "):
            raise NetlistError(
                f"{where}, line {number}: {line[:60]!r} is no device, card or continuation in plain ASCII"
            )
        elif kind in _CARDS or not kind.startswith("."):
            yield line
        elif kind not in _IGNORED:
            raise NetlistError(
                f"{where}, line {number}: {line[:60]!r}: no such card; a netlist may hold {' '.join(sorted(_CARDS))}"
            )


def _refuse_unsafe(line: str, where: str, number: int) -> None:
    if not _ANY_UNSAFE.search(line):
        return
    for pattern, why in _UNSAFE:
        if pattern.search(line):
            raise NetlistError(f"{where}, line {number}: {line[:60]!r} is refused: {why}")


def references(text: str) -> set[str]:
    """Names used inside ``{...}`` in SPICE text, functions and numbers left out."""
    names: set[str] = set()
    for expression in _REFERENCE.findall(text):
        names.update(_NAME.findall(_NUMBER.sub(" ", _PROBE.sub(" ", expression))))
    return names


def undeclared(text: str, declared: Iterable[str]) -> set[str]:
    """Names used in ``{...}`` that are neither declared, ``.param``, nor the subcircuit's own."""
    lines = text.lower().replace("\n+", " ").splitlines()
    known = {n.lower() for n in declared} | _KNOWN_TO_NGSPICE
    known.update(*(re.findall(r"(\w+)\s*=", line) for line in lines if line.startswith(".param")))
    local: set[str] = set()
    missing: set[str] = set()
    for line in lines:
        if line.startswith(".subckt"):
            local = set(re.findall(r"(\w+)\s*=", line))
        elif line.startswith(".ends"):
            local = set()
        elif line.startswith(".func"):
            missing |= references(line) - known - set(re.findall(r"\w+", line.partition(")")[0]))
        else:
            missing |= references(line) - known - local
    return missing


def undefined(text: str) -> set[str]:
    """Subcircuits that are instantiated but not defined."""
    joined = re.sub(r"\s*=\s*", "=", text.lower().replace("\n+", " "))
    lines = [line.split() for line in joined.splitlines() if line.strip()]
    defined = {words[1] for words in lines if words[0] == ".subckt" and len(words) > 1}
    used = set()
    for words in lines:
        if words[0].startswith("x"):
            names = list(itertools.takewhile(lambda word: "=" not in word and word != "params:", words))
            used.add(names[-1])
    return used - defined


def subcircuits(text: str) -> set[str]:
    """Names of the subcircuits that a text defines, in lower case."""
    return set(re.findall(r"^\.subckt\s+(\S+)", text.lower(), re.MULTILINE))


def prune(library: str, user: str) -> str:
    """Return the blocks (``.subckt`` and ``.model``) of `library` that `user` needs, directly or not."""
    [kept] = needed([library], user)
    return kept


def needed(libraries: Sequence[str], user: str) -> list[str]:
    """Return of each library the blocks that `user` needs, directly or through any of them, and what is no block."""
    every = [_blocks(library) for library in libraries]
    blocks: dict[str, list[str]] = {}
    for own, _ in every:
        blocks |= own
    kept: set[str] = set()
    words = set(re.findall(r"[\w.]+", user.lower()))
    while new := (words & blocks.keys()) - kept:
        kept |= new
        words = {word for name in new for word in re.findall(r"[\w.]+", "\n".join(blocks[name]).lower())}
    return [
        "\n".join([*always, *(line for name, block in own.items() if name in kept for line in block)])
        for own, always in every
    ]


def _blocks(library: str) -> tuple[dict[str, list[str]], list[str]]:
    """Blocks of a library by name, and the lines that stand in none."""
    blocks: dict[str, list[str]] = {}
    always: list[str] = []
    current, inside = always, False
    for line in library.splitlines():
        if match := None if inside else _BLOCK.match(line):
            # An instance names a model without its bin: nmos_model of nmos_model.1, nmos_model.2, ...
            current = blocks.setdefault(re.sub(r"\.\d+$", "", match[2].lower()), [])
            inside = match[1].lower() == "subckt"
        elif not inside and not line.startswith("+"):
            current = always
        current.append(line)
        inside = inside and not line.lower().startswith(".ends")
    return blocks, always


def render(
    *,
    title: str,
    netlist: str,
    library: str,
    bench: Bench,
    choices: Mapping[str, str],
    declared: Sequence[str],
    temp: float,
    options: Mapping[str, float],
) -> Template:
    """Put circuit, bench and technology together into a `Template`.

    Parameters
    ----------
    netlist, library : str
        Flattened text of the circuit and of the technology.
    choices : mapping of str to str
        Words that replace ``{name}`` in the text.
    declared : sequence of str
        Every number the deck will define with ``.param``.

    Raises
    ------
    NetlistError
        If the text refers to a name that nobody declares.
    """
    if odd := [name for name in (*declared, *options) if not _NAME.fullmatch(name)]:
        raise NetlistError(f"{odd[0]!r} cannot be the name of a parameter or an option")
    title = " ".join(title.split())
    initial = [f".ic {node}={{{name}}}" for node, name in bench.initial.items()]
    save = tuple(dict.fromkeys([*bench.save, *bench.initial]))
    stimulus = flatten(dedent(bench.stimulus), where=f"stimulus of {bench.name}")
    user = "\n".join([netlist, stimulus, *initial, f".save {' '.join(save)}"])
    for name, word in choices.items():
        user = user.replace(f"{{{name}}}", word)
    body = f"{prune(library, user)}\n{user}"
    if missing := undeclared(body, declared):
        raise NetlistError(
            f"{title}: uses undeclared {', '.join(sorted(missing))}; declared: {', '.join(sorted(declared))}"
        )
    if missing := undefined(body):
        raise NetlistError(
            f"{title}: neither the netlist nor the technology defines .subckt {', '.join(sorted(missing))}"
        )
    return Template(title=title, temp=temp, options=tuple(options.items()), body=body, save=save)


def numbers(values: Mapping[str, Value]) -> dict[str, float]:
    """Return the numeric entries, as plain floats."""
    return {name: float(value) for name, value in values.items() if not isinstance(value, str)}


def words(values: Mapping[str, Value]) -> dict[str, str]:
    """Return the entries that are words."""
    return {name: value for name, value in values.items() if isinstance(value, str)}
