"""Error classes of this package.

GaincellError          exit status 1
  RequestError         the request cannot be done; exit status 2
    ParameterError     a name is unknown or a value is outside its valid range
    NetlistError       a netlist is incomplete, unsafe, or contradicts its circuit
    TechnologyError    a technology folder is incomplete or contradicts itself
    DataError          a table or record cannot be read, or is incomplete for a model
    ExportError        an export format is unknown, or cannot express the model
  NgspiceMissingError  the ngspice library is not installed
  TorchMissingError    PyTorch is not installed
  SimulationError      the simulation failed; contains deck and log
  FitError             the fit has no usable result
  StorageError         a result cannot be written
"""


class GaincellError(Exception):
    """Base class of all errors of this package."""

    exit_status = 1


class RequestError(GaincellError, ValueError):
    """The request cannot be done; the message states what would be right."""

    exit_status = 2


class ParameterError(RequestError):
    """A name is unknown, or a value is outside its valid range."""


class NetlistError(RequestError):
    """A netlist is incomplete, unsafe, or contradicts its circuit."""


class TechnologyError(RequestError):
    """A technology folder is incomplete or contradicts itself."""


class DataError(RequestError):
    """A table or record cannot be read, or is incomplete for a model."""


class ExportError(RequestError):
    """An export format is unknown, or cannot express the model; the message states what would be lost."""


class NgspiceMissingError(GaincellError):
    """The ngspice shared library is not found."""


class SimulationError(GaincellError, RuntimeError):
    """A simulation failed.

    Attributes
    ----------
    deck : str
        The complete deck, which can be run with ``ngspice -b``.
    log : str
        Output of ngspice.
    """

    def __init__(self, message: str, *, deck: str, log: str) -> None:
        super().__init__(message)
        self.deck = deck
        self.log = log


class FitError(GaincellError, RuntimeError):
    """The fit did not converge, or its coefficients are not determined by the data."""


class StorageError(GaincellError, OSError):
    """A result cannot be written."""


class TorchMissingError(GaincellError, ImportError):
    """PyTorch is not installed."""
