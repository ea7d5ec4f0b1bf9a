"""What a command does, whole: the verbs of Python, the main job, checks of a technology, model files from a package.

What comes in are names, values, tables and folders; what goes out are results that a report or a command line shows.
Start with `sweep_verb`, the shortest of the verbs, then `fit_table` and `characterize_all`.
"""
