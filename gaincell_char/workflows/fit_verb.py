"""The verb ``fit``: any table -> a record."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import xarray as xr

from ..declare.parameters import Values
from ..fitting.record import Record
from ..storage.tables import Table
from ..sweeping.arguments import check_mapping
from .fit_table import fit_table
from .reading import Reading


class FitWarning(UserWarning):
    """Rows or models were left out of a record, or points of a grid are missing."""


def fit(
    table: Path | str | pd.DataFrame | xr.Dataset | Table,
    *,
    models: Sequence[str] = (),
    circuit: str | None = None,
    bench: str | None = None,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    sigma: str | None = None,
    nan: str = "refuse",
    outliers: str = "keep",
    duplicates: str = "refuse",
    fixed: Values | None = None,
    technology: str | None = None,
) -> Record:
    """Fit compact models to a table, as ``gaincell fit`` does.

    If the table states its circuit, bench, technology and parameters, they need not be given; an argument that
    contradicts the table is refused.  Messages name the options of the command: ``--map`` is `columns`, ``--set`` is
    `fixed`, ``--from`` is `technology`; the others have the same names.

    Parameters
    ----------
    table : Path, str, DataFrame, Dataset or Table
        A dataset of `sweep`, a data frame, or a file: NetCDF, CSV, Parquet, ``.npz``, ``.npy``, raw files of ngspice
        and LTspice.  One row per point.
    models : sequence of str
        Models to fit, all of one bench; by default all models that the data determine.
    circuit, bench : str, optional
        Circuit and bench of the table, if it does not state them; by default the bench of `models`.
    columns : mapping of str to str, optional
        Name in the circuit -> name of the column, for inputs, output, conditions and parameters; other columns are not
        renamed.
    units : mapping of str to str, optional
        Name in the circuit -> unit of the column, for example ``"uA"``; SI units by default.
    sigma : str, optional
        Name of the column with the standard deviation of the output, in the unit of the output.
    nan : {"refuse", "drop"}
        Policy for rows that contain no number: refuse the table, or omit the rows.
    outliers : {"keep", "robust", "drop"}
        Policy for points with a residual above five robust standard deviations: use them, give them less weight (soft
        L1), or omit them.
    duplicates : {"refuse", "mean", "keep"}
        Policy for points that occur more than once: refuse the table, average them, or use all.
    fixed : mapping of str to float or str, optional
        Parameters that the table does not state, in SI units or as a text with a unit.
    technology : str, optional
        Source of the data in the record, if the table does not state its technology; ``"measured"`` by default.

    Returns
    -------
    Record
        The fits with their errors and valid ranges.

    Warns
    -----
    FitWarning
        For each kind of rows, points or models that were left out, with the reason.

    Raises
    ------
    RequestError
        If an argument has the wrong type or contradicts the table, a column is missing, has another unit or
        implausible values, a policy refuses rows of the table, or the data do not determine a named model.

    Examples
    --------
    >>> import gaincell_char as gc, numpy as np, pandas as pd
    >>> v = np.linspace(0, 900, 37)  # [mV]
    >>> lab = pd.DataFrame({"Vst": v, "Id": 10 * np.sinh((v - 450) / 400)})  # [uA]
    >>> record = gc.fit(
    ...     lab, circuit="gain_cell", models=["cubic"],
    ...     columns={"v_store": "Vst", "i_bl": "Id"}, units={"v_store": "mV", "i_bl": "uA"},
    ... )
    >>> f"{record.fits[0].values()['c1']:.2g} A/V, from {record.technology} data"
    '2.5e-05 A/V, from measured data'
    """
    reading = Reading(
        columns=check_mapping("columns", columns),
        units=check_mapping("units", units),
        fixed=check_mapping("fixed", fixed),
        sigma="" if sigma is None else sigma,
        nan=nan,
        outliers=outliers,
        duplicates=duplicates,
    )
    record, remarks = fit_table(
        table, circuit=circuit, bench=bench, models=models, technology=technology, reading=reading
    )
    for remark in remarks:
        warnings.warn(remark, FitWarning, stacklevel=2)
    return record
