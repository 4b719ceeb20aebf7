#!/usr/bin/env python
"""The door to every command: `python manage.py help` lists them."""

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    """A reader that has seen enough, like `head`, ends the command without a word."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatflow.settings")
    try:
        try:
            execute_from_command_line(sys.argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what Python writes at its end
        sys.exit(1)


if __name__ == "__main__":
    main()
