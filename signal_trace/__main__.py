"""``python -m signal_trace``."""

import sys

from signal_trace.cli.alone import main

if __name__ == "__main__":
    sys.exit(main())
