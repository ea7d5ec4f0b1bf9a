"""Everything this package raises on purpose.

GaincellError              exit status 1
  RequestError         what was asked for cannot be done; exit status 2
    ParameterError     a name is unknown or a value outside its declared range
    NetlistError       a netlist is incomplete, unsafe, or disagrees with its circuit
    TechnologyError    a technology folder is incomplete or contradicts itself
    DataError          a table or record cannot be read, or does not hold what a model needs
  NgspiceMissingError  the ngspice library is not installed
  TorchMissingError    PyTorch is not installed
  SimulationError      ngspice did not produce the result; carries the deck and the log
  FitError             the optimiser did not reach a usable answer
  StorageError         a result could not be written
"""


class GaincellError(Exception):
    """Base class: ``except GaincellError`` catches every expected failure."""

    exit_status = 1


class RequestError(GaincellError, ValueError):
    """What was asked for cannot be done; the message says what would be right."""

    exit_status = 2


class ParameterError(RequestError):
    """A name is unknown, or a value is outside its declared range."""


class NetlistError(RequestError):
    """A netlist is incomplete, unsafe, or disagrees with the circuit that owns it."""


class TechnologyError(RequestError):
    """A technology folder is incomplete or contradicts itself."""


class DataError(RequestError):
    """A table or record cannot be read, or does not hold what a model needs."""


class ExportError(RequestError):
    """An export format is unknown, or cannot express the model; the message says what would be lost."""


class NgspiceMissingError(GaincellError):
    """The ngspice shared library is not installed where it can be found."""


class SimulationError(GaincellError, RuntimeError):
    """Ngspice failed.

    Attributes
    ----------
    deck : str
        The deck that failed, complete and runnable by hand.
    log : str
        What ngspice wrote.
    """

    def __init__(self, message: str, *, deck: str, log: str) -> None:
        super().__init__(message)
        self.deck = deck
        self.log = log


class FitError(GaincellError, RuntimeError):
    """The fit did not converge, or its coefficients are not determined by the data."""


class StorageError(GaincellError, OSError):
    """A result could not be written."""


class TorchMissingError(GaincellError, ImportError):
    """PyTorch is not installed."""
