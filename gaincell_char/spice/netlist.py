"""SPICE text in, one complete and safe deck out.  Pure: no files, no processes."""

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from textwrap import dedent

from ..declare.circuit import Analysis, Bench
from ..declare.parameters import Value
from ..errors import NetlistError
from ..storage.untrusted import check_name, shown
from .cards import flatten

_REFERENCE = re.compile(r"\{([^{}]*)\}")
_NUMBER = re.compile(r"(?<![\w.])(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[a-z]*", re.IGNORECASE)
_NAME = re.compile(r"(?<!\w)([a-z_]\w*)( ?\()?", re.IGNORECASE)
_PROBE = re.compile(r"\b[vi] ?\([^()]*\)", re.IGNORECASE)
_ASSIGNED = re.compile(r"(?<!\w)(\w+) ?=")
_FUNCTION = re.compile(r"\.(?:func|param) (\w+) ?\(")
_EXPRESSION = re.compile(r"\{[^{}]*\}|'[^']*'|[=<>!]=")
_KNOWN_TO_NGSPICE = {"temper", "time", "hertz"}
_VECTOR = re.compile(r"[vi]\([\w.:#+-]{1,400}\)|@[\w.:#+-]{1,400}\[\w+\]", re.IGNORECASE | re.ASCII)
_TARGET = re.compile(r"@?[\w.:#+-]+(\[\w+\])?", re.ASCII)
_PLAIN_SOURCE = re.compile(r"([vi]\w*) \S+ \S+ (?:dc )?\{(\w+)\}", re.IGNORECASE)
_BLOCK = re.compile(r"^\.(subckt|model)\s+(\S+)", re.IGNORECASE)


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
            if depth == 0 and (match := _PLAIN_SOURCE.fullmatch(line)) and words[match[2]] == 1:
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
        alters = [alter(target, value) for target, value in self.alters.items()]
        control = [".control", *alters, ".endc"] if alters else []
        return "\n".join([*head, *params, t.body, f".{self.analysis.command()}", *control, ".end", ""])

    @property
    def digest(self) -> str:
        """Hash of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


def alter(target: str, value: float) -> str:
    """Return the simulator command that gives one number of a device another value.

    Raises
    ------
    NetlistError
        If the target is more than a plain name: the simulator redirects output at ``>`` and runs what stands behind
        ``;``.
    """
    if not _TARGET.fullmatch(target):
        raise NetlistError(f"{shown(target)} cannot be altered: use letters, digits and _.:#+- in names of elements")
    return f"alter {target} = {float(value)!r}"


def lines_of(text: str) -> list[str]:
    """Return the cards of flattened text: continuation lines joined, one blank between words, in lower case."""
    joined = text.lower().replace("\n+", " ")
    return [" ".join(line.split()) for line in joined.split("\n") if line and not line.isspace()]


def references(text: str) -> set[str]:
    """Names used inside ``{...}`` in SPICE text, functions and numbers left out."""
    names: set[str] = set()
    for expression in _REFERENCE.findall(text):
        words = _NAME.findall(_NUMBER.sub(" ", _PROBE.sub(" ", " ".join(expression.split()))))
        names.update(name for name, call in words if not call)
    return names


def undeclared(text: str, declared: Iterable[str]) -> set[str]:
    """Names used in ``{...}`` that are neither declared, ``.param``, nor the subcircuit's own."""
    lines = lines_of(text)
    known = {n.lower() for n in declared} | _KNOWN_TO_NGSPICE
    known.update(*(_ASSIGNED.findall(line) for line in lines if line.startswith(".param")))
    local: set[str] = set()
    missing: set[str] = set()
    for line in lines:
        if line.startswith(".subckt"):
            local = set(_ASSIGNED.findall(line))
        elif line.startswith(".ends"):
            local = set()
        elif line.startswith(".func"):
            missing |= references(line) - known - set(re.findall(r"\w+", line.partition(")")[0]))
        else:
            missing |= references(line) - known - local
    return missing


def check_instances(text: str) -> None:
    """Raise `NetlistError` unless every subcircuit is defined, and instantiated with as many nodes as it has ports."""
    lines = [re.sub(" ?= ?", "=", line).split() for line in lines_of(text)]
    ports = {words[1]: len(_positional(words)) - 2 for words in lines if words[0] == ".subckt" and len(words) > 1}
    instances = [words for words in lines if words[0].startswith("x")]
    used = [_positional(words) for words in instances]
    if alone := next((words[0] for words, names in zip(instances, used, strict=True) if len(names) < 2), ""):
        raise NetlistError(f"{alone} names no subcircuit")
    if missing := {names[-1] for names in used} - ports.keys():
        raise NetlistError(f"neither the netlist nor the technology defines .subckt {', '.join(sorted(missing))}")
    for name, *nodes, own in used:
        if len(nodes) != ports[own]:
            raise NetlistError(f"{name} has {len(nodes)} nodes; .subckt {own} has {ports[own]}")


def _positional(words: Sequence[str]) -> list[str]:
    """Words before the first parameter."""
    return list(itertools.takewhile(lambda word: "=" not in word and word != "params:", words))


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
            current = blocks.setdefault(_unbinned(match[2].lower()), [])
            inside = match[1].lower() == "subckt"
        elif not inside and not line.startswith("+"):
            current = always
        current.append(line)
        inside = inside and not line.lower().startswith(".ends")
    return blocks, always


