"""ReLU."""
import numpy as np
from gaincell_char.circuit import Circuit, Output
from . import _converter as c
DUT="xc bl out rst rstb az azb conv vbp vpre vdd 0 relu_c2p\n"
OUT=(Output(name="t_pulse", unit="s", doc="width of the output pulse at vdd/2", measure=c.pulse_width, full_scale="t_max"),)
CIRCUIT=Circuit(name="relu_c2p",title="ReLU",params=c.converter_params(n_units=8),
 benches=(c.transfer(DUT,OUT,lambda p: np.linspace(-0.2e-12,1.4e-12,17)),c.memory(DUT,OUT,[-.2e-12,0,.6e-12,1.2e-12],[.05e-12,.6e-12])),models=(),studies=())
