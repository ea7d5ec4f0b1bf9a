"""Random mismatch of every device in the deck of an array."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..montecarlo import sampling
from ..registry import load_technology
from ..spice.deck import Deck
from ..spice.hierarchy import find_devices

Seeds = Callable[[tuple[int, int] | None], Sequence[int]]
"""Row and column of a cell in the deck, or None for all other circuits -> seeds of its devices."""


def with_mismatch(deck: Deck, technology: str, corner: str, seeds: Seeds) -> Deck:
    """Return the `deck` with random mismatch in every device, from `seeds`.

    `technology` and `corner` are those of the deck.
    """
    loaded = load_technology(technology)
    devices = find_devices(deck.template.netlist, deck.params, tuple(loaded.process))
    variables = sampling.variables(devices, loaded, "mismatch")
    places = [_place(variable.group) for variable in variables]
    draws = np.empty((1, len(variables)))
    for place in dict.fromkeys(places):
        mine = [i for i, p in enumerate(places) if p == place]
        draws[0, mine] = np.random.default_rng(list(seeds(place))).standard_normal(len(mine))
    targets, values = sampling.alters(devices, variables, loaded, corner, draws)
    return replace(deck, alters=dict(zip(targets, values[0].tolist(), strict=True)))


def _place(device: str) -> tuple[int, int] | None:
    """Row and column of the cell of a device, from the suffix of its instance."""
    match = re.search(r"(\d+)_(\d+)$", device.split(".")[0])
    return (int(match[1]), int(match[2])) if match else None
