"""A folder, or a foundry's files -> wrapper devices, corners and spreads.

What comes in is ``technology.toml`` with the files that it names; what goes out is a `schema.Technology`.
Start with `schema`; `library` reads a foundry's model files, `locate` finds them.
"""
