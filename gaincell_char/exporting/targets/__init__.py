"""Formats a record can be exported to, one file each."""
