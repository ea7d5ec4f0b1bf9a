"""draft."""
from gaincell_char.circuit import Circuit
from ._cell import *
CIRCUIT=Circuit(name="gain_cell",title="t",params=cell_params(w_n=100e-9,l_n=460e-9,w_p=120e-9,l_p=137e-9,read_flavour="rvt",v_idle=.5),benches=(dc("gain_cell"),pulse("gain_cell"),write("gain_cell"),energy("gain_cell")),models=(),studies=())