def _unbinned(name: str) -> str:
    """Name of a model as an instance writes it: nmos_model of nmos_model.1, nmos_model.2, ..."""
    return re.sub(r"\.\d+$", "", name)


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
    asked: Collection[str] = (),
) -> Template:
    """Put circuit, bench and technology together into a `Template`.

    Parameters
    ----------
    netlist, library : str
        Flattened text of the circuit and of the technology.
    choices : mapping of str to str
        Words that replace ``{name}`` in the text.
    declared, asked : collection of str
        Every number the deck defines with ``.param``; those that no default of a subcircuit may replace.

    Raises
    ------
    NetlistError
        If the text refers to a name that nobody declares, or defines one that is declared or the technology's.
    """
    _check_names(declared, options, bench)
    title = " ".join(title.split())
    initial = [f".ic {node}={{{name}}}" for node, name in bench.initial.items()]
    save = tuple(dict.fromkeys([*bench.save, *bench.initial]))
    stimulus = flatten(dedent(bench.stimulus), where=f"stimulus of {bench.name}")
    user = "\n".join([netlist, stimulus, *initial, f".save {' '.join(save)}"])
    for name, word in choices.items():
        user = user.replace(f"{{{name}}}", word)
    needed_library = prune(library, user)
    body = f"{needed_library}\n{user}"
    if twice := _redefined(needed_library, user, declared) or _shadowing(lines_of(user), asked):
        raise NetlistError(f"{title}: {twice}")
    if missing := undeclared(body, declared):
        raise NetlistError(
            f"{title}: uses undeclared {', '.join(sorted(missing))}; declared: {', '.join(sorted(declared))}"
        )
    try:
        check_instances(body)
    except NetlistError as error:
        raise NetlistError(f"{title}: {error}") from None
    return Template(title=title, temp=temp, options=tuple(options.items()), body=body, save=save)


def _redefined(library: str, user: str, declared: Collection[str]) -> str:
    """Say what a text defines that has its value or its meaning from elsewhere; empty if nothing."""
    names = {name.lower() for name in declared}
    blocks, always = _blocks(library)
    its_own: set[str] = set()
    for line in lines_of("\n".join(always)):
        its_own |= (own := _defined(line))
        if both := own & names:
            return f"{shown(line)} of the technology defines {_some(both)}, which the plan declares; rename it"
    lines = lines_of(user)
    for line in lines:
        if both := _defined(line) & names:
            return f"{shown(line)} defines {_some(both)}, which the plan declares; leave it out, or choose another name"
        if both := _defined(line) & its_own:
            return f"{shown(line)} defines {_some(both)}, which the technology defines; choose another name"
        if (block := _BLOCK.match(line)) and _unbinned(block[2]) in blocks:
            return f"{shown(line)} defines {block[2]}, which the technology defines; choose another name"
    return ""


def _shadowing(lines: Sequence[str], asked: Collection[str]) -> str:
    """Say which subcircuit has a default that one of its instances takes instead of what was asked for."""
    names = {name.lower() for name in asked}
    defaults = {
        line.split()[1]: (line, both) for line in lines if line.startswith(".subckt") and (both := _given(line) & names)
    }
    for line in lines if defaults else ():
        kind = next((word for word in reversed(_positional(re.sub(" ?= ?", "=", line).split())) if word), "")
        if line.startswith("x") and kind in defaults and (both := defaults[kind][1] - _given(line)):
            return f"{shown(defaults[kind][0])} gives {_some(both)} a default, and the request another value; rename it"
    return ""


def _defined(line: str) -> set[str]:
    """Names of the parameters and functions that a card defines."""
    if function := _FUNCTION.match(line):
        return {function[1]}
    return _given(line) if line.startswith(".param") else set()


def _given(line: str) -> set[str]:
    """Names that a card gives a value, those in expressions left out."""
    return set(_ASSIGNED.findall(_EXPRESSION.sub("0", line)))


def _some(names: Set[str]) -> str:
    return ", ".join(sorted(names))


def _check_names(declared: Sequence[str], options: Mapping[str, float], bench: Bench) -> None:
    """Raise `NetlistError` for a name that could be more than one."""
    try:
        for name in (*declared, *options, *bench.initial.values()):
            check_name(name)
        for vector in (*bench.save, *bench.initial):
            check_vector(vector)
    except ValueError as error:
        raise NetlistError(f"bench {bench.name}: {error}") from None


def check_vector(text: str) -> str:
    """Return the name of a vector, ``v(node)`` or ``i(source)``, or raise `ValueError`."""
    if not _VECTOR.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a vector; write v(node) or i(source)")
    return text


def numbers(values: Mapping[str, Value]) -> dict[str, float]:
    """Return the numeric entries, as plain floats."""
    return {name: float(value) for name, value in values.items() if not isinstance(value, str)}


def words(values: Mapping[str, Value]) -> dict[str, str]:
    """Return the entries that are words."""
    return {name: value for name, value in values.items() if isinstance(value, str)}
