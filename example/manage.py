#!/usr/bin/env python
"""Django's command-line utility for the example shop; its commands are recorded."""

import os
import sys

from security.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    execute_from_command_line(sys.argv)
