"""Build wheel and sdist, install the wheel in a fresh environment, and use it outside the checkout.

    python tools/check_distribution.py -o dist

Nothing is downloaded: the build uses the setuptools of the environment that runs this script, and the fresh environment
sees its libraries.  Wheel and sdist are kept only if every check passes.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
PACKAGE = "gaincell_char"
SWEEP = "sweep gain_cell dc --axis v_store=0:0.9:4 --workers 1 -o swept.csv"
# Commands, and a word that each must print.
COMMANDS = {
    "gaincell list": "gain_cell",
    "gaincell show gain_cell": "v_store",
    "gaincell netlist gain_cell dc | head -n 5": "* gain_cell.dc, gc28",
    f"gaincell {SWEEP}": "40 of 40 points",
    "gaincell new technology mine": "mine/technology.toml is written",
    "gaincell export gc28/gain_cell.dc --to spice --out macro": "gain_cell.cir",
}
# A packaged record compared with the sweep above; then the location of every imported module.
USE = """
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

import gaincell_char as gc
from gaincell_char import circuits, fits, netlists

cell = gc.load_model(gc.load_record("gc28", "gain_cell.dc"), "ekv")
swept = gc.read_table("swept.csv").frame
swept = swept[np.isclose(swept.v_in, cell.fit.conditions["v_in"])]
error = np.abs(cell(swept.v_store.to_numpy()) - swept.i_bl.to_numpy())
assert len(swept) == 4 and error.max() < 0.01 * cell.fit.full_range, f"the record is {error} A away from the sweep"
assert gc.__version__ == version("gaincell-char"), f"{gc.__version__} is installed as {version('gaincell-char')}"

home, checkout = (Path(word).resolve() for word in sys.argv[1:])
loaded = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "gaincell_char"}
outside = [name for name, module in loaded.items() if home not in Path(str(module.__file__)).resolve().parents]
assert not outside, f"not imported from the wheel: {outside}"
assert checkout not in [Path(folder).resolve() for folder in (*sys.path, *gc.__path__)], "the checkout can be imported"
print(len(loaded), "modules from the wheel")
"""


def run(*words: str | Path, cwd: Path) -> str:
    """Output of a command without the variables that change what Python imports; it must succeed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run([*map(str, words)], cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"failed with status {done.returncode}: {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout


@contextmanager
def timed(title: str) -> Iterator[None]:
    """Print a description of a step and its time [s]."""
    began = time.monotonic()
    yield
    print(f"{title}: {time.monotonic() - began:.1f} s", flush=True)


def copy_checkout(target: Path) -> Path:
    """Copy of the files that git tracks or would add, without leftovers of an earlier build."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file():  # not one that was removed and is still in the index
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target


def build(source: Path, out: Path, *kinds: str) -> None:
    """Build a folder with the installed setuptools, without a downloaded environment."""
    run(sys.executable, "-P", "-m", "build", "--no-isolation", *kinds, "--outdir", out, source, cwd=source.parent)


def files_to_install(source: Path) -> set[str]:
    """Every file of the package's folders, by its name in the wheel."""
    settings = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {PACKAGE: PACKAGE} | settings["package-dir"]
    return {
        f"{package.replace('.', '/')}/{path.relative_to(source / folder)}"
        for package, folder in folders.items()
        for path in (source / folder).rglob("*")
        if path.is_file()
    }


def contents(wheel: Path) -> dict[str, int]:
    """Files of a wheel and their checksums."""
    with ZipFile(wheel) as archive:
        return {item.filename: item.CRC for item in archive.infolist()}


def differences(title: str, found: set[str], expected: set[str]) -> None:
    """Stop if two sets of files differ."""
    if found != expected:
        sys.exit(f"{title}: missing {sorted(expected - found)}, not expected {sorted(found - expected)}")


def check_wheel(wheel: Path, source: Path) -> None:
    """Stop unless the wheel contains every file of the package's folders and no other."""
    installed = {name for name in contents(wheel) if ".dist-info/" not in name}
    differences(f"{wheel.name} against the checkout", installed, files_to_install(source))


def check_sdist(sdist: Path, wheel: Path, folder: Path) -> None:
    """Stop unless the sdist unpacks and builds the same wheel."""
    shutil.unpack_archive(sdist, folder)
    build(folder / sdist.name.removesuffix(".tar.gz"), folder, "--wheel")
    again, first = contents(folder / wheel.name), contents(wheel)
    differences("wheel of the sdist against the wheel of the checkout", set(again), set(first))
    if again != first:
        sys.exit(f"the sdist builds other files: {sorted(name for name in first if again[name] != first[name])}")


def install(wheel: Path, venv: Path) -> None:
    """Make an environment that contains the wheel alone and sees the libraries of the one that runs this script.

    A second download of torch would cost minutes.  The folders of the installed libraries are named in a ``.pth`` file
    of the new environment.  Python then imports from them but does not execute their own ``.pth`` files, so the
    editable install of the checkout, which is in one of them, has no effect.
    """
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=venv.parent)
    pip = (sys.executable, "-m", "pip", "--python", venv / "bin" / "python", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", "--no-compile", wheel, cwd=venv.parent)
    (site,) = venv.glob("lib/python*/site-packages")
    ours = [folder for folder in sys.path if Path(folder).name in ("site-packages", "dist-packages")]
    (site / "libraries.pth").write_text("\n".join(ours) + "\n", encoding="utf-8")


def use(venv: Path, folder: Path) -> None:
    """Run the commands and the program above in an empty folder, and print the time of each."""
    folder.mkdir()
    for command, word in COMMANDS.items():
        with timed(command):
            said = run("bash", "-c", f'PATH="$0:$PATH"; {command}', venv / "bin", cwd=folder)
        if word not in said:
            sys.exit(f"{command} does not print {word!r} but\n{said}")
    with timed("a packaged record compared with the sweep"):
        print(run(venv / "bin" / "python", "-c", USE, venv, ROOT, cwd=folder), end="")


def check(work: Path, out: Path) -> None:
    """Build, compare, install and use; then keep the two files."""
    source, made = copy_checkout(work / "source"), work / "made"
    with timed("wheel and sdist built"):
        build(source, made, "--sdist", "--wheel")
    (wheel,), (sdist,) = made.glob("*.whl"), made.glob("*.tar.gz")
    check_wheel(wheel, source)
    with timed("the same wheel built from the sdist"):
        check_sdist(sdist, wheel, work / "sdist")
    with timed("wheel installed"):
        install(wheel, work / "venv")
    use(work / "venv", work / "empty")
    out.mkdir(parents=True, exist_ok=True)
    for file in (wheel, sdist):
        print(shutil.copy(file, out))


def main(words: Sequence[str] | None = None) -> None:
    """Read the command line and check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "dist", help="folder of the two files")
    out = parser.parse_args(words).out.absolute()
    with timed("distribution checked"), tempfile.TemporaryDirectory(prefix="gaincell-dist-") as folder:
        check(Path(folder).resolve(), out)


if __name__ == "__main__":
    main()
