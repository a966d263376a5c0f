"""`python -m toykit`: the command line, also from a folder in which nothing is installed yet."""

import sys

from .cli import main

sys.exit(main())
