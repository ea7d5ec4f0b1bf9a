"""Validation of the software model against ngspice, on the same tensors.

Input: an attention head, its records and a technology.  Output: the error of each column, with the error stated in the
records.  Start with `cases`, which defines the simulated columns, and `simulate`.
"""
