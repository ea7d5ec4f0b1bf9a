"""Tables, shards and other files on disk: read with limits, written completely or not at all.

Input: a path, or a table to write.  Output: a checked data frame, text or a finished file.  Start with `tables`;
`untrusted` contains the rules for files from untrusted sources.
"""
