"""Targets and measured values of the code: two tables of docs/architecture.md.

    python tools/architecture.py
    python benchmarks/against_checkout.py /path/to/other -o against.json
    python tools/architecture.py --against against.json

Without an option it runs ``.ci/run`` in an empty clone.  No number of the table is typed by hand.
"""

import argparse
import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from markdown_table import table
from marked_block import rewrite

ROOT = Path(__file__).parents[1]
Row = tuple[str, str, str]


def shape() -> Iterator[Row]:
    """Figures of the code, computed by the tests that limit them."""
    sys.path.insert(0, str(ROOT / "tests"))
    found = runpy.run_path(str(ROOT / "tests" / "test_architecture.py"))
    modules, packages = found["modules_on_top"](), found["packages"]()
    yield "modules directly under `gaincell_char/`", f"≤ {found['MOST_MODULES_ON_TOP']}", f"{len(modules)}"
    yield "packages", f"≤ {found['MOST_PACKAGES']}", f"{len(packages)}"
    yield "median module, lines", f"< {found['MEDIAN_MODULE']}", f"{found['median_module']():.0f}"
    yield "90 % of the function bodies, lines", f"≤ {found['P90_BODY']}", f"{found['p90_body']()}"
    yield (
        "longest function, lines; of a verb those of its body",
        f"≤ {found['LONGEST_FUNCTION']}",
        f"{found['longest_function']()}",
    )
    yield "readers of SPICE text", "1", f"{len(found['spice_readers']())}"
    yield "modules with `fmt: skip`", "0", f"{len(found['unformatted']())}"
    many = found["with_many_arguments"]()
    yield "functions outside `cli` with more than 8 parameters", f"≤ {found['MANY_ARGUMENTS']}", f"{len(many)}"


def against(found: dict[str, Any]) -> Iterator[Row]:
    """Records and times compared with those of an older commit."""
    for technology, records in found["records"].items():
        title = f"{records['records']} records of {technology}, after and before: largest relative difference"
        yield title, "≤ 1e-8", f"{records['largest_difference']:.1g}"
    for name, times in found["jobs"].items():
        yield (
            f"{name}: time after / time before, median of {times['rounds']} interleaved pairs",
            "≤ 1",
            f"{times['ratio']:.2f}",
        )


def suite() -> Iterator[Row]:
    """Times of ``.ci/run`` in an empty clone, of the tests in it, and of their quick form."""
    with tempfile.TemporaryDirectory() as folder:
        clone, report = Path(folder) / "clone", Path(folder) / "report.xml"
        subprocess.run([shutil.which("git") or "git", "clone", "--quiet", ROOT, clone], check=True)
        began = time.perf_counter()
        environment = {**os.environ, "PYTEST_ADDOPTS": f"--junitxml={report}"}
        subprocess.run([clone / ".ci" / "run"], env=environment, check=True)
        took = time.perf_counter() - began
        tests, seconds = _read_times(report)
        subprocess.run([clone / "go", "test", "--quick"], env=environment, check=True)
        quick_tests, quick_seconds = _read_times(report)
    cores = os.cpu_count()
    yield f"`./go test --quick`, {quick_tests} tests on {cores} cores, seconds", "≤ 180", f"{quick_seconds:.0f}"
    yield f"`./go test`, {tests} tests on {cores} cores, seconds", "none", f"{seconds:.0f}"
    yield "`.ci/run` in an empty clone, which runs all of `./go test`, seconds", "≤ 600", f"{took:.0f}"


def _read_times(report: Path) -> tuple[str, float]:
    [run] = ET.parse(report).iter("testsuite")  # noqa: S314  the report is of this script
    return run.get("tests", ""), float(run.get("time", "nan"))


def main() -> None:
    """Write one of the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="output of benchmarks/against_checkout.py")
    heads, path = ("figure", "target", "measured"), parser.parse_args().against
    if path is None:
        name, text = "architecture", table(heads, [*shape(), *suite()])
    else:
        found = json.loads(path.read_text(encoding="utf-8"))
        compared = f"Commit {found['now']} (after) was compared with {found['before']} (before)."
        name, text = "against", "\n".join([compared, "", table(heads, list(against(found)))])
    rewrite("docs/architecture.md", name, text)
    print(text)


if __name__ == "__main__":
    main()
