"""Folder of a technology -> its description, and the foundry model files that it uses."""

from collections.abc import Callable, Iterable
from pathlib import Path

from ..errors import NetlistError, TechnologyError
from ..spice.netlist_files import reader_below
from ..spice.reader import read_netlist
from ..storage import untrusted
from .compiled import compile_models
from .library import assemble, section_files
from .locate import find_models, how_to_get, pdk_root
from .mismatch import mismatch_faults
from .schema import Fault, Technology, parse_technology, with_compiled, with_libraries

MANIFEST = "technology.toml"


def describe_folder(
    folder: Path, base: Callable[[str, Path], str], faults: Callable[[Technology], Iterable[Fault]]
) -> Technology:
    """Return a technology without foundry model files, which need not be installed.

    Parameters
    ----------
    folder : Path
        Folder with ``technology.toml``.
    base : callable
        (name of the base technology, path of the manifest) -> SPICE text of the base technology.
    faults : callable
        Technology -> further faults.

    Raises
    ------
    TechnologyError
        If the manifest or a file that it names cannot be read, or they contradict each other.
    """
    manifest = folder / MANIFEST
    read = reader_below(folder)

    def files_of(technology: Technology) -> str:
        first = [base(technology.base, manifest)] if technology.base else []
        try:
            own = [read_netlist(read(file), read=read, where=file).text for file in technology.files]
        except NetlistError as error:
            raise TechnologyError(f"{manifest}: {error}") from None
        return "\n".join([*first, *own])

    text = untrusted.read_text(
        manifest, "technology", most=untrusted.MOST_TECHNOLOGY, error=TechnologyError, below=folder
    )
    return parse_technology(text, files_of, str(manifest), lambda it: (*mismatch_faults(it), *faults(it)))


def with_models(described: Technology, folder: Path, name: str) -> Technology:
    """Add the foundry model files and the compiled models to a technology, if it needs any.

    Parameters
    ----------
    described : Technology
        From `describe_folder`.
    folder : Path
        Folder of the technology.
    name : str
        Name of the technology, for errors.

    Raises
    ------
    TechnologyError
        If the model files are missing or have another version, or a Verilog-A source cannot be compiled.
    """
    models = described.models
    if models is None:
        return with_compiled(described, compile_models([(folder, described)], name))
    home = find_models(folder, models)
    if home is None:
        raise TechnologyError(how_to_get(name, models))
    compiled = compile_models([(folder, described), (home, models)], name)
    read = reader_below(home, within=pdk_root(home))
    before = [text for file in models.before for text in section_files(file, "", read, name)]
    texts = {
        section: [*before, *section_files(models.lib, section, read, name)]
        for section in dict.fromkeys(models.sections.values())
    }
    return with_libraries(
        with_compiled(described, compiled),
        {
            corner: assemble(texts[section], described.text, models.edits, models.hoist, name)
            for corner, section in models.sections.items()
        },
    )
