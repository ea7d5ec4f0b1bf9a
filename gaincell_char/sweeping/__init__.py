"""Circuit, bench and conditions -> points of a grid -> a dataset.

What comes in is a declaration, a technology and a request; what goes out is an `xarray.Dataset` with a row of reasons
for every point that failed.  Start with `plan.make_plan` and `run.characterize`.
"""
