"""Characterize gain-cell circuits in ngspice and fit compact models that state their own error."""

__version__ = "0.1.0"
