"""`python -m gateway`: the command line, where the installed `roster` is not at hand."""

import sys

from gateway.cli import main

sys.exit(main())
