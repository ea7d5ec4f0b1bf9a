"""How large should the storage capacitor be?  Kick of the word line and retention against c_store.

    python examples/choose_capacitor.py

Two benches, one sweep of a parameter that neither sweeps by default, a table at the end.
"""

import numpy as np

import gaincell_char as gc

C_STORE = [2e-15, 5e-15, 10e-15, 20e-15]
HALF_LSB = 0.9 / 7 / 2  # of eight levels on 0.9 V


def main() -> None:
    """Simulate and print."""
    with gc.Pool() as pool:
        pulses = gc.plan_bench("gain_cell", "pulse", sweep={"c_store": C_STORE}, set_={"t_pulse": 15e-9})
        kick = np.abs(gc.characterize(pulses, pool=pool).dataset.dv_store).max("v_store").squeeze()
        idle = gc.plan_bench("capacitor_decay", "decay", sweep={"c_store": C_STORE, "v_wbl": ["vdd/2"]})
        decay = gc.characterize(idle, pool=pool).dataset.v_store
    moved = np.abs(decay - decay.v_init).max("v_init").squeeze()
    print("c_store [fF]   kick [mV]   half an LSB lost after [us]")
    for c_store in C_STORE:
        lost = np.interp(HALF_LSB, moved.sel(c_store=c_store), decay.time)
        print(f"{c_store * 1e15:12.0f} {1e3 * float(kick.sel(c_store=c_store)):11.1f} {1e6 * lost:15.0f}")


if __name__ == "__main__":
    main()
