"""The main job and a campaign in this checkout beside another one: medians of interleaved runs, and their ratio.

    python benchmarks/against_checkout.py /path/to/other --rounds 3

Both checkouts need their environment (``./go setup``).  A ratio below 1 means that this checkout is faster.
"""

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
JOBS = {
    "gaincell run, 2 workers": ("run", "--workers", "2", "--out"),
    "gaincell mc gain_cell pulse, 2048 samples, 2 workers": (
        "mc", "gain_cell", "pulse", "-n", "2048", "--vary", "mismatch", "--workers", "2",
        "--axis", "v_store=0.7", "--axis", "t_pulse=8n", "-o",
    ),
}  # fmt: skip


def seconds(checkout: Path, words: Sequence[str]) -> float:
    """Time of one command in a checkout [s]."""
    folder = Path(tempfile.mkdtemp())
    try:
        began = time.perf_counter()
        done = subprocess.run(
            [checkout / ".venv" / "bin" / "gaincell", *words, str(folder / "out")], cwd=folder, capture_output=True
        )
        took = time.perf_counter() - began
        assert done.returncode == 0, done.stderr.decode()
        return took
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print("| job | other checkout | this checkout | ratio |\n|---|---|---|---|")
    for name, words in JOBS.items():
        times: dict[Path, list[float]] = {asked.other.resolve(): [], ROOT: []}
        for _ in range(asked.rounds):
            for checkout, taken in times.items():
                taken.append(seconds(checkout, words))
        before, now = (statistics.median(taken) for taken in times.values())
        print(f"| {name} | {before:.1f} s | {now:.1f} s | {now / before:.2f} |", flush=True)


if __name__ == "__main__":
    main()
