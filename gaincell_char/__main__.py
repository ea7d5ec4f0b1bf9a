"""Entry point of ``gaincell``: handles signals before the slow imports."""

import os
import signal

from .storage.hidden_dask import hide_dask
from .storage.leave import leave

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Run the command line; a signal during the imports ends the process at once, with nothing to clean up yet."""
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    # Fits are of small matrices, on which several threads of one process spend most of their time waiting.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    hide_dask()
    from .cli import main as run  # takes a second

    run()


def _leave(number: int, _frame: object) -> None:
    leave(number)


if __name__ == "__main__":
    main()
