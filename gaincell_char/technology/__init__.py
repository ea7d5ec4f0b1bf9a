"""A technology folder, with or without foundry files -> wrapper devices, corners and variation.

Input: ``technology.toml`` with the files that it names.  Output: a `schema.Technology`.  Start with `schema`; `library`
reads the model files of a foundry, `locate` finds them.
"""
