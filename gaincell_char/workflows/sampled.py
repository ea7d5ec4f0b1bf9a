"""Finished samples of a campaign -> tables, statistics and a record."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..fitting.record import Record
from ..fitting.specs import Spec
from ..fitting.statistics import Proportion
from ..montecarlo import analysis, results, verify
from ..montecarlo.analysis import Analysis
from ..montecarlo.campaign import Campaign
from ..montecarlo.verify import Verification
from ..spice.pool import Pool
from ..storage import tables
from ..sweeping.run import Failure
from .campaign_folder import FinishedSamples


@dataclass(frozen=True, kw_only=True)
class MonteCarloResult:
    """A finished campaign.

    Attributes
    ----------
    campaign : Campaign
        The plan of the campaign.
    samples : DataFrame
        One row per sample, point of the grid and value of the bench's curve, in SI units.  The outputs of a failed
        point are NaN, and ``reason`` contains its reason.
    analysis : Analysis
        Moments, quantiles, contributions, worst samples and fitted models.
    failures : tuple of Failure
        The first few failed points, with decks and logs.
    folder : Path, optional
        Folder of the campaign; None if nothing is stored.
    verification : Verification
        Points that were simulated again, each alone in its deck and with tolerances a hundred times tighter.
    """

    campaign: Campaign
    samples: pd.DataFrame
    analysis: Analysis
    failures: tuple[Failure, ...]
    folder: Path | None
    verification: Verification

    @property
    def n(self) -> int:
        """Number of samples."""
        return self.analysis.n

    @property
    def record(self) -> Record:
        """Record of the campaign; ``spread`` contains the variation."""
        return self.analysis.record

    @property
    def yields(self) -> dict[str, Proportion]:
        """Limit -> share of the samples that meet it [1], with its 95 % interval."""
        return dict(self.analysis.yields)


def analyse_samples(
    planned: Campaign,
    finished: FinishedSamples,
    n: int,
    folder: Path | None,
    *,
    pool: Pool,
    specs: Sequence[Spec],
) -> MonteCarloResult:
    """Simulate a few points again as a check, and compute the statistics of a campaign.

    Parameters
    ----------
    planned : Campaign
        The campaign.
    finished : FinishedSamples
        Its points, from `collect_samples`.
    n : int
        Number of samples.
    folder : Path, optional
        Folder for ``results.parquet`` and ``draws.parquet``; by default they are not written.
    pool : Pool
        Simulators.
    specs : sequence of Spec
        Limits whose yield is computed.

    Raises
    ------
    DataError
        If a point is missing.
    SimulationError
        If a point that is simulated again gives a different result.
    StorageError
        If a file could not be written.
    """
    rows = results.complete(planned, finished.rows, n)
    samples = results.flat_results(planned, rows, n)
    if folder is not None:
        tables.write_frame(samples, folder / "results.parquet")
        tables.write_frame(results.tabulate_draws(planned, n), folder / "draws.parquet")
    found = verify.check(planned, rows, n, timeout_s=pool.timeout_s)
    analysed = analysis.analyse(planned, rows, n, pool=pool, specs=specs, check=found)
    return MonteCarloResult(
        campaign=planned,
        samples=samples,
        analysis=analysed,
        failures=finished.failures,
        folder=folder,
        verification=found,
    )
