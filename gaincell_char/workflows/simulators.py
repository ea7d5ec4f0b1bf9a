"""The simulators that a verb uses: those it is given, or some of its own."""

import contextlib

from ..errors import ParameterError
from ..spice.pool import Pool
from ..sweeping.arguments import check_count
from ..sweeping.run import own_timeout


def use_pool(
    pool: Pool | None, workers: int | None, timeout_s: float | None
) -> contextlib.AbstractContextManager[Pool]:
    """Return a pool to use as a context manager; one that was given stays open.

    Parameters
    ----------
    workers : int, optional
        Simulators to start where there is no `pool`; one per core by default.
    timeout_s : float, optional
        Time after which a run is ended [s]; that of `pool`, or 60 s, by default.

    Raises
    ------
    ParameterError
        If an argument is of another kind, or contradicts the pool.
    NgspiceMissingError
        If there is no ngspice.
    """
    if not isinstance(pool, Pool | None):
        raise ParameterError(f"pool is of type {type(pool).__name__}; it takes a Pool")
    if workers is not None and pool is not None:
        raise ParameterError(f"workers = {workers} has no effect beside a pool; leave it out")
    asked = None if workers is None else check_count("workers", workers, 1)
    limit_s = own_timeout(timeout_s, pool)
    return contextlib.nullcontext(pool) if pool is not None else Pool(asked, timeout_s=limit_s)
