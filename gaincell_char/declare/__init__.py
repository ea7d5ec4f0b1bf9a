"""Declarations of circuits, as in ``circuits/``: parameters, benches, models, figures of merit.

Input: Python values.  Output: frozen declarations, which all other packages read.
Start with `circuit`, which contains `Circuit`; `bench` contains `Bench`, and `parameters` the kinds of parameters.
"""
