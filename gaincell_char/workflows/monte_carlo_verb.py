"""The verb ``monte_carlo``: random samples of a circuit -> statistics of its outputs."""

import contextlib
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path

from .. import registry
from ..declare.parameters import Values
from ..spice.netlist import Netlist
from ..spice.pool import Pool
from ..storage import manifest
from ..sweeping.arguments import check_count, check_flag, check_word, check_words
from ..sweeping.run import as_folder
from ..technology.schema import Technology
from .campaign_folder import collect_samples
from .request_values import AxisValues, read_axes, read_fixed
from .sampled import MonteCarloResult, analyse_samples
from .sampling_request import SamplingRequest
from .sampling_run import SamplingOptions, plan_run, simulate_run
from .simulators import use_pool
from .watcher import SILENT


def monte_carlo(
    circuit: str,
    bench: str,
    *,
    n: int = 256,
    vary: str = "both",
    sampler: str = "sobol",
    seed: int = 1,
    folder: Path | str | None = None,
    axes: AxisValues | None = None,
    corners: Sequence[str] = ("tt",),
    temps: Sequence[float] = (27.0,),
    fixed: Values | None = None,
    options: Mapping[str, float] | None = None,
    accuracy: float | None = None,
    specs: Sequence[str] = (),
    until: str | None = None,
    retry_failed: bool = False,
    technology: str | Path | Technology = registry.DEFAULT_TECHNOLOGY,
    netlist: Path | Netlist | str | None = None,
    workers: int | None = None,
    timeout_s: float | None = None,
    pool: Pool | Executor | None = None,
) -> MonteCarloResult:
    """Simulate random samples of a circuit and analyse the variation of its outputs, as ``gaincell mc`` does.

    Parameters
    ----------
    circuit : str
        Name of the circuit.
    bench : str
        Name of the bench.
    n : int
        Number of samples; a later call with the same folder can add more.
    vary : {"process", "mismatch", "both"}
        Variation of a sample: process parameters of the die, mismatch of every device, or both.
    sampler : {"sobol", "lhs", "random"}
        Sampler: Sobol points, Latin hypercubes or independent random samples.
    seed : int
        Seed of the samples.
    folder : Path or str, optional
        Folder of the campaign.  An existing campaign is resumed: finished points are not simulated again.  `report`
        adds the page and ``record.json``.  By default nothing is stored.
    axes : mapping of str to sequence or str, optional
        Grid of every sample, as in `sweep`: name -> values in SI units, of shape (points,), or a text such as
        ``"0:900mV:10"``.  It is added to the grid that the circuit declares for Monte Carlo of this bench.
    corners : sequence of str
        Process corners.
    temps : sequence of float
        Temperatures [degC].
    fixed : mapping of str to float or str, optional
        Parameters with a fixed value, in SI units or as a text with a unit.
    options : mapping of str to float, optional
        Simulator options.
    accuracy : float, optional
        Use the cheapest step control with at most this measured error, as a fraction of full scale; 0.0005 by default,
        if the step control was measured for this bench.
    specs : sequence of str
        Limits whose yield is computed, for example ``"offset < 600p"``.
    until : str, optional
        Stop before `n` samples once ``"sigma<2%"``, ``"mean<1%"`` or ``"yield<1%"`` (relative half-width of the 95 %
        interval) is met.
    retry_failed : bool
        Simulate failed points again.
    technology : str, Path or Technology
        Name of the technology, path of its folder, or the technology itself.
    netlist : Path, Netlist or str, optional
        Subcircuit to use instead of the built-in one: a file, or SPICE text.
    workers : int, optional
        Simulator processes; one per core by default.
    timeout_s : float, optional
        Time limit of one simulation [s]; 60 s by default.
    pool : Pool or Executor, optional
        Running simulators to use instead of new ones, or a ``concurrent.futures`` executor whose workers simulate.

    Returns
    -------
    MonteCarloResult
        ``samples``, ``record``, ``yields``, ``analysis`` and ``failures``.  A failed point is a row with its reason.

    Raises
    ------
    RequestError
        If an argument is invalid, or the folder contains another campaign.
    SimulationError
        If a point that is simulated again as a check gives a different result.
    StorageError
        If a file could not be written.
    NgspiceMissingError
        If ngspice is not installed.

    Examples
    --------
    >>> import gaincell_char as gc
    >>> point = {"v_store": [0.9], "v_in": [0.9]}
    >>> cells = gc.monte_carlo("gain_cell", "dc", n=4, vary="mismatch", axes=point, specs=["i_bl > 8u"], workers=1)
    >>> len(cells.samples), list(cells.yields)
    (4, ['i_bl > 8u'])
    """
    request = SamplingRequest(
        circuit=circuit,
        bench=bench,
        samples=check_count("n", n, 1),
        folder=None if folder is None else as_folder(folder),
        axes=read_axes(circuit, bench, axes),
        corners=corners,
        temps=temps,
        fixed=read_fixed(circuit, bench, fixed),
        options=options,
        accuracy=accuracy,
        technology=technology,
        netlist=netlist,
        vary=vary,
        sampler=sampler,
        seed=seed,
    )
    how = SamplingOptions(
        specs=check_words("specs", specs),
        until=None if until is None else check_word("until", until),
        retry_failed=check_flag("retry_failed", retry_failed),
        timeout_s=timeout_s,
    )
    executor = pool if isinstance(pool, Executor) else None
    with use_pool(None if isinstance(pool, Executor) else pool, workers, timeout_s) as simulators:
        return _run(request, how, simulators, executor)


def _run(request: SamplingRequest, how: SamplingOptions, pool: Pool, executor: Executor | None) -> MonteCarloResult:
    """Simulate and analyse a campaign, in its folder or a temporary one."""
    with contextlib.ExitStack() as stack:
        folder = request.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gaincell-mc-")))
        run = plan_run(request.plan(), request.samples, folder, how)
        manifest.check_campaign_folder(folder, run.planned.manifest(run.n))
        done = simulate_run(run, executor or pool, SILENT)
        finished = collect_samples(run.planned, done.n, folder, done.failures, SILENT.say)
        return analyse_samples(run.planned, finished, done.n, request.folder, pool=pool, specs=run.specs)
