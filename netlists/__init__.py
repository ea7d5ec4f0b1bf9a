"""SPICE subcircuits, one file per circuit; ``tech/`` holds one folder per technology."""
