"""Immediate end of a process after a signal."""

import os
import signal
from typing import NoReturn


def leave(number: int) -> NoReturn:
    """Print the reason and end this process with the exit status of a signal, without any clean-up."""
    os.write(2, b"\ngaincell: interrupted\n" if number == signal.SIGINT else b"gaincell: terminated\n")
    os._exit(128 + number)
