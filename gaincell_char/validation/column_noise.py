"""Noise floor of a comparison: the rms noise of the pulse of each column, by its reads and by its converter."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..declare.attention_head import ModelName
from ..declare.bench import Floats
from ..errors import DataError
from ..fitting.fitted import FittedModel
from ..registry import find_record, load_model
from .cases import Case, Validation

NOISE = "noise"
"""Column with the noise [s]."""


@dataclass(frozen=True, kw_only=True)
class ColumnNoise:
    """Noise of the columns of one operation.

    Attributes
    ----------
    cell : FittedModel
        Rms noise of the charge of one cell [C], by stored voltage [V] and pulse width [s].
    jitter : FittedModel
        Rms jitter of the converter [s], by charge [C].
    ramp : float
        Current of the converter's ramp [A], which turns a charge into a time.
    """

    cell: FittedModel
    jitter: FittedModel
    ramp: float

    def compute_deviation(self, v_store: Floats, t_pulse: Floats, charge: Floats) -> Floats:
        """Rms noise [s] of the pulse of every column, shape (columns,).

        The cells and the converter are independent, so their variances are added.

        Parameters
        ----------
        v_store : ndarray, shape (rows, columns)
            Stored voltages [V].
        t_pulse : ndarray, shape (rows,)
            Pulse widths [s]; a row without a pulse has no noise.
        charge : ndarray, shape (columns,)
            Charge of every column [C].
        """
        driven = t_pulse > 0
        cells = np.asarray(self.cell(v_store[driven], t_pulse[driven, None]), dtype=float)
        [ends] = self.jitter.fit.valid_range.values()
        converter = np.asarray(self.jitter(np.clip(charge, *ends)), dtype=float)
        return np.asarray(np.sqrt((cells**2).sum(axis=0) / self.ramp**2 + converter**2))


def add_noise(comparison: Validation, rows: pd.DataFrame, todo: Sequence[Case]) -> pd.DataFrame:
    """Add the column ``noise`` to the rows of a comparison: rms noise [s] of the pulse of each.

    It contains the noise of the reads and the jitter of the converter, but no noise of a write.  It is NaN for a failed
    column, and for all columns of an operation if it is not known: for a bitline that is not clamped ideally, and where
    the records have no noise at the condition of the comparison.

    Parameters
    ----------
    comparison : Validation
        The comparison.
    rows : DataFrame
        One row per column, with ``sample``, ``point`` and the charge ``q_bl`` [C] by SPICE.
    todo : sequence of Case
        Its passes.
    """
    known = {name: _find_noise(comparison, name) for name in comparison.operations}
    found = [_noise_of(case, rows, known[case.operation.name]) for case in todo]
    return rows.merge(pd.concat(found, ignore_index=True), on=["sample", "point"], how="left")


def _noise_of(case: Case, rows: pd.DataFrame, noise: ColumnNoise | None) -> pd.DataFrame:
    columns = list(case.columns)
    found = np.full(len(columns), np.nan)
    if noise is not None:
        own = rows[rows["sample"] == case.number].set_index("point")["q_bl"]
        charge = own.reindex(columns).to_numpy(dtype=float)
        found = noise.compute_deviation(case.v_store, case.t_pulse, charge)
    return pd.DataFrame({"sample": case.number, "point": columns, NOISE: found})


def _find_noise(comparison: Validation, operation: str) -> ColumnNoise | None:
    """Noise of the columns of an operation; None if it is not known."""
    head, own = comparison.declared, comparison.declared.operation(operation)
    if comparison.clamp != "ideal" or head.noise is None or own.noise is None:
        return None
    circuit = comparison.circuit(own)
    try:
        cell = _load(comparison, head.cell, head.noise)
        jitter = _load(comparison, own.converter, own.noise)
    except DataError:
        return None
    return ColumnNoise(cell=cell, jitter=jitter, ramp=circuit["n_units"] * circuit["i_bias"])


def _load(comparison: Validation, circuit: str, name: ModelName) -> FittedModel:
    return load_model(find_record(comparison.model_records, f"{circuit}.{name.study}"), name.model)
