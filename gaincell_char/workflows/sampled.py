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
    samples : DataFrame
        One row per sample, point of the grid and value of the bench's curve, in SI units; a failed point is NaN and
        says why in ``reason``.
    analysis : Analysis
        Moments, quantiles, contributions, worst samples, fitted models.
    failures : tuple of Failure
        The first few failed points, with decks and logs.
    folder : Path, optional
        Where the campaign is kept.
    verification : Verification
        Points that were simulated again, alone and a hundred times tighter.
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
        """The record, with the variation in ``spread``."""
        return self.analysis.record

    @property
    def yields(self) -> dict[str, Proportion]:
        """Limit -> share of the samples that meet it, with its 95 % interval."""
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
    """Check a few points again, and compute everything that is said about a campaign.

    Parameters
    ----------
    finished : FinishedSamples
        From `collect_samples`.
    folder : Path, optional
        Where ``results.parquet`` and ``draws.parquet`` are written.

    Raises
    ------
    DataError
        If a point is missing.
    SimulationError
        If a point that is simulated again does not give what the campaign has.
    StorageError
        If something could not be written.
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
