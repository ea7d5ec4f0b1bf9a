"""SPICE subcircuits, one file per circuit; ``tech/`` contains one folder per technology."""
