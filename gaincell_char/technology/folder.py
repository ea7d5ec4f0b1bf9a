"""The folder of a technology -> what it says, and the model files of a foundry that it uses."""

from collections.abc import Callable, Iterable
from pathlib import Path

from ..errors import NetlistError, TechnologyError
from ..spice.netlist_files import reader_below
from ..spice.reader import read_netlist
from ..storage import untrusted
from .library import assemble, section_files
from .locate import find_models, how_to_get, pdk_root
from .mismatch import mismatch_faults
from .schema import Fault, Technology, parse_technology, with_libraries

MANIFEST = "technology.toml"


def describe_folder(
    folder: Path, base: Callable[[str, Path], str], faults: Callable[[Technology], Iterable[Fault]]
) -> Technology:
    """Return a technology without the model files that come from elsewhere, which need not be there.

    Parameters
    ----------
    base : callable
        Name of the technology that this one builds on, and the path of the manifest -> the SPICE text of the former.
    faults : callable
        What else may be wrong with it.

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
    """Return a technology with its model files; the same if it needs none.

    Raises
    ------
    TechnologyError
        If they are missing, or not those that the technology was written for.
    """
    models = described.models
    if models is None:
        return described
    home = find_models(folder, models)
    if home is None:
        raise TechnologyError(how_to_get(name, models))
    read = reader_below(home, within=pdk_root(home))
    before = [text for file in models.before for text in section_files(file, "", read, name)]
    texts = {
        section: [*before, *section_files(models.lib, section, read, name)]
        for section in dict.fromkeys(models.sections.values())
    }
    return with_libraries(
        described,
        {
            corner: assemble(texts[section], described.text, models.edits, models.hoist, name)
            for corner, section in models.sections.items()
        },
    )
