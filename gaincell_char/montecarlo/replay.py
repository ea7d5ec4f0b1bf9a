"""Exact repetition of one point of a campaign, selected by its id."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..declare.bench import Floats
from ..errors import ParameterError, SimulationError
from ..spice.batch import Batch
from ..spice.copies import copy_name
from ..spice.deck import Deck
from ..spice.simulator import Simulator
from ..storage.untrusted import shown
from .campaign import Campaign


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Repetition of one point.

    Attributes
    ----------
    deck : Deck
        The simulated deck.
    instance : str
        Instance of the sample in the deck; empty if the deck contains one sample.
    values : mapping of str to ndarray, scalar or of the shape of the bench's curve
        Outputs in SI units.
    """

    deck: Deck
    instance: str
    values: Mapping[str, Floats]


def parse_id(campaign: Campaign, text: str) -> tuple[int, int]:
    """Read an id ``SAMPLE.POINT``, or ``SAMPLE`` if the grid has one point.

    Raises
    ------
    ParameterError
        If the text has another form, or the point does not exist.
    """
    match = re.fullmatch(r"([0-9]{1,12})(?:(\.)([0-9]{1,12}))?", text)
    if match is None:
        raise ParameterError(f"{shown(text)} is not an id: write SAMPLE.POINT as in the results, for example 17.0")
    sample, dot, point = match.groups("")
    count = len(campaign.points)
    if not dot and count > 1:
        raise ParameterError(f"sample {sample} has {count} points: write {sample}.0 up to {sample}.{count - 1}")
    if int(point or 0) >= count:
        raise ParameterError(f"{text}: the grid has {count} points; write {sample}.0 up to {sample}.{count - 1}")
    campaign.check_samples(int(sample) + campaign.copies)
    return int(sample), int(point or 0)


def replay(campaign: Campaign, sample: int, point: int, *, timeout_s: float) -> Replay:
    """Simulate the group of a sample again; if the group fails, simulate the sample alone, as in the campaign.

    Parameters
    ----------
    campaign : Campaign
        The campaign.
    sample, point : int
        Numbers of the sample and of the grid point.
    timeout_s : float
        Time limit of one simulation [s].

    Raises
    ------
    SimulationError
        If the point fails; contains deck and log.
    """
    first = sample - sample % campaign.copies
    rows = {point: campaign.rows(point, campaign.draws(first + campaign.copies))}
    simulator = Simulator()
    try:
        batch = campaign.batch(rows, [(point, first)])
        [outcome] = simulator.run(batch, timeout_s)
        if outcome.reason and campaign.copies > 1:
            batch = campaign.alone(rows, [(point, sample)])
            [outcome] = simulator.run(batch, timeout_s)
    finally:
        simulator.close()
    deck = _short_title(batch)
    if outcome.reason:
        raise SimulationError(f"sample {sample}.{point}: {outcome.reason}", deck=deck.text, log=outcome.log)
    copy = sample - first if batch.copies > 1 else 0
    values = {name: np.asarray(value)[copy] for name, value in outcome.vectors.items()}
    return Replay(deck=deck, instance=copy_name(copy) if batch.copies > 1 else "", values=values)


def _short_title(batch: Batch) -> Deck:
    deck = batch.deck(batch.runs[0])
    return replace(deck, template=replace(deck.template, title=f"{deck.template.title}, Monte Carlo"))
