"""Output of ``mc`` and ``merge``.  Imports matplotlib when it is used, which takes a second."""

import time
from pathlib import Path

from ..errors import GaincellError
from ..sweeping.run import FAILED
from ..workflows.campaign_folder import FinishedSamples
from ..workflows.sampled import MonteCarloResult
from . import listings
from .console import OUT, note, say


def finish(result: MonteCarloResult, out: Path, began: float) -> None:
    """Write the page of a campaign and print its summary.

    Parameters
    ----------
    result : MonteCarloResult
        The analysed campaign.
    out : Path
        Folder of the page.
    began : float
        Start time of the analysis [s], of `time.perf_counter`.

    Raises
    ------
    StorageError
        If a file could not be written.
    """
    from .. import reporting

    page = reporting.write_campaign(out, result.campaign, result.analysis, result.verification, result.failures)
    OUT.print(listings.frame(reporting.tabulate_campaign(result.analysis)))
    for fit in result.analysis.random:
        note(f"{fit.model}: {100 * fit.explained:.3f} % of the variance, sigma within {100 * fit.sigma_error:.1f} %")
    for text, share in result.analysis.yields:
        note(f"{text}: yield {100 * share.value:.2f} % ({100 * share.low:.2f} to {100 * share.high:.2f} %)")
    for reason in result.analysis.left_out:
        say(f"left out: {reason}")
    for part in page.missing:
        say(f"the page lacks {part}")
    note(f"analysed in {time.perf_counter() - began:.1f} s; open {page.path}")


def failure(finished: FinishedSamples) -> GaincellError:
    """Error that reports the failed points, of this call and of earlier ones."""
    failed = finished.rows[finished.rows["status"] == FAILED]
    first = failed.iloc[0]
    return GaincellError(
        f"{len(failed)} of {len(finished.rows)} points failed and are marked as failed in the results; the first, "
        f"{first['sample']}.{first['point']}: {first['reason']}; decks and logs are in {finished.kept}; "
        "--retry-failed simulates them again"
    )
