"""The tools behind the Makefile, each a module: `python -m book._tools.verify_outputs`, from the folder of the book.

They are no part of toykit and are never installed. `check_python`, `install` and `clean` run before there is a
.venv, or without it: they import nothing but the standard library, and neither does this file.
"""
