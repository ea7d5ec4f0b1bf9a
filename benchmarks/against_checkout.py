"""Compare an older checkout with this one: ratio of the times of interleaved runs, records of every technology.

    python benchmarks/against_checkout.py /path/to/other --rounds 3 -o against.json

The other checkout needs its environment (``./go setup``).  A ratio below 1 means that this checkout is faster.
Packaged records are compared without simulation (tests/test_every_circuit.py simulates them again); a technology
without packaged records is simulated in both checkouts.
``tools/architecture.py`` makes a table of docs/architecture.md from the file.
"""

import argparse
import json
import math
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gaincell_char import registry

ROOT = Path(__file__).parents[1]
GIT = shutil.which("git") or "git"
CLONE = "./go run, empty clone to page"
JOBS = {
    "gaincell run, 2 workers": ("run", "--workers", "2", "--out"),
    "gaincell mc gain_cell pulse, 2048 samples, 2 workers": (
        "mc", "gain_cell", "pulse", "-n", "2048", "--vary", "mismatch", "--workers", "2",
        "--axis", "v_store=0.7", "--axis", "t_pulse=8n", "-o",
    ),
}  # fmt: skip
# Fields of a record that state its origin, not its results.
ORIGIN = {"plan_digest", "technology_digest", "package", "created", "simulator", "wall_s", "record_digest", "date"}


def timed(words: Sequence[str | Path], folder: Path, expected: Sequence[int] = (0,)) -> float:
    """Time of one command [s], which must end with an expected status."""
    began = time.perf_counter()
    done = subprocess.run(words, cwd=folder, capture_output=True, check=False)
    took = time.perf_counter() - began
    assert done.returncode in expected, done.stderr.decode()
    return took


def gaincell(checkout: Path, *words: str | Path) -> list[str | Path]:
    """A command of the package of a checkout."""
    return [checkout / ".venv" / "bin" / "gaincell", *words]


def job(words: Sequence[str]) -> Callable[[Path], float]:
    """Time of a command in a checkout [s], by the checkout."""

    def seconds(checkout: Path) -> float:
        with tempfile.TemporaryDirectory() as folder:
            return timed(gaincell(checkout, *words, "out"), Path(folder))

    return seconds


def clone_and_run(checkout: Path) -> float:
    """Time from an empty clone to the page of the main job [s]: environment, packages, simulations."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run([GIT, "clone", "--quiet", checkout, clone], check=True)
        return timed([clone / "go", "run"], clone)


def interleaved(seconds: Callable[[Path], float], other: Path, rounds: int) -> dict[str, float]:
    """Medians of a job [s], run in both checkouts alternately, and their ratio."""
    taken: dict[Path, list[float]] = {other: [], ROOT: []}
    for _ in range(rounds):
        for checkout, times in taken.items():
            times.append(seconds(checkout))
    before, now = (statistics.median(times) for times in taken.values())
    return {"before_s": before, "now_s": now, "ratio": now / before, "rounds": rounds}


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every number and text of a record, with its path."""
    if isinstance(value, dict):
        for name in sorted(value.keys() - ORIGIN):
            yield from leaves(value[name], f"{path}.{name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from leaves(item, f"{path}[{number}]")
    else:
        yield path, value


def difference(before: object, now: object) -> float:
    """Relative difference of two numbers; 0 or infinity for anything else."""
    if isinstance(before, float) and isinstance(now, float):
        largest = max(abs(before), abs(now))
        return abs(before - now) / largest if largest else 0.0
    return 0.0 if before == now else math.inf


def largest_difference(before: Path, now: Path) -> dict[str, Any]:
    """Records of two folders: their number, and the largest relative difference of any number."""
    files = sorted(file.name for file in before.glob("*.json"))
    assert files
    assert files == sorted(file.name for file in now.glob("*.json"))
    worst, where = 0.0, ""
    for name in files:
        old, new = (dict(leaves(json.loads((folder / name).read_text()))) for folder in (before, now))
        assert old.keys() == new.keys(), name
        for path in old:
            found = difference(old[path], new[path])
            if found > worst:
                worst, where = found, f"{name}{path}"
    return {"records": len(files), "largest_difference": worst, "where": where}


def records(technology: str, other: Path) -> dict[str, Any]:
    """Compare the records of a technology: packaged ones, or else those that the main job makes in both checkouts."""
    packaged = [checkout / "fits" / technology for checkout in (other, ROOT)]
    if all(folder.is_dir() for folder in packaged):
        return largest_difference(*packaged)
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for name, checkout in {"before": other, "now": ROOT}.items():
            target = Path(folder) / name
            target.mkdir()
            words = gaincell(checkout, "run", "--tech", technology, "--out", "out", "--records", "records")
            timed(words, target, expected=(0, 1))  # 1: the data do not determine one of the models
            found.append(target / "records")
        return largest_difference(*found)


def commit(checkout: Path) -> str:
    """Short name of the commit of a checkout."""
    words = [GIT, "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Run everything, print it, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clones", type=int, default=1, help="rounds of the job that begins with an empty clone")
    parser.add_argument("-o", dest="target", type=Path, help="write a JSON file")
    given = parser.parse_args()
    other = given.other.resolve()
    jobs: Mapping[str, Callable[[Path], float]] = {CLONE: clone_and_run, **{n: job(w) for n, w in JOBS.items()}}
    found: dict[str, Any] = {"before": commit(other), "now": commit(ROOT), "jobs": {}, "records": {}}
    for name, seconds in jobs.items():
        rounds = given.clones if name == CLONE else given.rounds
        found["jobs"][name] = interleaved(seconds, other, rounds)
        print(name, found["jobs"][name], flush=True)
    for technology in registry.technology_names():
        found["records"][technology] = records(technology, other)
        print(technology, found["records"][technology], flush=True)
    if given.target:
        given.target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
