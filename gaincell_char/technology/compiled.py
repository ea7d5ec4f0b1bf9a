"""Verilog-A sources of a technology -> compiled models, each compiled once and kept in the user's cache."""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import platformdirs
import re2

from ..errors import TechnologyError
from ..storage import untrusted
from ..storage.tables import write_atomically
from ..storage.untrusted import printable, shown
from .compiler import OPENVAF, compile_source, compiler_version, find_compiler
from .toml_tables import CompiledModel, VerilogA

TRUSTED = "GAINCELL_TRUSTED_OSDI"
"""Environment variable: hashes of compiled models that may be loaded although this package did not compile them."""
_COMMENT = re2.compile(r'(?s)("(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*.*?\*/')
_INCLUDE = re2.compile(r'`include\b[ \t]*(?:"([^"\n]{1,400})")?')
_MOST_FILES = 200
_MOST_COMPILED = 256 * untrusted.MIB
_HASH = 16
_PLAIN = re.compile(r"[\w/.+-]+", re.ASCII)
# Included files that a compiler brings along, by the reference manual of Verilog-AMS.
_STANDARD = frozenset(("disciplines.vams", "discipline.h", "disciplines.h", "constants.vams", "constants.h"))


def compile_models(places: Sequence[tuple[Path, VerilogA]], where: str) -> Iterator[CompiledModel]:
    """Yield the compiled models of a technology; sources are compiled unless that was done before.

    Parameters
    ----------
    places : sequence of (Path, VerilogA)
        Folders, and the paths of sources and compiled models in them.
    where : str
        Name of the technology, for errors.

    Raises
    ------
    TechnologyError
        If a file cannot be read or leads out of its folder, there is no compiler, a source has errors, or a compiled
        model is not trusted.
    """
    for folder, said in places:
        for source in said.veriloga:
            yield _compiled(source, read_sources(folder, source, where), where)
        for file in said.osdi:
            yield _trusted(folder / file, folder, where)


def read_sources(folder: Path, source: str, where: str) -> dict[str, str]:
    """Text of a Verilog-A source and of every file that it includes, by their paths below its folder.

    Parameters
    ----------
    folder : Path
        Folder out of which neither a path nor a link may lead.
    source : str
        Path of the source below `folder`.
    where : str
        Name of the technology, for errors.

    Raises
    ------
    TechnologyError
        If a file cannot be read or leads out of the folder, or there are more than 200.
    """
    root = (folder / source).parent
    found: dict[str, str] = {}
    left = [PurePosixPath(source).name]
    total = 0
    while left:
        name = left.pop()
        if name in found:
            continue
        text = untrusted.read_text(
            root / name, "Verilog-A source", most=untrusted.MOST_NETLIST, error=TechnologyError, below=folder
        )
        total += len(text)
        if len(found) >= _MOST_FILES or total > untrusted.MOST_NETLIST:
            limit = f"{_MOST_FILES} files or {untrusted.MOST_NETLIST // untrusted.MIB} MiB"
            raise TechnologyError(f"technology {printable(where)}: {source} includes more than {limit}")
        found[name] = text
        left += _included(root, text, f"{printable(where)}: {name}")
    return found


def _included(root: Path, text: str, where: str) -> Iterator[str]:
    """Files below the folder of the source that a text includes, without those of the compiler."""
    code = _COMMENT.sub(lambda match: match[1] or " ", text)
    for name in dict.fromkeys(match[1] or "" for match in _INCLUDE.finditer(code)):
        try:
            untrusted.check_relative(name)
        except ValueError as error:
            raise TechnologyError(f"technology {where}: `include: {error}") from None
        if name not in _STANDARD or (root / name).exists():
            yield name


def _compiled(source: str, texts: Mapping[str, str], where: str) -> CompiledModel:
    origin = hashlib.sha256()
    for name, text in sorted(texts.items()):
        origin.update(f"{name} {len(text)}\n{text}".encode())
    stem, name = PurePosixPath(source).stem, PurePosixPath(source).name
    key, home, compiler = origin.hexdigest(), compiled_folder(), find_compiler()
    if compiler is None:
        if before := sorted(home.glob(f"{stem}-{key[:_HASH]}-*.osdi")):
            return CompiledModel(file=_plain(before[-1], where), origin=key)
        raise TechnologyError(
            f"technology {printable(where)}: {name} must be compiled with openvaf-r, which is not found: "
            f"gaincell tech get {printable(where)} downloads it; or put it on PATH, or name it in {OPENVAF}"
        )
    version = hashlib.sha256(compiler_version(compiler).encode()).hexdigest()
    target = home / f"{stem}-{key[:_HASH]}-{version[:_HASH]}.osdi"
    if not target.exists():
        compile_source(compiler, texts, name, target, where)
    return CompiledModel(file=_plain(target, where), origin=key)


def compiled_folder() -> Path:
    """Folder of all compiled models, in the user's cache."""
    return platformdirs.user_cache_path("gaincell-char") / "osdi"


def _trusted(file: Path, folder: Path, where: str) -> CompiledModel:
    """Return a copy of a model that came compiled, if the user trusts it: loading it runs its program."""
    data = untrusted.read_bytes(file, "compiled model", most=_MOST_COMPILED, error=TechnologyError, below=folder)
    origin = hashlib.sha256(data).hexdigest()
    if origin not in os.environ.get(TRUSTED, "").split():
        raise TechnologyError(
            f"technology {printable(where)}: {shown(file.name)} is a program, which ngspice would run; if you trust "
            f"it, set {TRUSTED}={origin}, or name its Verilog-A source in veriloga instead"
        )
    # The copy cannot change after the check, and its name states its content, as the hash of a deck needs it.
    target = compiled_folder() / f"{file.stem}-{origin[:_HASH]}.osdi"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, lambda part: part.write_bytes(data))
    return CompiledModel(file=_plain(target, where), origin=origin)


def _plain(file: Path, where: str) -> str:
    """Path of a compiled model, which a printed deck contains: ngspice reads blanks and some characters as commands."""
    if not _PLAIN.fullmatch(str(file)):
        raise TechnologyError(
            f"technology {printable(where)}: {shown(str(file))} has a blank or another character that ngspice cannot "
            "read in a path; set XDG_CACHE_HOME to a folder of letters, digits and _.+-, or move the technology there"
        )
    return str(file)
