"""Several independent copies of a bench in one deck, which share time steps and overhead of the simulator."""

import re
from dataclasses import replace

from ..declare.bench import Waveforms
from .cards import Card
from .deck import Deck, Template
from .netlist import Netlist, Subcircuit

_PROBE = re.compile(r"^([vi])\(([^()]+)\)$")
_SHARED = frozenset((".model", ".param", ".func", ".global", ".options", ".option"))
_COPY = "gaincell_copy"


def copy_name(copy: int) -> str:
    """Instance name of one copy in a stacked deck."""
    return f"xcopy{copy}"


def inside(target: str, copy: int) -> str:
    """Target of ``alter`` inside one copy, for a target of the plain deck: ``@m.xcell.xn.m1[w]``, ``c.xcell.xc.c1``."""
    at, name = ("@", target[1:]) if target.startswith("@") else ("", target)
    kind, _, path = name.partition(".")
    return f"{at}{kind}.{copy_name(copy)}.{path}"


def probe(vector: str, copy: int) -> str:
    """Name inside one copy of a saved vector of the plain deck: ``v(out)``, ``i(vsource)``."""
    match = _PROBE.match(vector)
    if match is None:
        return vector
    kind, name = match.groups()
    inner = f"{copy_name(copy)}.{name}" if kind == "v" else f"{name[0]}.{copy_name(copy)}.{name}"
    return f"{kind}({inner})"


def stacked(deck: Deck, copies: int) -> Deck:
    """Return a deck with `copies` copies of the bench, each in its own subcircuit; for one copy, the deck itself."""
    if copies == 1:
        return deck
    return replace(
        deck,
        template=stack_template(deck.template, copies),
        initial={probe(node, k): value for k in range(copies) for node, value in deck.initial.items()},
        alters={inside(target, k): value for k in range(copies) for target, value in deck.alters.items()},
    )


def stack_template(template: Template, copies: int) -> Template:
    """Template with `copies` copies of the bench; see `stacked`."""
    shared = [item for item in template.netlist.items if isinstance(item, Subcircuit) or item.kind in _SHARED]
    bench = [card for card in template.netlist.top if card.kind not in (*_SHARED, ".ic", ".save")]
    initial = [card for card in template.netlist.top if card.kind == ".ic"]
    save = tuple(probe(vector, k) for k in range(copies) for vector in template.save)
    body = [
        *shared,
        Subcircuit(Card(f".subckt {_COPY} gnd_"), tuple(bench), Card(f".ends {_COPY}")),
        *(Card(f"{copy_name(k)} 0 {_COPY}") for k in range(copies)),
        *(Card(_renamed(card.text, k)) for k in range(copies) for card in initial),
    ]
    return replace(template, body=f"{Netlist(tuple(body)).text}\n.save {' '.join(save)}", save=save)


def _renamed(text: str, copy: int) -> str:
    return re.sub(r"\bv\(([^()]+)\)", lambda match: probe(f"v({match[1]})", copy), text)


def unstacked(vectors: Waveforms, save: tuple[str, ...], copy: int) -> Waveforms:
    """Select the vectors of one copy and give them the names of the plain deck.

    Parameters
    ----------
    vectors : mapping of str to ndarray, shape (n_times,)
        Vectors of the stacked deck, in SI units.
    save : tuple of str
        Saved vectors of the plain deck.
    copy : int
        Number of the copy.
    """
    own = {vector: vectors[probe(vector, copy)] for vector in save}
    return {**own, "time": vectors["time"]} if "time" in vectors else own
