"""The words that the files in ``circuits/`` are written with: parameters, benches, models, figures of merit.

Nothing comes in but Python values; what goes out are frozen declarations, which every later package reads.
Start with `circuit`, which contains `Circuit` and `Bench`; `parameters` contains what a parameter is.
"""
