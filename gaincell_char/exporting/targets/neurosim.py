"""The two tables that NeuroSim V1.5 reads: memory states, and the output of what ends a column.

``mem_states.csv`` (states, mean, std) comes from the record of a cell, ``output_noise.csv`` (output, mean, std) from
that of a converter; both need the spread that a Monte Carlo campaign puts into a record.
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
    """One table; its file names, and that of the template of what is said of it, begin with ``name``.

    ``levels`` is how many rows it has, and ``lost`` what it does not express.
    """

    name: str
    frame: pd.DataFrame
    levels: int
    lost: str


def _make_files(request: Request) -> Mapping[str, str]:
    random = related_records.load_random_circuits(request)
    head = related_records.find_cell_head(request)
    if head is None and not related_records.is_converter(request):
        raise ExportError(f"neurosim takes a cell or a converter; all of {request.circuit.name} would be lost")
    if random is None:
        raise ExportError(
            f"neurosim takes a mean and a sigma, and {request.title} holds no spread; use the record of a Monte Carlo "
            "campaign (gaincell mc), as a study that ends in _both"
        )
    table = _tabulate_output(request, random) if head is None else _tabulate_states(request, head, random)
    # The tables are read as they are, without comments, so what else there is to say is in a file of its own.
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
        f"over {fit.n_samples} samples, measured for {span}"
    )


def _tabulate_states(request: Request, head: Head, random: RandomCircuits) -> _Table:
    """Conductance [S] of every level of the stored voltage, at the supply and over the longest pulse."""
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
        lost="bias and noise other than cell to cell, decay, the curve between the states, and the sign: the smallest "
        "current is subtracted as by a dummy column",
    )


def _tabulate_output(request: Request, random: RandomCircuits) -> _Table:
    """Pulse of every level of charge, both in steps of the levels that an input pulse has."""
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
        lost="correlation between levels: a converter's gain and offset stay what they are from read to read",
    )


def _evaluate_nominal(request: Request, random: RandomCircuits, *inputs: Floats) -> Floats:
    function = request.circuit.model(random.nominal.model)
    return np.asarray(function(*inputs, **random.nominal.values()), dtype=float)


TARGET = Target(
    name="neurosim",
    doc="mem_states.csv from a cell's record, output_noise.csv from a converter's, both with their spread",
    make_files=_make_files,
    needs_others=True,
)
