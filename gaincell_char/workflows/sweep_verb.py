"""The verb ``sweep``: a bench over a grid -> a dataset."""

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
    axes : mapping of str to sequence or str, optional
        Name -> values in SI units, or a text as on the command line: ``"0:900mV:10"``.  What is not named keeps the
        bench's own sweep.
    corners : sequence of str
        Process corners.
    temps : sequence of float
        Temperatures [degC].
    fixed : mapping of str to float or str, optional
        Parameters to hold at a value, in SI units or as a text with a unit.
    technology : str, Path or Technology
        Its name, the path of its folder, or the technology itself.
    netlist : Path, Netlist or str, optional
        Subcircuit to use instead of the circuit's own: a file, or SPICE text.
    options : mapping of str to float, optional
        Simulator options.
    workers : int, optional
        Simulator processes; one per core by default.
    timeout_s : float, optional
        Time after which a run is ended and counts as failed [s]; 60 s by default.
    pool : Pool, optional
        Simulators to use instead of new ones; it has its own number and timeout.

    Returns
    -------
    Dataset
        One dimension per swept quantity, in SI units.  A point that failed is NaN, with the reason in ``reason`` and
        "failed" in ``status``; ``attrs["n_failed"]`` counts them.

    Raises
    ------
    RequestError
        If a name is unknown, a value of another kind or out of range, or a netlist or technology cannot be used.
    NgspiceMissingError
        If there is no ngspice.

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
