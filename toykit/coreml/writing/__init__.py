"""Packages, written: the forms of compressed constants, the file, and a place that is never overwritten."""
