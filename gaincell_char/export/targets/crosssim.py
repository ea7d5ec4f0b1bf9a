"""A device class for CrossSim 3.2 and later, and the JSON it reads.

CrossSim finds devices by the name of their class among the subclasses of its own, so the file has to be imported
before a core is made.
"""

import json
from collections.abc import Mapping

from .. import device_data
from ..escape import docstring
from ..target import Request, Target

_CLASS = '''"""A gain cell as a device of CrossSim: import this file, then name GainCell as the model of its errors.

State 0 to 1 (the range of normalised conductances) is the stored voltage from low to high; the input, 0 to 1, is the
pulse as a fraction of the longest, or the level of the word line.  Currents are fractions of the largest.

The current is a curve of the state and not 0 at state 0, so a weight is the difference of two cells: use BalancedCore
with one-sided mapping.  There a product W x comes out as SCALE * (W x) if the matrix that is set is to_write(W):

    core = AnalogCore(to_write(W), params)
    y = core @ x / SCALE

OffsetCore takes the curve for a straight line and is refused.
"""

import json
from pathlib import Path

import numpy
from simulator.backend import ComputeBackend
from simulator.devices.idevice import EmptyDevice

np = ComputeBackend()  # NumPy or CuPy
DATA = json.loads(Path(__file__).with_suffix(".json").read_text())


def model(@ARGUMENTS@):
    """@EQUATION@"""
    c = DATA["coefficients"]
    return @FORMULA@


_CURVE = numpy.asarray(DATA["curve"])  # at full drive, in equal steps of the state
SCALE = float(_CURVE[-1] - _CURVE[0])
"""What a weight of 1 comes to, in units of the largest current of one cell."""


def to_write(weights):
    """Matrix to set so that the differences of cells are proportional to these weights, -1 to 1; NumPy."""
    share = numpy.interp(abs(weights), (_CURVE - _CURVE[0]) / SCALE, numpy.linspace(0.0, 1.0, _CURVE.size))
    return numpy.sign(weights) * share


class GainCell(EmptyDevice):
    """One gain cell: curve, spread and decay are those of the record that the JSON names."""

    def __init__(self, device_params, weight_error_params):
        """Refuse a core that takes the curve for a straight line."""
        super().__init__(device_params, weight_error_params)
        core = device_params.root.core if "core" in dir(device_params.root) else None
        if core is not None and core.style.name == "OFFSET":
            raise ValueError("a gain cell is a curve, not a conductance; use core.style = BALANCED and divide by SCALE")

    def v_store(self, state):
        """Stored voltage [V] of a state."""
        share = (state - self.Gmin_norm) / self.Grange_norm
        return DATA["low"] + (DATA["high"] - DATA["low"]) * share

    def state(self, v_store):
        """State of a stored voltage [V]."""
        share = (v_store - DATA["low"]) / (DATA["high"] - DATA["low"])
        return self.Gmin_norm + self.Grange_norm * share

    def output(self, v_store, drive):
        """Current or charge of cells, as a fraction of the largest."""
        if not DATA["drive"]:
            return drive * model(v_store) / DATA["full"]
        low, high = DATA["drive"][0]
        if DATA["unit"] == "C":  # no pulse moves no charge, its edges included
            return (drive != 0) * model(v_store, drive * high) / DATA["full"]
        return model(v_store, low + drive * (high - low)) / DATA["full"]

    def nonlinear_current(self, Gmat, Vmat):
        """Current of every cell."""
        extra = Vmat.ndim - Gmat.ndim
        return self.output(self.v_store(Gmat)[(..., *(None,) * extra)], Vmat)

    def nonlinear_current_sum(self, Gmat, Vterm):
        """Sums over the cells of every row of Gmat."""
        extra = Vterm.ndim - 1
        return self.output(self.v_store(Gmat)[(..., *(None,) * extra)], Vterm[None]).sum(axis=1)

    def read_noise(self, input_):
        """The record states none."""
        return input_

    def programming_error(self, input_):
        """Spread of cells, as that of the stored voltage which gives the same spread of the current."""
        v, step = self.v_store(input_), 1e-4 * (DATA["high"] - DATA["low"])
        slope = (self.output(v + step, np.ones(v.shape)) - self.output(v - step, np.ones(v.shape))) / (2 * step)
        sigma = np.interp(v, np.asarray(DATA["sigma"]["at"]), np.asarray(DATA["sigma"]["relative"])) / np.abs(slope)
        return self.state(v + sigma * np.random.normal(size=v.shape))

    def drift_error(self, input_, time):
        """State after a time [s]: one exponential towards v_ref, as the published model has it.

        A core asks for this alone when its time is not 0, and expects the spread of cells in it.
        """
        state = self.state(DATA["v_ref"] + (self.v_store(input_) - DATA["v_ref"]) * np.exp(-time / DATA["tau"]))
        programming = self.device_params.programming_error
        spreads = programming.enable and programming.model == type(self).__name__
        return self.programming_error(state) if spreads else state
'''


def _files(request: Request) -> Mapping[str, str]:
    arguments, body = device_data.formula(request)
    head = "".join(f"# {line}\n" for line in request.notes(device_data.LOST))
    text = _CLASS.replace("@ARGUMENTS@", arguments).replace("@FORMULA@", body)
    return {
        "gaincell_crosssim.py": head + text.replace("@EQUATION@", docstring(request.chosen()[0].equation)),
        "gaincell_crosssim.json": json.dumps(device_data.numbers(request), indent=1) + "\n",
    }


TARGET = Target(
    name="crosssim",
    doc="a device class with curve, spread and decay, and its JSON",
    refuses=device_data.refuses,
    files=_files,
    needs_others=True,
)
