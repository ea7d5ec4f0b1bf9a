"""Options of ``mc`` -> the requested campaign."""

from collections.abc import Mapping
from typing import Any

import click

from .. import registry
from ..errors import RequestError
from ..montecarlo import campaign
from ..montecarlo.campaign import Campaign
from ..storage import manifest
from ..workflows.campaign_folder import technology_of
from ..workflows.sampling_request import SamplingRequest
from . import requests


def read_request(given: Mapping[str, Any]) -> SamplingRequest:
    """Read the arguments and options of ``mc`` that identify the campaign.

    Raises
    ------
    ParameterError
        If a name is unknown, or a value has the wrong type or is out of range.
    """
    circuit, bench, accuracy = given["circuit"], given["bench"], given["accuracy"]
    loaded = registry.load_circuit(circuit)
    loaded.bench(bench)
    return SamplingRequest(
        circuit=circuit,
        bench=bench,
        samples=given["samples"],
        folder=given["out"],
        options=requests.options(given["simulator_options"]),
        axes=requests.axes(loaded, bench, given["axes"]),
        corners=requests.words(given["corner"], "--corner"),
        temps=requests.temps(given["temp"]),
        fixed=requests.settings(loaded, bench, given["settings"]),
        accuracy=requests.percent(accuracy) if accuracy else None,
        technology=given["tech"],
        netlist=given["netlist"],
        vary=given["vary"],
        sampler=given["sampler"],
        seed=given["seed"],
    )


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


def plan_again(context: click.Context, given: Mapping[str, Any]) -> Campaign:
    """Return the campaign for ``--replay``: the campaign of the folder, unless the options identify another one.

    Raises
    ------
    RequestError
        If the folder contains a campaign of another bench, or of a technology that must be named.
    DataError
        If the manifest is incomplete or invalid.
    """
    out = given["out"]
    if not (out / manifest.MANIFEST).exists() or requests.is_given(context, _IDENTITY):
        return read_request(given).plan()
    there = manifest.read_manifest(out)
    tech = given["tech"] if requests.is_given(context, ("tech",)) else None
    planned = campaign.restore_campaign({**there.request, "technology": technology_of(out, there, tech)}, str(out))
    have, wanted = (planned.plan.circuit.name, planned.plan.bench.name), (given["circuit"], given["bench"])
    if have != wanted:
        raise RequestError(f"{out} contains a campaign of {' '.join(have)}, not {' '.join(wanted)}")
    return planned
