"""Options of ``mc`` -> the requested campaign."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from .. import registry
from ..errors import RequestError
from ..montecarlo import campaign, sampling
from ..montecarlo.campaign import Campaign
from ..spice.netlist_files import read_netlist_file
from ..storage import manifest
from ..sweeping.step_control import Steps
from . import requests
from .campaigns import technology_of

_ACCURACY = 5e-4


@dataclass(frozen=True, kw_only=True)
class CampaignRequest:
    """Arguments and options of ``mc`` that define the campaign, as typed."""

    circuit: str
    bench: str
    samples: int
    out: Path
    axes: Sequence[str]
    corner: str
    temp: str
    settings: Mapping[str, str]
    simulator_options: Mapping[str, str]
    accuracy: str | None
    tech: str
    netlist: Path | None
    vary: str
    sampler: str
    seed: int

    def plan(self) -> Campaign:
        """Check the options and plan the campaign.

        Raises
        ------
        ParameterError
            If a name is unknown, or a value has the wrong type or is out of range.
        RequestError
            If a file cannot be read, or ``--accuracy`` is given and no step-control measurement exists for the bench.
        NetlistError
            If a random parameter appears where Monte Carlo cannot vary it.
        """
        loaded = registry.load_circuit(self.circuit)
        loaded.bench(self.bench)
        options = requests.options(self.simulator_options)
        return campaign.plan_campaign(
            self.circuit,
            self.bench,
            vary=self.vary,
            sampler=self.sampler,
            seed=self.seed,
            block=self._block(),
            technology=self.tech,
            netlist=read_netlist_file(self.netlist) if self.netlist else None,
            sweep=requests.axes(loaded, self.bench, self.axes),
            corners=requests.words(self.corner, "--corner"),
            temps=requests.temps(self.temp),
            set_=requests.settings(loaded, self.bench, self.settings),
            options=options,
            steps=self._steps(),
        )

    def _block(self) -> int:
        """Samples in one Latin hypercube: as in the first call, so that later calls can add samples."""
        if (self.out / manifest.MANIFEST).exists():
            return campaign.block_of(manifest.read_manifest(self.out).request, str(self.out))
        return min(max(self.samples, 1), sampling.MOST_BLOCK)

    def _steps(self) -> Steps:
        measured = registry.load_steps(self.tech, self.circuit, self.bench)
        if measured is None and self.accuracy is not None:
            raise RequestError(
                f"no step-control measurement exists for {self.circuit}.{self.bench} in {self.tech}; "
                "run gaincell tune, or omit --accuracy"
            )
        if measured is None:
            return Steps()
        return measured.choose(requests.percent(self.accuracy) if self.accuracy else _ACCURACY).steps


_IDENTITY = (
    "axes",
    "corner",
    "temp",
    "settings",
    "simulator_options",
    "accuracy",
    "netlist",
    "vary",
    "sampler",
    "seed",
)
"""Options that identify the campaign."""


def plan_again(context: click.Context, request: CampaignRequest) -> Campaign:
    """Return the campaign of a replay: from the folder's manifest, unless options define another one.

    Raises
    ------
    RequestError
        If the folder contains a campaign of another bench, or of a technology that must be named with ``--tech``.
    DataError
        If the manifest is incomplete or invalid.
    """
    out = request.out
    if not (out / manifest.MANIFEST).exists() or requests.is_given(context, _IDENTITY):
        return request.plan()
    there = manifest.read_manifest(out)
    tech = request.tech if requests.is_given(context, ("tech",)) else None
    planned = campaign.restore_campaign({**there.request, "technology": technology_of(out, there, tech)}, str(out))
    have, wanted = (planned.plan.circuit.name, planned.plan.bench.name), (request.circuit, request.bench)
    if have != wanted:
        raise RequestError(f"{out} contains a campaign of {' '.join(have)}, not {' '.join(wanted)}")
    return planned
