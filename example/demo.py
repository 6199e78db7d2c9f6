"""Starts the example shop behind a real server, sends real traffic to it, and shows what was recorded.

The site stays up until Ctrl-C; with DEMO_ONCE=1 it ends after the tables.
"""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from rich.console import Console
from rich.table import Table
from rich.text import Text

HERE = Path(__file__).resolve().parent
USER, PASSWORD = "demo", "demo-password"
SECRETS = (PASSWORD, "wrong-password", "s3cret-of-a-form", "bearer-of-a-client")
SECONDS_TO_START = 20
COLORS = {"INFO": "green", "WARNING": "yellow", "ERROR": "red"}

console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="shop-") as directory:
        os.environ |= {"DJANGO_SETTINGS_MODULE": "shop.settings", "SHOP_DATABASE": str(Path(directory, "shop.sqlite3"))}
        sys.path.insert(0, str(HERE))
        prepare()
        port = free_port()
        with running_site(port, Path(directory, "server.log")):
            site = f"http://127.0.0.1:{port}"
            send_traffic(site)
            show()
            console.print(f"\nThe site is at [bold]{site}/[/], its log at [bold]{site}/admin/security_sql/[/]")
            console.print(f"Log in as [bold]{USER}[/] with the password [bold]{PASSWORD}[/].")
            if os.environ.get("DEMO_ONCE") != "1":
                console.print("Ctrl-C ends it.")
                wait()


def prepare() -> None:
    """Make the database, and somebody who may log in."""
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command

    console.print("Making a database ...")
    call_command("migrate", verbosity=0)
    User.objects.create_superuser(USER, password=PASSWORD)


def free_port() -> int:
    """Give port 8000, or any that is free."""
    for port in (8000, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise RuntimeError("No port is free on 127.0.0.1.")


@contextmanager
def running_site(port: int, log: Path) -> Iterator[None]:
    """Run the shop behind gunicorn until the block ends."""
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "4", "shop.wsgi"]
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=HERE, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until_it_answers(server, port, log)
        yield
    finally:
        server.terminate()
        server.wait()


def wait_until_it_answers(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            requests.get(f"http://127.0.0.1:{port}/health/", timeout=5)
        except requests.ConnectionError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server did not start:\n{log.read_text()}") from None
            time.sleep(0.05)
        else:
            return


def send_traffic(site: str) -> None:
    """Do what the visitors of a shop do, and some who are not welcome."""
    console.print(f"Sending requests to {site} ...")
    api = requests.Session()
    api.headers["Authorization"] = "Bearer bearer-of-a-client"
    api.get(f"{site}/")
    for article, amount in (("lamp", 2), ("chair", 4)):
        api.post(f"{site}/api/orders/", json={"customer": "Ann", "article": article, "amount": amount})
    api.get(f"{site}/api/orders/1/", params={"fields": ["article", "amount"], "access_token": "s3cret-of-a-form"})
    rows = "customer,article,amount\nBen,table,1\nEva,clock,3\n"
    api.post(f"{site}/import/", files={"orders": ("orders.csv", rows, "text/csv")}, data={"password": SECRETS[2]})
    api.post(f"{site}/note/", data="what a patient told", headers={"Content-Type": "text/csv"})
    api.get(f"{site}/checkout/")
    api.get(f"{site}/nowhere/")
    api.get(f"{site}/", headers={"Host": "evil.example"})
    log_in(requests.Session(), site, "wrong-password")
    visitor = requests.Session()
    log_in(visitor, site, PASSWORD)
    visitor.get(f"{site}/account/")


def log_in(visitor: requests.Session, site: str, password: str) -> None:
    page = visitor.get(f"{site}/accounts/login/").text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token is not None
    fields = {"username": USER, "password": password, "csrfmiddlewaretoken": token[1]}
    visitor.post(f"{site}/accounts/login/", data=fields)


def show() -> None:
    """Print what was recorded, as support staff would look for it."""
    from shop.models import Order

    from security.backends.reader import get_logs_related_with_object
    from security.backends.sql.models import InputRequestLog

    logs = list(InputRequestLog.objects.order_by("id"))
    console.print(requests_table(logs))
    show_one("A form with a password", next(log for log in logs if log.view_slug == "login" and log.request_body))
    show_one("A JSON request", next(log for log in logs if log.slug == "order-created"))
    show_one("An error", next(log for log in logs if log.state.name == "ERROR"))
    lamp = Order.objects.get(article="lamp")
    related = get_logs_related_with_object("input-request", lamp)
    console.print(f"\nWhat happened to [bold]{lamp}[/]?")
    for log in related:
        console.print(f"  {log.start:%H:%M:%S}  {log.method} {log.path}  {log.response_code}", style="cyan")
    # A demo that shows a leak as a success would be worse than none.
    stored = io.StringIO()
    for log in logs:
        stored.write(repr(vars(log)))
    leaked = [secret for secret in SECRETS if secret in stored.getvalue()]
    if leaked:
        raise SystemExit(f"Stored although secret: {', '.join(leaked)}")
    console.print(f"\n{len(logs)} requests are recorded; none of the {len(SECRETS)} secrets that were sent is stored.")


def requests_table(logs: list[object]) -> Table:
    table = Table(title="Input requests", title_justify="left", title_style="bold", header_style="dim")
    for heading in ("start", "state", "code", "method", "path", "view", "user", "ip"):
        table.add_column(heading, overflow="fold")
    table.add_column("ms", justify="right")
    for log in logs:
        state = Text(log.state.name, style=COLORS.get(log.state.name, ""))
        cells = (log.response_code, log.method, log.path, log.view_slug, log.user_id, log.ip)
        shown = ("-" if cell is None else Text(str(cell)) for cell in cells)
        table.add_row(f"{log.start:%H:%M:%S}", state, *shown, f"{1000 * log.time:.1f}")
    return table


def show_one(title: str, log: object) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name in ("queries", "request_headers", "request_body", "response_code", "response_body", "error_message"):
        value = getattr(log, name)
        if isinstance(value, dict):
            value = "\n".join(f"{key}: {item}" for key, item in value.items())
        if name == "error_message" and value:
            value = "…\n" + "\n".join(value.splitlines()[-3:])
        if value not in (None, ""):
            table.add_row(name.replace("_", " "), Text(str(value)))
    console.print()
    console.print(table)


def wait() -> None:
    """Wait for Ctrl-C, or for being told to end."""
    signal.signal(signal.SIGTERM, lambda *received: sys.exit(0))
    try:
        signal.pause()
    except KeyboardInterrupt:
        console.print()


if __name__ == "__main__":
    main()
