"""A dataset as a flat table."""

import pandas as pd
import xarray as xr


def flatten_dataset(dataset: xr.Dataset) -> pd.DataFrame:
    """Table with one row per point: swept parameters, outputs, then corner, temperature, status and reason."""
    frame = dataset.to_dataframe().reset_index()
    tail = [name for name in ("corner", "temp", "status", "reason") if name in frame]
    dims = [str(name) for name in dataset.dims if name not in tail]
    outputs = [str(name) for name in dataset.data_vars if name not in tail]
    return frame[[*dims, *outputs, *tail]]
