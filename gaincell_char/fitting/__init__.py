"""Table and model -> coefficients with their errors -> record.

What comes in is a flat table and the models of a circuit; what goes out is a `record.Record`, as ``fits/`` contains.
Start with `fit.fit_model`; `fitted.FittedModel` evaluates what a record contains.
"""
