"""IOParameters and a noise model for aihwkit, and the JSON they read."""

import json
from collections.abc import Mapping

from .. import device_data
from ..escape import docstring
from ..target import Request, Target

_CLASS = '''"""A gain cell in aihwkit: rpu_config = configuration("scores") for an AnalogLinear.

Weight -1 to 1 is the stored voltage from low to high; the output is in units of the largest current of one cell.

A network that was converted with this returns other numbers than before, and says nothing: every weight goes through
the curve of the cell, the output is limited to what the converter takes, and no scale is applied.  Learn the output
scales (mapping.learn_out_scaling = True) or train the converted network before its accuracy is compared.
"""

import json
from pathlib import Path

import numpy as np
from aihwkit.inference.noise.base import BaseNoiseModel
from aihwkit.simulator.configs import IOParameters, TorchInferenceRPUConfig
from aihwkit.simulator.parameters.enums import BoundManagementType, NoiseManagementType
from torch import from_numpy, randn_like

DATA = json.loads(Path(__file__).with_suffix(".json").read_text())


def model(@ARGUMENTS@):
    """@EQUATION@"""
    c = DATA["coefficients"]
    return @FORMULA@


def curve(weights):
    """Output of cells with these weights at full drive, as a fraction of the largest; NumPy."""
    v = (DATA["low"] + DATA["high"]) / 2 + (DATA["high"] - DATA["low"]) / 2 * weights
    return model(v, *(np.full_like(v, high) for _, high in DATA["drive"])) / DATA["full"]


class GainCellNoise(BaseNoiseModel):
    """The cell's curve and spread when written, and one exponential towards v_ref as its drift."""

    def apply_programming_noise(self, weights):
        """What the cells give, each with its own deviation, and what was written into them."""
        v = (DATA["low"] + DATA["high"]) / 2 + (DATA["high"] - DATA["low"]) / 2 * weights.cpu().numpy()
        sigma = np.interp(v, DATA["sigma"]["at"], DATA["sigma"]["relative"])
        deviation = randn_like(weights) * from_numpy(sigma).to(weights)
        return self._given(weights) + deviation, [weights.clone(), deviation]

    def apply_drift_noise(self, weights, drift_noise_parameters, t_inference):
        """What the same cells give after a time [s]."""
        written, deviation = drift_noise_parameters
        middle, half = (DATA["low"] + DATA["high"]) / 2, (DATA["high"] - DATA["low"]) / 2
        rest = (DATA["v_ref"] - middle) / half
        return self._given(rest + (written - rest) * float(np.exp(-t_inference / DATA["tau"]))) + deviation

    def apply_noise(self, weights, t_inference):
        """Both at once."""
        programmed, parameters = self.apply_programming_noise(weights)
        return self.apply_drift_noise(programmed, parameters, t_inference)

    @staticmethod
    def _given(weights):
        return from_numpy(curve(weights.detach().cpu().double().numpy())).to(weights)


def io_parameters(operation):
    """Levels and limits: ``operation`` is one of the JSON's limits; a limit is a number of cells at full current."""
    limit, levels = DATA["limit"][operation], DATA["levels"]
    return IOParameters(
        inp_bound=1.0, inp_res=1 / (levels["input"] - 1), out_bound=limit, out_res=1 / (levels["output"] - 1),
        out_noise=0.0, w_noise=0.0, bound_management=BoundManagementType.NONE,
        noise_management=NoiseManagementType.NONE,
    )


def configuration(operation):
    """A configuration for inference with both."""
    config = TorchInferenceRPUConfig(
        forward=io_parameters(operation), noise_model=GainCellNoise(), drift_compensation=None
    )
    config.mapping.weight_scaling_omega = 0.0
    return config
'''


def _files(request: Request) -> Mapping[str, str]:
    arguments, body = device_data.formula(request)
    head = "".join(f"# {line}\n" for line in request.notes(_LOST))
    text = _CLASS.replace("@ARGUMENTS@", arguments).replace("@FORMULA@", body)
    return {
        "gaincell_aihwkit.py": head + text.replace("@EQUATION@", docstring(request.chosen()[0].equation)),
        "gaincell_aihwkit.json": json.dumps(device_data.numbers(request), indent=1) + "\n",
    }


_LOST = f"{device_data.LOST}; the dependence on drive, which aihwkit takes as linear"
TARGET = Target(
    name="aihwkit",
    doc="IOParameters, a noise model with curve, spread and decay, and their JSON",
    refuses=device_data.refuses,
    files=_files,
    needs_others=True,
)
