"""The same random tensors through ngspice and through the software model -> their differences.

What comes in is a head, its records and a technology; what goes out are errors for each column, beside the stated ones.
Start with `cases`, which says what is compared, and `simulate`.
"""
