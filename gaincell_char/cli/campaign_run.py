"""Options of ``mc`` that control the simulation of a campaign."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from typing import Any

from ..errors import ParameterError, RequestError
from ..storage.hidden_dask import show_dask
from ..workflows.sampling_run import SamplingOptions


def read_options(given: Mapping[str, Any]) -> SamplingOptions:
    """Read the options of ``mc`` that control the simulation.

    Raises
    ------
    ParameterError
        If ``--shard`` cannot be parsed.
    """
    return SamplingOptions(
        specs=given["specs"],
        until=given["until"],
        part=_read_part(given["shard"]),
        retry_failed=given["retry_failed"],
        timeout_s=given["timeout"],
    )


def _read_part(text: str | None) -> tuple[int, int]:
    if text is None:
        return 1, 1
    match = re.fullmatch(r" ?([0-9]{1,9}) ?/ ?([0-9]{1,9}) ?", text)
    if match is None:
        raise ParameterError(f"--shard {text!r} is not a part: write I/N, for example 2/8")
    return int(match[1]), int(match[2])


@contextlib.contextmanager
def connect(address: str | None) -> Iterator[Executor | None]:
    """Connect to a Dask cluster and yield its executor; yield None if there is no address.

    Raises
    ------
    RequestError
        If the package `distributed` is not installed, or no scheduler answers.
    """
    if address is None:
        yield None
        return
    show_dask()
    try:
        from distributed import Client  # an optional extra
    except ImportError:
        raise RequestError("--dask needs the package distributed: pip install gaincell-char[dask]") from None
    try:
        client: Any = Client(address, timeout=10)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise RequestError(f"--dask {address}: no scheduler answers at this address: {error}") from None
    with client:
        yield client.get_executor()
