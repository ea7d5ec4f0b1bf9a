"""The check at the end of a run sees what is left, and only what is this run's."""

import os
import subprocess
import sys

import pytest
from conftest import RUN, left_behind

from gaincell_char.storage.scratch import Scratch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def test_a_process_and_a_folder_are_seen_until_they_are_gone(tmp_path):
    command, environment = [sys.executable, "-S", "-c", "input()"], {**os.environ, RUN: "mine"}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE) as process, Scratch(tmp_path) as scratch:
        folder, child = left_behind("mine", tmp_path)
        assert folder == str(scratch.path)
        assert child.startswith(f"process {process.pid}: {sys.executable}")
        assert left_behind("mine too", tmp_path / "elsewhere") == []
        process.kill()
    assert left_behind("mine", tmp_path) == []
