"""Results of a campaign: tables, statistics, record and report page.  Imports matplotlib, which takes a second."""

import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from .. import reporting
from ..fitting.specs import Spec
from ..montecarlo import analysis, results, verify
from ..montecarlo.campaign import Campaign
from ..spice.pool import Pool
from ..storage import tables
from ..sweeping.run import Failure
from . import listings
from .console import OUT, note, say


def finish(
    planned: Campaign,
    rows: pd.DataFrame,
    n: int,
    out: Path,
    pool: Pool,
    specs: Sequence[Spec],
    failed: Sequence[Failure],
) -> None:
    """Write the results, analyse them, write the report page, and print its summary.

    Parameters
    ----------
    planned : Campaign
        The campaign.
    rows : DataFrame
        Finished points of the first `n` samples, one per row.
    n : int
        Number of samples.
    out : Path
        Folder of the campaign.
    pool : Pool
        Simulators for the nominal points and the check.
    specs : sequence of Spec
        Limits whose yields are reported.
    failed : sequence of Failure
        The first few failed points, listed on the page.

    Raises
    ------
    SimulationError
        If the simulation of a finished point is repeated and gives a different result.
    StorageError
        If a file cannot be written.
    """
    began = time.perf_counter()
    rows = results.complete(planned, rows, n)
    tables.write_frame(results.flat_results(planned, rows, n), out / "results.parquet")
    tables.write_frame(results.tabulate_draws(planned, n), out / "draws.parquet")
    found = verify.check(planned, rows, n, timeout_s=pool.timeout_s)
    analysed = analysis.analyse(planned, rows, n, pool=pool, specs=specs, check=found)
    page = reporting.write_campaign(out, planned, analysed, found, failed)
    OUT.print(listings.frame(reporting.tabulate_campaign(analysed)))
    for fit in analysed.random:
        note(
            f"{fit.model}: explains {100 * fit.explained:.3f} % of the variance, "
            f"sigma within {100 * fit.sigma_error:.1f} %"
        )
    for text, share in analysed.yields:
        note(f"{text}: yield {100 * share.value:.2f} % ({100 * share.low:.2f} to {100 * share.high:.2f} %)")
    for reason in analysed.left_out:
        say(f"left out: {reason}")
    for part in page.missing:
        say(f"the page lacks {part}")
    note(f"analysed in {time.perf_counter() - began:.1f} s; open {page.path}")
