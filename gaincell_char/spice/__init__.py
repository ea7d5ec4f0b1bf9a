"""SPICE text -> deck -> simulator -> waveforms -> numbers.

What comes in is the text of a netlist and the numbers of a run; what goes out are vectors, or the reason for none.
Start with `reader`, which reads netlists, `deck`, which puts decks together, and `pool`, which runs them.
"""
