"""`python -m flows.issues` writes docs/issues.md to the standard output."""

import sys

from flows.issues import KINDS
from flows.issues.base.page import page

if __name__ == "__main__":
    sys.stdout.write(page(KINDS))
