"""Prints what the library costs, as tables: `python -m bench`, or `python -m bench input_requests` for one of them.

`python -m bench others` compares it with other libraries, and is no part of the whole, as its settings have their apps.
"""

from __future__ import annotations

import os
import platform
import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
# Measured only by themselves, under settings of their own.
OWN_SETTINGS = {"others": "bench.settings_of_others"}
# The site and its traffic are measured; they measure nothing themselves.
NOT_MEASURED = ("__main__", "report", "settings", "settings_of_others", "site", "traffic", *OWN_SETTINGS)
MEASURED = sorted(file.stem for file in HERE.glob("*.py") if file.stem not in NOT_MEASURED)


def main(names: list[str]) -> None:
    own_settings = OWN_SETTINGS.get(names[0]) if len(names) == 1 else None
    unknown = set(names) - set(MEASURED)
    if unknown and own_settings is None:
        raise SystemExit(
            f"There is no bench named {', '.join(unknown)}; there are {', '.join(MEASURED)}, and by itself"
            f" {', '.join(OWN_SETTINGS)}."
        )
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", own_settings or "bench.settings")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    print(f"Python {platform.python_version()}, Django {django.__version__}, PostgreSQL, {os.cpu_count()} cores")
    for name in names or MEASURED:
        for table in import_module(f"bench.{name}").measure():
            print(f"\n{table}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
