"""Simulators of a Python function: a pool of the caller, or a new one."""

import contextlib

from ..errors import ParameterError
from ..spice.pool import Pool
from ..sweeping.arguments import check_count
from ..sweeping.run import own_timeout


def use_pool(
    pool: Pool | None, workers: int | None, timeout_s: float | None
) -> contextlib.AbstractContextManager[Pool]:
    """Return a pool as a context manager; a pool of the caller stays open at its end.

    Parameters
    ----------
    pool : Pool, optional
        Pool of the caller.
    workers : int, optional
        Simulator processes of a new pool; one per core by default.
    timeout_s : float, optional
        Time limit of one simulation [s]; by default the limit of `pool`, or 60 s.

    Raises
    ------
    ParameterError
        If an argument has the wrong type, or contradicts the pool.
    NgspiceMissingError
        If ngspice is not installed.
    """
    if not isinstance(pool, Pool | None):
        raise ParameterError(f"pool is of type {type(pool).__name__}; it must be a Pool")
    if workers is not None and pool is not None:
        raise ParameterError(f"workers = {workers} has no effect with a pool; omit it")
    count = None if workers is None else check_count("workers", workers, 1)
    limit_s = own_timeout(timeout_s, pool)
    return contextlib.nullcontext(pool) if pool is not None else Pool(count, timeout_s=limit_s)
