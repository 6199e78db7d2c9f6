"""Prints what the library costs, as tables: `python -m bench`, or `python -m bench input_requests` for one of them."""

from __future__ import annotations

import os
import platform
import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
# The site and its traffic are measured; they measure nothing themselves.
MEASURED = sorted(
    file.stem for file in HERE.glob("*.py") if file.stem not in ("__main__", "report", "settings", "site", "traffic")
)


def main(names: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    unknown = set(names) - set(MEASURED)
    if unknown:
        raise SystemExit(f"There is no bench named {', '.join(unknown)}; there are {', '.join(MEASURED)}.")
    print(f"Python {platform.python_version()}, Django {django.__version__}, PostgreSQL, {os.cpu_count()} cores")
    for name in names or MEASURED:
        for table in import_module(f"bench.{name}").measure():
            print(f"\n{table}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
