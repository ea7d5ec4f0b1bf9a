"""Stored voltages of written cells, by SPICE: benches of the cell's write and decay, at every level of the DAC."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..declare.bench import Floats
from ..errors import ParameterError, SimulationError
from ..registry import load_circuit, plan_bench
from ..spice.pool import Pool
from ..sweeping.run import characterize
from .cases import Case, Validation

_MOST_LEVELS = 256
"""Largest number of different voltages of the DAC: each is one simulation."""


def with_stored(comparison: Validation, todo: Sequence[Case], pool: Pool) -> Iterator[Case]:
    """Yield cases with their stored voltages; those that have them already are not simulated again.

    Parameters
    ----------
    comparison : Validation
        The validation, with a write.
    todo : sequence of Case
        Its cases.
    pool : Pool
        Simulators.

    Raises
    ------
    ParameterError
        If there are more than 256 different voltages.
    SimulationError
        If a simulation fails.
    """
    left = [case for case in todo if case.stored is None]
    if not left:
        yield from todo
        return
    v_dac = np.unique(np.concatenate([np.unique(case.array) for case in left]))
    if len(v_dac) > _MOST_LEVELS:
        raise ParameterError(
            f"the tensors contain {len(v_dac)} different voltages of the DAC; each is simulated, and the maximum is "
            f"{_MOST_LEVELS}: use the levels of the hardware"
        )
    stored = simulate_storage(comparison, v_dac, pool)
    for case in todo:
        here = case.stored is not None
        yield case if here else replace(case, stored=stored[np.searchsorted(v_dac, case.array)])


def simulate_storage(comparison: Validation, v_dac: Floats, pool: Pool) -> Floats:
    """Stored voltages [V] at the first pulse, for voltages of the DAC [V], both of shape (n,).

    Parameters
    ----------
    comparison : Validation
        The validation: its circuits, conditions, and the time between write and pulse.
    v_dac : ndarray, shape (n,)
        Voltages of the DAC [V].
    pool : Pool
        Simulators.

    Raises
    ------
    ParameterError
        If the head declares no write.
    SimulationError
        If a simulation fails.
    """
    head = comparison.declared
    if not head.write_forms:
        raise ParameterError(f"head {head.name} declares no model of its write; omit the write")
    write = load_circuit(head.cell).model(next(iter(head.write_forms.values())).model)
    stored = _run(comparison, head.cell, write.bench, write.output, {write.inputs[0]: v_dac.tolist()}, pool)
    if comparison.hold == 0:
        return stored
    decay = load_circuit(head.decay).model(list(head.decay_forms.values())[-1].model)
    axes = {"v_init": stored.tolist(), "time": [comparison.hold], "v_wbl": ["vdd/2"]}
    return _run(comparison, head.decay, decay.bench, decay.output, axes, pool)


def _run(comparison: Validation, circuit: str, bench: str, output: str, axes: dict[str, Any], pool: Pool) -> Floats:
    """Results of one bench at the conditions of the validation."""
    plan = plan_bench(
        circuit,
        bench,
        technology=comparison.technology,
        sweep=axes,
        corners=[comparison.corner],
        temps=[comparison.temp],
        set_={} if comparison.vdd is None else {"vdd": comparison.vdd},
    )
    found = characterize(plan, pool=pool)
    if found.failures:
        failure = found.failures[0]
        raise SimulationError(f"{circuit}.{bench}: {failure.reason}", deck=failure.deck, log=failure.log)
    return np.asarray(found.dataset[output].to_numpy().ravel())
