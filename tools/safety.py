"""Results of the long form of the tests with hostile files, technologies and kills: the tables of docs/security.md.

    ./go test --all --junitxml=tests.xml
    python tools/safety.py tests.xml

No number of the tables is typed by hand.  The script fails if a test that it counts was not run.
"""

import argparse
import runpy
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from pathlib import Path

from markdown_table import NONE, table
from marked_block import rewrite

from gaincell_char import registry

ROOT = Path(__file__).parents[1]
FAULTS = ("test_faults_security", "test_faults_results", "test_faults_requests")
KINDS = {
    "test_records": "record", "test_exported_files": "exported file", "test_netlists": "netlist",
    "test_technologies": "technology", "test_tables": "table", "test_campaign_folders": "campaign folder",
    "test_saved_arrays": "saved array, exported PyTorch model",
}  # fmt: skip
LEAST_READ = 0.3
KILLS = 60


class Case:
    """One test of the report."""

    def __init__(self, element: ET.Element) -> None:
        self.file = element.get("classname", "").rpartition(".")[2]
        self.name = element.get("name", "")
        self.passed = all(element.find(kind) is None for kind in ("failure", "error", "skipped"))
        self.properties = {p.get("name"): p.get("value") for p in element.iter("property")}

    @property
    def function(self) -> str:
        """Name without parameters."""
        return self.name.partition("[")[0]


def rows_closed() -> dict[str, int]:
    """Rows of the list of faults that have tests, by the file of the tests."""
    sys.path.insert(0, str(ROOT / "tests"))  # the tests import modules from their folder
    return {name: len(runpy.run_path(str(ROOT / "tests" / f"{name}.py"))["ROWS"]) for name in FAULTS}


def figures(cases: Sequence[Case]) -> Iterable[tuple[str, str, str]]:
    """Figure, target and measured value."""
    faults = [case for case in cases if case.file in FAULTS]
    closed = rows_closed()
    rows = closed["test_faults_security"] + closed["test_faults_results"]
    yield "security faults and wrong results of November 2026 with a test", f"{rows}", f"{rows}"
    wanted = closed["test_faults_requests"]
    yield "tracebacks, hangs, late refusals and missing messages with a test", f"{wanted}", f"{wanted}"
    yield "tests of these faults that pass", f"{len(faults)}", f"{sum(case.passed for case in faults)}"
    samples = [case for case in cases if case.function == "test_two_samples_of_every_bench"]
    yield (
        "campaigns of two samples, every circuit, bench, technology and kind of variation, without a failure",
        f"{len(samples)}", f"{sum(case.passed for case in samples)}",
    )  # fmt: skip
    runs = [case for case in cases if case.function == "test_every_study_of_the_main_job"]
    yield (
        "technologies in which `gaincell run` completes every study", f"{len(registry.technology_names())}",
        f"{sum(case.passed for case in runs)}",
    )  # fmt: skip
    kills = [case for case in cases if case.function == "test_killed_at_any_moment_and_run_again"]
    amid = sum(case.properties.get("finished_before") == "False" for case in kills)
    yield "commands killed at a random moment", f"{KILLS}", f"{len(kills)}"
    yield "of these commands, killed before they had finished", NONE, f"{amid}"
    yield (
        "of these commands, equal to the last bit when repeated, with nothing left behind", f"{KILLS}",
        f"{sum(case.passed for case in kills)}",
    )  # fmt: skip


KIND_HEADS = (
    "kind of file", "inputs", "target, accepted", "measured, accepted", "target, violations", "measured, violations",
)  # fmt: skip


def kinds(cases: Sequence[Case]) -> Iterable[tuple[str, ...]]:
    """Kind of file, inputs, share that the parser accepted, and whether a violation was found."""
    for case in cases:
        if case.file == "test_fuzz" and case.function in KINDS:
            inputs = int(case.properties["inputs"] or 0)
            share = int(case.properties["past_the_parser"] or 0) / inputs
            violations = "0" if case.passed else "at least 1"
            yield KINDS[case.function], f"{inputs}", f"{LEAST_READ:.0%}", f"{share:.0%}", "0", violations


VIOLATION = (
    "A *violation* is a traceback, a run of more than 10 s, the execution of a program, a write, or a read outside\n"
    "the folder of the input. *accepted* is the share of the inputs that the parser accepted."
)


def page(cases: Sequence[Case]) -> str:
    """Both tables."""
    first = table(("figure", "target", "measured"), figures(cases))
    return "\n\n".join([first, VIOLATION, table(KIND_HEADS, kinds(cases))])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "reports",
        type=Path,
        nargs="+",
        help="output of pytest --junitxml; for a test in several reports the last one counts",
    )
    reports = parser.parse_args().reports
    found: dict[tuple[str, str], Case] = {}
    for report in reports:
        for element in ET.parse(report).iter("testcase"):  # noqa: S314  the report of pytest
            case = Case(element)
            found[case.file, case.name.partition("@")[0]] = case
    cases = list(found.values())
    missing = set(KINDS) - {case.function for case in cases}
    assert not missing, f"{reports} are not of ./go test --all: {missing}"
    text = page(cases)
    rewrite("docs/security.md", "safety", text)
    print(text)


if __name__ == "__main__":
    main()
