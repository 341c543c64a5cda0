"""`python -m ganglion` is `ganglion`."""

import sys

from ganglion.cli import main

if __name__ == "__main__":
    sys.exit(main())
