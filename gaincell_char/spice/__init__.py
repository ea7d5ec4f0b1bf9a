"""SPICE text -> deck -> simulator -> waveforms -> numbers.

Input: netlist text and the parameter values of a simulation.  Output: vectors, or the reason of a failure.  Start with
`reader`, which reads netlists, `deck`, which assembles decks, and `pool`, which simulates them.
"""
