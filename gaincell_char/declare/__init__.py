"""The words that the files in ``circuits/`` are written with: parameters, benches, models, figures of merit.

Python values come in; frozen declarations go out, which every later package reads.
Start with `circuit`, which contains `Circuit` and `Bench`; `parameters` contains what a parameter is.
"""
