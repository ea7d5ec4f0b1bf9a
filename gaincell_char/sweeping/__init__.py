"""Circuit, bench and conditions -> points of a grid -> a dataset.

Input: a declaration, a technology and a request.  Output: an `xarray.Dataset` with the reason of every failed point.
Start with `plan.make_plan` and `run.characterize`.
"""
