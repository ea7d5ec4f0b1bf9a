"""signed."""
import numpy as np
from gaincell_char.circuit import Circuit, Output
from . import _converter as c
DUT="xc bl out sgn rst rstb az azb conv convb vbp vbn vpre vdd 0 signed_c2p\n"
def sign(w,p):
    t=p["t_start"]+p["t_reset"]+1.5*p["t_max"]+2*p["t_gap"]
    return 1.0 if np.interp(t,w["time"],w["v(sgn)"])>p["vdd"]/2 else -1.0
OUT=(Output(name="t_pulse", unit="s", doc="width of the output pulse at vdd/2", measure=c.pulse_width, full_scale="t_max"),
Output(name="sign", unit="1", doc="s", measure=sign))
CIRCUIT=Circuit(name="signed_c2p",title="signed",params=c.converter_params(n_units=4),
 benches=(c.transfer(DUT,OUT,lambda p: np.linspace(-0.75e-12,.75e-12,16)),c.memory(DUT,OUT,[-.6e-12,0,.6e-12],[.05e-12,.3e-12])),models=(),studies=())
