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
    """Something that a reader of a record should know: rows or models that were left out, points that are missing."""


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

    The table may be a dataset of `sweep`, a data frame, or a file: NetCDF, CSV, Parquet, ``.npz``, ``.npy``, raw files
    of ngspice and LTspice.  What it says of itself (circuit, bench, technology, parameters) need not be given; what
    contradicts it is refused.  Messages name the options of the command: ``--map`` is `columns`, ``--set`` is `fixed`,
    ``--from`` is `technology`, the others have the same names.

    Parameters
    ----------
    models : sequence of str
        Models to fit, all of one bench; every one that the data determine if empty.
    circuit, bench : str, optional
        What the table belongs to, if it does not say; the bench is that of `models`, too.
    columns : mapping of str to str, optional
        Our name -> the table's, for inputs, output, conditions and parameters; the rest keep their names.
    units : mapping of str to str, optional
        Our name -> the unit of that column, as ``"uA"``; SI if not given.
    sigma : str, optional
        Column with the standard deviation of the output, in the output's unit.
    nan : {"refuse", "drop"}
        What to do with rows without a number.
    outliers : {"keep", "robust", "drop"}
        What to do with points five robust standard deviations off: fit, weigh down, or leave out.
    duplicates : {"refuse", "mean", "keep"}
        What to do with points that the table has twice.
    fixed : mapping of str to float or str, optional
        Value of parameters that the table does not say, in SI units or as a text with a unit.
    technology : str, optional
        What the record says the data are from, if the table does not say; ``"measured"`` by default.

    Returns
    -------
    Record
        The fits with their errors and valid ranges.

    Warns
    -----
    FitWarning
        Once for each remark: rows, points or models that were left out, and why.

    Raises
    ------
    RequestError
        If an argument is of another kind or contradicts the table, a column is missing, has another unit or
        implausible values, a policy refuses what the table contains, or the data do not determine a named model.

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
