"""Compressed constants of a program, read as toykit's own objects."""
