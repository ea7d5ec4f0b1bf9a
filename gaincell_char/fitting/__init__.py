"""Table and model -> coefficients with their errors -> record.

Input: a flat table and the models of a circuit.  Output: a `record.Record`, as in ``fits/``.
Start with `fit.fit_model`; `fitted.FittedModel` evaluates a fit of a record.
"""
