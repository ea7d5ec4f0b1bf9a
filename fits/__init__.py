"""Fitted records, ``<technology>/<circuit>.<bench>.json``: written by ``gaincell run``, never typed."""
