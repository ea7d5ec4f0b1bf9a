"""Waveforms of one column and its converter, for a page."""

import pandas as pd

from ..errors import SimulationError
from ..spice.deck import Deck
from ..spice.pool import Pool
from .cases import Case, Validation


def waveforms(comparison: Validation, case: Case, pool: Pool, rows: int = 4) -> tuple[pd.DataFrame, Deck]:
    """Simulate the waveforms of one column and its converter over a complete conversion.

    Parameters
    ----------
    comparison : Validation
        The validation.
    case : Case
        The case; its first column is simulated.
    pool : Pool
        Simulators.
    rows : int
        Number of word lines to include, those of the first rows with a pulse.

    Returns
    -------
    DataFrame, Deck
        ``time`` [s] and a column per node [V]; and the deck, which can be run by hand.

    Raises
    ------
    SimulationError
        If the simulation fails.
    """
    circuit = comparison.circuit(case.operation, whole=False)
    driven = [r for r, t in enumerate(case.t_pulse) if t > 0][:rows]
    lines = [f"v({next(iter(comparison.declared.row_levels))}{'d' if comparison.r_wire else ''}{r})" for r in driven]
    deck = circuit.columns(case.v_store[:, :1], case.t_pulse, waves=lines)
    [(_, outcome)] = pool.map([deck], lambda d: d, count=1)
    if outcome.reason:
        raise SimulationError(f"ngspice: {outcome.reason}", deck=deck.text, log=outcome.log)
    kept = [n for n in outcome.vectors if n == "time" or not n.startswith("v(st")]
    return pd.DataFrame({name: outcome.vectors[name] for name in kept}), deck
