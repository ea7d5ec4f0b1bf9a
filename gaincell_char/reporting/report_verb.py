"""The verb ``report``: results of a campaign, of the main job, or of several technologies -> HTML page."""

from collections.abc import Sequence
from pathlib import Path

from ..errors import ParameterError
from ..spice.pool import Pool
from ..storage import manifest
from ..storage.tables import make_folder
from ..sweeping.arguments import check_words
from ..sweeping.run import as_folder
from ..workflows.campaign_folder import collect_samples, read_specs, restore_folder
from ..workflows.kept_failures import keep_failures
from ..workflows.run_verb import MainJobResult
from ..workflows.sampled import MonteCarloResult, analyse_samples
from ..workflows.simulators import use_pool
from ..workflows.technology_comparison import compare_technologies
from ..workflows.technology_records import find_technology_records
from ..workflows.technology_runs import check_comparison_folder
from ..workflows.watcher import SILENT
from .campaign_page import write_campaign
from .parts import Written
from .technologies_page import write_technologies
from .write import write_report


def report(
    results: MonteCarloResult | MainJobResult | Path | str | Sequence[Path | str],
    *,
    folder: Path | str | None = None,
    specs: Sequence[str] = (),
    technology: Path | str | None = None,
    workers: int | None = None,
    timeout_s: float | None = None,
    pool: Pool | None = None,
) -> Written:
    """Write the HTML page of a campaign, of the main job, or of several technologies, with pictures and tables.

    The commands ``gaincell mc``, ``gaincell merge``, ``gaincell run`` and ``gaincell tech compare`` write the same
    pages.

    Parameters
    ----------
    results : MonteCarloResult, MainJobResult, Path, str or sequence
        Result of `monte_carlo` or `run`, or the folder of a campaign, which is analysed again.  A sequence of
        technologies is compared on one page: each is the folder of a `run`, or a packaged set of records by name.
    folder : Path or str, optional
        Folder of the page; the folder of the results by default.
    specs : sequence of str
        Limits whose yield is computed, for example ``"i_bl > 8u"``; only if `results` is a folder.
    technology : Path or str, optional
        Folder of the technology, if `results` is the folder of a campaign in a technology that is not built in.
    workers : int, optional
        Simulator processes for the analysis of a folder; one per core by default.
    timeout_s : float, optional
        Time limit of one simulation [s]; 60 s by default.
    pool : Pool, optional
        Running simulators to use instead of new ones.

    Returns
    -------
    Written
        ``path`` of the page, and ``missing``: parts that could not be written, with the reason.

    Raises
    ------
    RequestError
        If no folder is given for results in memory, a folder contains no campaign, or an argument would have no
        effect.
    StorageError
        If a file could not be written.

    Examples
    --------
    >>> import gaincell_char as gc
    >>> point = {"v_store": [0.9], "v_in": [0.9]}
    >>> cells = gc.monte_carlo("gain_cell", "dc", n=4, vary="mismatch", axes=point, workers=1)
    >>> gc.report(cells, folder="page").path.as_posix()
    'page/index.html'
    """
    if isinstance(results, MonteCarloResult | MainJobResult):
        _check_effect(specs=specs or None, technology=technology, workers=workers, timeout_s=timeout_s, pool=pool)
        return _write_page(results, results.folder if folder is None else as_folder(folder))
    if isinstance(results, Sequence) and not isinstance(results, str):
        _check_effect(specs=specs or None, technology=technology, workers=workers, timeout_s=timeout_s, pool=pool)
        return _compare(results, folder)
    if not isinstance(results, Path | str):
        raise ParameterError(
            f"results is of type {type(results).__name__}; it must be a result of monte_carlo or run, or a folder"
        )
    there = as_folder(results)
    with use_pool(pool, workers, timeout_s) as simulators:
        found = _analyse_folder(there, check_words("specs", specs), technology, simulators)
    return _write_page(found, there if folder is None else as_folder(folder))


def _compare(sources: Sequence[Path | str], folder: Path | str | None) -> Written:
    if folder is None:
        raise ParameterError("technologies are compared in a folder of their own; give it with folder=")
    out = as_folder(folder)
    check_comparison_folder(out)
    return write_technologies(out, compare_technologies([find_technology_records(source) for source in sources]))


def _check_effect(**given: object) -> None:
    if useless := [name for name, value in given.items() if value is not None]:
        raise ParameterError(f"{useless[0]} has no effect here: the results are already analysed")


def _analyse_folder(folder: Path, specs: Sequence[str], technology: Path | str | None, pool: Pool) -> MonteCarloResult:
    planned, n = restore_folder(folder, None if technology is None else str(technology))
    wanted = read_specs(planned, specs)
    manifest.check_places(folder, *manifest.FOLDERS)
    finished = collect_samples(planned, n, folder, (), SILENT.say)
    return analyse_samples(planned, finished, n, folder, pool=pool, specs=wanted)


def _write_page(results: MonteCarloResult | MainJobResult, out: Path | None) -> Written:
    if out is None:
        raise ParameterError("these results are in memory; give the folder of the page with folder=")
    if isinstance(results, MainJobResult):
        return write_report(
            out, results.technology, results.circuits, simulator=results.simulator, wall_s=results.wall_s
        )
    if results.failures:
        make_folder(out)
        keep_failures(results.failures, out / "failed")
    return write_campaign(out, results.campaign, results.analysis, results.verification, results.failures)
