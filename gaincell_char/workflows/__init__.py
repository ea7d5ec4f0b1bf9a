"""What a command does, whole: the main job, checks of a technology, fits of tables, model files from a package.

What comes in are plans, folders and names; what goes out are results that a report or a command line shows.
Start with `characterize_all`, which is ``gaincell run``.
"""
