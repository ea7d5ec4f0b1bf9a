"""Complete work flows: the functions of the public interface, the main job, checks of a technology, model files.

Input: names, values, tables and folders.  Output: results for a report or the command line.  Start with `sweep_verb`,
the shortest function of the public interface, then `fit_table` and `characterize_all`.
"""
