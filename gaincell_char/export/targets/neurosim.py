"""The two tables that NeuroSim V1.5 reads: memory states, and the output of what stands at the foot of a column.

``mem_states.csv`` (states, mean, std) comes from the record of a cell, ``output_noise.csv`` (output, mean, std) from
that of a converter; both need the spread that a Monte Carlo campaign puts into a record.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ...declare.attention_head import Head
from ...declare.circuit import Floats
from ...errors import ExportError
from ...fitting.fitted import RandomCircuits, parameter
from .. import related_records
from ..target import Request, Target
from ..templates import fill_template

_STATES = (
    "bias and noise other than cell to cell, decay, the curve between the states, and the sign: the smallest current "
    "is subtracted as by a dummy column"
)
_OUTPUT = "correlation between levels: a converter's gain and offset stay what they are from read to read"


def _files(request: Request) -> Mapping[str, str]:
    random = related_records.random_circuits(request)
    head = related_records.cell_head(request)
    if head is None and not related_records.is_converter(request):
        raise ExportError(f"neurosim takes a cell or a converter; all of {request.circuit.name} would be lost")
    if random is None:
        raise ExportError(
            f"neurosim takes a mean and a sigma, and {request.title} holds no spread; use the record of a Monte Carlo "
            "campaign (gaincell mc), as a study that ends in _both"
        )
    # The tables are read as they are, without comments, so what else there is to say stands beside them.
    if head is not None:
        name, frame, lost, levels = "mem_states", _states(request, head, random), _STATES, head.levels_store
    else:
        levels = related_records.converter(request)[0].levels_input
        name, frame, lost = "output_noise", _output(request, random), _OUTPUT
    text = fill_template(
        f"{name}.txt.j2",
        notes=request.notes(lost),
        spread=_stated(random),
        levels=levels,
        bits=(levels - 1).bit_length(),
    )
    return {f"{name}.csv": frame.to_csv(index=False, lineterminator="\n"), f"{name}.txt": text}


def _stated(random: RandomCircuits) -> str:
    fit = random.fit
    return (
        f"random model {fit.model}: explains {fit.explained:.4g} of the variance, sigma within {fit.sigma_error:.2g} "
        f"over {fit.n_samples} samples, "
        f"measured for {', '.join(f'{name} {low:g}..{high:g}' for name, (low, high) in fit.box.items())}"
    )


def _states(request: Request, head: Head, random: RandomCircuits) -> pd.DataFrame:
    """Conductance [S] of every level of the stored voltage, at the supply and over the longest pulse."""
    vdd = parameter(request.record, "vdd")
    levels = np.linspace(0.0, vdd, head.levels_store)
    pulses = [np.full_like(levels, random.fit.box[name][1]) for name in random.fit.inputs[1:]]
    over = vdd * (pulses[0] if pulses else 1.0)
    mean = _nominal(request, random, levels, *pulses)
    sigma = random.sigma(levels, *pulses)
    return pd.DataFrame({"states": np.arange(levels.size), "mean": (mean - mean.min()) / over, "std": sigma / over})


def _output(request: Request, random: RandomCircuits) -> pd.DataFrame:
    """Pulse of every level of charge, both in steps of the levels that an input pulse has."""
    head, operation = related_records.converter(request)
    _, published = related_records.companion(request, operation.converter, related_records.published(operation))
    step = parameter(request.record, "t_max") / (head.levels_input - 1)
    output = np.arange(head.levels_input, dtype=np.float64)
    charges = output * step / published.coefficients["gain"].value
    mean, sigma = _nominal(request, random, charges), random.sigma(charges)
    return pd.DataFrame({"output": output.astype(int), "mean": mean / step, "std": sigma / step})


def _nominal(request: Request, random: RandomCircuits, *inputs: Floats) -> Floats:
    function = request.circuit.model(random.nominal.model).function
    return np.asarray(function(*inputs, **random.nominal.values()), dtype=float)


TARGET = Target(
    name="neurosim",
    doc="mem_states.csv from a cell's record, output_noise.csv from a converter's, both with their spread",
    files=_files,
    needs_others=True,
)
