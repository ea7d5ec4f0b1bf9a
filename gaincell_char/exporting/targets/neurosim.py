"""Two tables for NeuroSim V1.5: memory states of a cell, and output noise of a converter.

``mem_states.csv`` (states, mean, std) is made from the record of a cell, ``output_noise.csv`` (output, mean, std) from
the record of a converter; both need a record with Monte Carlo statistics.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...declare.attention_head import Head
from ...declare.bench import Floats
from ...errors import ExportError
from ...fitting.fitted import RandomCircuits, parameter
from .. import related_records
from ..target import Request, Target
from ..templates import fill_template


@dataclass(frozen=True, kw_only=True)
class _Table:
    """One table; ``name`` is the stem of its files and of the template of its description.

    ``levels`` is its number of rows, ``lost`` the parts of the model that it leaves out.
    """

    name: str
    frame: pd.DataFrame
    levels: int
    lost: str


def _make_files(request: Request) -> Mapping[str, str]:
    random = related_records.load_random_circuits(request)
    head = related_records.find_cell_head(request)
    if head is None and not related_records.is_converter(request):
        raise ExportError(f"neurosim needs a cell or a converter; all of {request.circuit.name} would be lost")
    if random is None:
        raise ExportError(
            f"neurosim needs a mean and a sigma, and {request.title} contains no sigma; use the record of a Monte "
            "Carlo campaign (gaincell mc), for example a study that ends in _both"
        )
    table = _tabulate_output(request, random) if head is None else _tabulate_states(request, head, random)
    # NeuroSim reads no comments in the tables, so the notes are in a separate file.
    text = fill_template(
        f"{table.name}.txt.j2",
        notes=request.write_notes(table.lost),
        spread=_describe_spread(random),
        levels=table.levels,
        bits=(table.levels - 1).bit_length(),
    )
    return {f"{table.name}.csv": table.frame.to_csv(index=False, lineterminator="\n"), f"{table.name}.txt": text}


def _describe_spread(random: RandomCircuits) -> str:
    fit = random.fit
    span = ", ".join(f"{name} {low:g}..{high:g}" for name, (low, high) in fit.valid_range.items())
    return (
        f"random model {fit.model}: explains {fit.explained:.4g} of the variance, sigma within {fit.sigma_error:.2g} "
        f"over {fit.n_samples} samples, valid for {span}"
    )


def _tabulate_states(request: Request, head: Head, random: RandomCircuits) -> _Table:
    """Conductance [S] of every level of the stored voltage, at the supply voltage, for the longest pulse."""
    vdd = parameter(request.record, "vdd")
    levels = np.linspace(0.0, vdd, head.levels_store)
    pulses = [np.full_like(levels, random.fit.valid_range[name][1]) for name in random.fit.inputs[1:]]
    over = vdd * (pulses[0] if pulses else 1.0)
    mean = _evaluate_nominal(request, random, levels, *pulses)
    sigma = random.sigma(levels, *pulses)
    columns = {"states": np.arange(levels.size), "mean": (mean - mean.min()) / over, "std": sigma / over}
    return _Table(
        name="mem_states",
        frame=pd.DataFrame(columns),
        levels=head.levels_store,
        lost="process variation and noise, decay, the curve between the states, and the sign: the smallest current is "
        "subtracted, as with a dummy column",
    )


def _tabulate_output(request: Request, random: RandomCircuits) -> _Table:
    """Output pulse for every level of the charge, both in steps of the input levels."""
    head, operation = related_records.find_converter(request)
    _, published = related_records.load_converter(request, operation)
    step = parameter(request.record, "t_max") / (head.levels_input - 1)
    output = np.arange(head.levels_input, dtype=np.float64)
    charges = output * step / published.coefficients["gain"].value
    mean, sigma = _evaluate_nominal(request, random, charges), random.sigma(charges)
    return _Table(
        name="output_noise",
        frame=pd.DataFrame({"output": output.astype(int), "mean": mean / step, "std": sigma / step}),
        levels=head.levels_input,
        lost="correlation between levels: gain and offset of a converter are constant over all reads",
    )


def _evaluate_nominal(request: Request, random: RandomCircuits, *inputs: Floats) -> Floats:
    function = request.circuit.model(random.nominal.model)
    return np.asarray(function(*inputs, **random.nominal.values()), dtype=float)


TARGET = Target(
    name="neurosim",
    doc="mem_states.csv from the record of a cell, output_noise.csv from that of a converter, both with sigma",
    make_files=_make_files,
    needs_others=True,
)
