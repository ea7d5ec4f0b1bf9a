"""Circuit, bench and technology -> one complete and safe deck.  Pure: no files, no processes."""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath
from textwrap import dedent

from ..declare.bench import Analysis, Bench, Noise
from ..errors import NetlistError
from ..storage.untrusted import check_name, shown
from .blocks import prune
from .cards import Card
from .names import check_defaults, check_definitions, check_instances, undeclared
from .netlist import Netlist, as_netlist
from .reader import read_netlist

_VECTOR = re.compile(r"[vi]\([\w.:#+-]{1,400}\)|@[\w.:#+-]{1,400}\[\w+\]", re.IGNORECASE | re.ASCII)
_TARGET = re.compile(r"@?[\w.:#+-]+(\[\w+\])?", re.ASCII)
_PLAIN_SOURCE = re.compile(r"([vi]\w*) \S+ \S+ (?:dc )?\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class Template:
    """The part of a deck that does not change with parameter values.

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
        Vectors to return.
    compiled : tuple of str
        Files of compiled Verilog-A models, loaded before the deck.
    """

    title: str
    temp: float
    options: tuple[tuple[str, float], ...]
    body: str
    save: tuple[str, ...]
    compiled: tuple[str, ...] = ()

    @property
    def netlist(self) -> Netlist:
        """The body as a tree."""
        return as_netlist(self.body)

    @cached_property
    def alterable(self) -> dict[str, str]:
        """Parameter -> source, for each parameter used only as the value of that source."""
        words = Counter(re.findall(r"\w+", self.body.lower()))
        matches = (_PLAIN_SOURCE.fullmatch(card.lowered) for card in self.netlist.top)
        return {match[2]: match[1] for match in matches if match and words[match[2]] == 1}


@dataclass(frozen=True, kw_only=True)
class Deck:
    """A complete deck: `text` can be run by hand with ``ngspice -b``.

    Attributes
    ----------
    template : Template
        The part that does not change with the parameters.
    params : mapping of str to float
        Values of ``.param``, in SI units.
    analysis : Analysis
        Operating point, transient or noise.
    initial : mapping of str to float
        Node voltage ``v(node)`` -> required value at t = 0 [V].
    alters : mapping of str to float
        Target of the command ``alter`` -> value; sets device values inside subcircuits, as for mismatch.
    """

    template: Template
    params: Mapping[str, float]
    analysis: Analysis
    initial: Mapping[str, float]
    alters: Mapping[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The deck, first line to ``.end``."""
        return self._text(self.template.compiled, self.alters)

    @property
    def plain(self) -> str:
        """The deck without commands: compiled models are loaded and device values are set by the session."""
        return self._text((), {})

    def _text(self, compiled: Sequence[str], alters: Mapping[str, float]) -> str:
        t = self.template
        options = " ".join(f"{name}={value:g}" for name, value in t.options)
        head = [f"* {t.title}", f".temp {t.temp:g}", *([f".options {options}"] if options else [])]
        params = [f".param {name}={value!r}" for name, value in self.params.items()]
        first = _control(f"pre_osdi {file}" for file in compiled)
        last = _control(alter(target, value) for target, value in alters.items())
        # ngspice runs the analyses of a deck from the last to the first.
        analyses = [f".{command}" for command in reversed(self.analysis.commands())]
        return "\n".join([*head, *first, *params, t.body, *analyses, *last, ".end", ""])

    @property
    def digest(self) -> str:
        """Hash of the text; of a compiled model its name, which states what it was compiled from, and no folder."""
        text = self._text([PurePath(file).name for file in self.template.compiled], self.alters)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Temperature [degC] and simulator options of a simulation."""

    temp: float
    options: Mapping[str, float]


def _control(commands: Iterable[str]) -> list[str]:
    """Lines of a block of commands; none without commands."""
    lines = list(commands)
    return [".control", *lines, ".endc"] if lines else []


def alter(target: str, value: float) -> str:
    """Return the simulator command that sets one device value, for example ``alter @m1[w] = 1e-06``.

    Raises
    ------
    NetlistError
        If the target contains other characters than a name: ``>`` and ``;`` would redirect output and run commands.
    """
    if not _TARGET.fullmatch(target):
        raise NetlistError(f"{shown(target)} cannot be altered; use letters, digits and _.:#+- in element names")
    return f"alter {target} = {float(value)!r}"


def render(
    *,
    title: str,
    netlist: Netlist,
    library: Netlist,
    bench: Bench,
    choices: Mapping[str, str],
    declared: Sequence[str],
    conditions: Conditions,
    asked: Collection[str] = (),
) -> Template:
    """Assemble circuit, bench and technology into a `Template`.

    Parameters
    ----------
    title : str
        First line of the deck.
    netlist, library : Netlist
        The circuit, and the technology.
    bench : Bench
        Stimulus, initial conditions and saved vectors.
    choices : mapping of str to str
        Words that replace ``{name}`` in the text.
    declared : collection of str
        Parameters that the deck defines with ``.param``.
    conditions : Conditions
        Temperature and simulator options.
    asked : collection of str
        Parameters set by the request; a subcircuit must not have a default for them.

    Raises
    ------
    NetlistError
        If the text uses an undeclared name, or defines a name that the plan or the technology defines.
    """
    _check_names(declared, conditions.options, bench)
    title = " ".join(title.split())
    save = tuple(dict.fromkeys([*bench.save, *bench.initial]))
    user = _chosen(netlist + _bench(bench, save), choices)
    kept = prune(library, user)
    whole = kept + user
    try:
        check_definitions(kept, user, declared)
        check_defaults(user, asked)
        _check_declared(whole, declared)
    except NetlistError as error:
        raise NetlistError(f"{title}: {error}") from None
    check_instances(whole)  # a missing device has one reason in all benches
    options = tuple(conditions.options.items())
    return Template(
        title=title, temp=conditions.temp, options=options, body=whole.text, save=save, compiled=kept.compiled
    )


def _bench(bench: Bench, save: Sequence[str]) -> Netlist:
    """Stimulus, initial conditions and saved vectors."""
    stimulus = read_netlist(dedent(bench.stimulus), where=f"stimulus of {bench.name}")
    initial = [Card(f".ic {node}={{{name}}}") for node, name in bench.initial.items()]
    saved = [Card(f".save {' '.join(save)}")] if save else []
    return stimulus + Netlist((*initial, *saved))


def _chosen(netlist: Netlist, choices: Mapping[str, str]) -> Netlist:
    """Replace ``{name}`` by words in a netlist."""
    return Netlist.of(Card(_replaced(card.text, choices), card.where, card.line) for card in netlist.cards())


def _replaced(text: str, choices: Mapping[str, str]) -> str:
    for name, word in choices.items():
        text = text.replace(f"{{{name}}}", word)
    return text


def _check_declared(netlist: Netlist, declared: Sequence[str]) -> None:
    if missing := undeclared(netlist, declared):
        raise NetlistError(f"uses undeclared {', '.join(sorted(missing))}; declared are {', '.join(sorted(declared))}")


def _check_names(declared: Sequence[str], options: Mapping[str, float], bench: Bench) -> None:
    """Raise `NetlistError` unless every name is a plain name."""
    try:
        for name in (*declared, *options, *bench.initial.values()):
            check_name(name)
        for vector in (*bench.save, *bench.initial):
            check_vector(vector)
        check_nodes(bench.analysis)
        if isinstance(bench.analysis, Noise) and (bench.save or bench.initial):
            raise ValueError("a noise analysis has neither saved vectors nor initial voltages")
    except ValueError as error:
        raise NetlistError(f"bench {bench.name}: {error}") from None


def check_nodes(analysis: Analysis) -> None:
    """Raise `ValueError` unless nodes and sources of a noise analysis are plain names, and there is one at least."""
    if not isinstance(analysis, Noise):
        return
    if not analysis.nodes:
        raise ValueError("a noise analysis needs a node")
    for node, source in analysis.nodes.items():
        check_name(source)
        if not check_vector(node).lower().startswith("v("):
            raise ValueError(f"{shown(node)} is not a node of a noise analysis; write v(node)")


def check_vector(text: str) -> str:
    """Return the name of a vector, ``v(node)`` or ``i(source)``, or raise `ValueError`."""
    if not _VECTOR.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a vector; write v(node) or i(source)")
    return text
