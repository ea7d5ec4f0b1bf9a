"""The verb ``sweep``: simulations of a bench over a grid -> a dataset."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr

from .. import registry
from ..declare.parameters import Values
from ..spice.netlist import Netlist
from ..spice.pool import Pool
from ..sweeping.run import characterize
from ..technology.schema import Technology
from .request_values import AxisValues, read_axes, read_fixed
from .simulators import use_pool


def sweep(
    circuit: str,
    bench: str,
    *,
    axes: AxisValues | None = None,
    corners: Sequence[str] = ("tt",),
    temps: Sequence[float] = (27.0,),
    fixed: Values | None = None,
    technology: str | Path | Technology = registry.DEFAULT_TECHNOLOGY,
    netlist: Path | Netlist | str | None = None,
    options: Mapping[str, float] | None = None,
    workers: int | None = None,
    timeout_s: float | None = None,
    pool: Pool | None = None,
) -> xr.Dataset:
    """Simulate a bench of a circuit over a grid, as ``gaincell sweep`` does.

    Parameters
    ----------
    circuit : str
        Name of the circuit.
    bench : str
        Name of the bench.
    axes : mapping of str to sequence or str, optional
        Name -> values in SI units, of shape (points,), or a text as on the command line: ``"0:900mV:10"``.  Other
        quantities keep the sweep of the bench or their default.
    corners : sequence of str
        Process corners.
    temps : sequence of float
        Temperatures [degC].
    fixed : mapping of str to float or str, optional
        Parameters with a fixed value, in SI units or as a text with a unit.
    technology : str, Path or Technology
        Name of the technology, path of its folder, or the technology itself.
    netlist : Path, Netlist or str, optional
        Subcircuit to use instead of the built-in one: a file, or SPICE text.
    options : mapping of str to float, optional
        Simulator options.
    workers : int, optional
        Simulator processes; one per core by default.
    timeout_s : float, optional
        Time limit of one simulation [s], after which it fails; 60 s by default.
    pool : Pool, optional
        Running simulators to use instead of new ones; `workers` is then not allowed.

    Returns
    -------
    Dataset
        One variable per output, with one dimension per swept quantity, in SI units.  A failed point is NaN, with
        "failed" in ``status`` and the reason in ``reason``; ``attrs["n_failed"]`` is the number of failed points.

    Raises
    ------
    RequestError
        If a name is unknown, a value has the wrong type or is out of range, or a netlist or technology cannot be used.
    NgspiceMissingError
        If ngspice is not installed.

    Examples
    --------
    >>> import gaincell_char as gc
    >>> current = gc.sweep("gain_cell", "dc", axes={"v_store": "0:900mV:4", "v_in": [0.9]}, workers=1)
    >>> current.i_bl.sel(v_store=0.9).attrs["units"], current.attrs["n_failed"]
    ('A', 0)
    """
    plan = registry.plan_bench(
        circuit,
        bench,
        technology=technology,
        netlist=netlist,
        sweep=read_axes(circuit, bench, axes),
        corners=corners,
        temps=temps,
        set_=read_fixed(circuit, bench, fixed),
        options=options,
    )
    with use_pool(pool, workers, timeout_s) as simulators:
        return characterize(plan, pool=simulators).dataset
