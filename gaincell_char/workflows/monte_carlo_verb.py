"""The verb ``monte_carlo``: samples of a circuit -> how its copies differ."""

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
    """Simulate samples of a circuit and analyse how they differ, as ``gaincell mc`` does.

    Parameters
    ----------
    n : int
        Number of samples; more can follow later in the same folder.
    vary : {"process", "mismatch", "both"}
        What a sample draws: a die, the devices of a typical die, or a die and its devices.
    sampler : {"sobol", "lhs", "random"}
        How it is drawn.
    seed : int
        Same seed, same samples.
    folder : Path or str, optional
        Where the campaign is kept and resumed: what is finished there is not simulated again.  `report` adds the page
        and ``record.json``.  Without a folder everything is in memory and is gone with the result.
    axes, corners, temps, fixed, options, technology, netlist
        The grid of every sample, as in `sweep`; `axes` joins what the circuit declares for statistics of this bench.
    accuracy : float, optional
        Step control is the cheapest that was measured to be this accurate, as a fraction of full scale; 0.0005 if it
        was measured at all.
    specs : sequence of str
        Limits whose yield is wanted, as ``"offset < 600p"``.
    until : str, optional
        Stop before `n` samples once ``"sigma<2%"``, ``"mean<1%"`` or ``"yield<1%"`` is reached.
    retry_failed : bool
        Simulate again what failed before.
    workers, timeout_s
        Simulator processes, one per core by default; time after which a run is ended [s], 60 s by default.
    pool : Pool or Executor, optional
        Simulators to use instead of new ones, or any ``concurrent.futures`` executor that simulates elsewhere.

    Returns
    -------
    MonteCarloResult
        ``samples``, ``record``, ``yields``, ``analysis`` and ``failures``.  Failed points are rows with a reason.

    Raises
    ------
    RequestError
        If an argument makes no sense, or the folder contains another campaign.
    SimulationError
        If a point that is simulated again for a check gives something else.
    NgspiceMissingError
        If there is no ngspice.

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
