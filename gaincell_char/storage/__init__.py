"""Tables, shards and other files on disk: read with limits, written whole or not at all.

What comes in is a path, or a table to write; what goes out is a checked data frame, text or a finished file.
Start with `tables`; `untrusted` contains the rules for everything that may be untrusted.
"""
