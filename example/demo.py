"""Starts the example shop behind a real server, sends real traffic to it, and shows what was recorded.

The site stays up until Ctrl-C; with DEMO_ONCE=1 it ends after the tables.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

HERE = Path(__file__).resolve().parent
USER, PASSWORD = "demo", "demo-password"
WRONG_PASSWORD, FORM_SECRET, CLIENT_TOKEN, BANK_PASSWORD = (
    "wrong-password",
    "s3cret-of-a-form",
    "bearer-of-a-client",
    "password-of-the-bank",
)
# What is sent to the shop, what it sends to its bank, and what it answers
SECRETS = (
    *(PASSWORD, WRONG_PASSWORD, FORM_SECRET, CLIENT_TOKEN, BANK_PASSWORD),
    *("key-of-the-shop", "4111 1111 1111 1111", "a-token-for-the-customer"),
)
SEARCHES = 5
SHOWN = ("queries", "request_headers", "request_body", "response_code", "response_body")
SECONDS_TO_START = 60
WIDTH_OF_ALL_COLUMNS = 105
COLORS = {"INFO": "green", "SUCCEEDED": "green", "WARNING": "yellow", "THROTTLED": "magenta", "ERROR": "red"}

console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="shop-") as directory:
        os.environ |= {"DJANGO_SETTINGS_MODULE": "shop.settings", "SHOP_DATABASE": str(Path(directory, "shop.sqlite3"))}
        sys.path.insert(0, str(HERE))
        port = free_port()
        site = f"http://127.0.0.1:{port}"
        # The shop is its own bank.
        os.environ["SHOP_BANK"] = f"{site}/bank"
        prepare()
        with running_site(port, Path(directory, "server.log")):
            send_traffic(site)
            run_command()
            show()
            if os.environ.get("DEMO_ONCE") != "1":
                console.print(f"\nThe site is at [bold]{site}/[/], its log at [bold]{site}/admin/security_sql/[/]")
                console.print(f"Log in as [bold]{USER}[/] with the password [bold]{PASSWORD}[/].")
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
            # The first answer waits for the shop to be imported: seconds, where the machine is busy.
            requests.get(f"http://127.0.0.1:{port}/health/", timeout=SECONDS_TO_START)
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
    api.headers["Authorization"] = f"Bearer {CLIENT_TOKEN}"
    api.get(f"{site}/")
    for article, amount in (("lamp", 2), ("chair", 4)):
        api.post(f"{site}/api/orders/", json={"customer": "Ann", "article": article, "amount": amount})
    api.get(f"{site}/api/orders/1/", params={"fields": ["article", "amount"], "access_token": FORM_SECRET})
    api.get(f"{site}/api/orders/1/price/")
    rows = "customer,article,amount\nBen,table,1\nEva,clock,3\n"
    api.post(f"{site}/import/", files={"orders": ("orders.csv", rows, "text/csv")}, data={"password": FORM_SECRET})
    api.post(f"{site}/note/", data="what a patient told", headers={"Content-Type": "text/csv"})
    api.get(f"{site}/checkout/")
    api.get(f"{site}/nowhere/")
    api.get(f"{site}/", headers={"Host": "evil.example"})
    for _ in range(SEARCHES):
        api.get(f"{site}/api/search/", params={"article": "lamp"})
    log_in(requests.Session(), site, WRONG_PASSWORD)
    visitor = requests.Session()
    log_in(visitor, site, PASSWORD)
    visitor.get(f"{site}/account/")


def log_in(visitor: requests.Session, site: str, password: str) -> None:
    page = visitor.get(f"{site}/accounts/login/").text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token is not None
    fields = {"username": USER, "password": password, "csrfmiddlewaretoken": token[1]}
    visitor.post(f"{site}/accounts/login/", data=fields)


def run_command() -> None:
    command = [sys.executable, "manage.py", "show_rates", "--user", "shop", "--password", BANK_PASSWORD]
    subprocess.run(command, cwd=HERE, check=True, stdout=subprocess.DEVNULL)


def show() -> None:
    """Print what was recorded, as support staff would look for it."""
    from shop.models import Order

    from security.backends.reader import get_logs_related_with_object
    from security.backends.sql.models import LOG_MODELS, CommandLog, InputRequestLog
    from security.enums import LoggerName

    logs = list(InputRequestLog.objects.order_by("id"))
    show_requests(logs)
    show_one("A form with a password", next(log for log in logs if log.view_slug == "login" and log.request_body))
    show_one("A JSON request, and a token in the response", next(log for log in logs if log.slug == "order-created"))
    throttled = next(log for log in logs if log.state.name == "THROTTLED")
    show_one("A client who searches too often", throttled, ("path", "response_code", "response_headers"))
    failed = next(log for log in logs if log.view_slug == "checkout")
    show_one("An error", failed, ("path", "response_code", "error_message"))
    command = CommandLog.objects.get()
    show_one("A command with a password", command, ("name", "input", "output", "state"))
    heading("What did each of these lead to?")
    for log in (next(log for log in logs if log.view_slug == "price"), failed, command):
        console.print(tree_of(log))
    lamp = Order.objects.get(article="lamp")
    heading(f"What happened to {lamp}?")
    for log in get_logs_related_with_object("input-request", lamp):
        console.print(f"{log.start:%H:%M:%S}", sentence(log))
    check_secrets([log for kind in LoggerName for log in LOG_MODELS[kind].objects.all()])


def check_secrets(logs: list[Any]) -> None:
    """End with an error where a secret is stored: a demo that shows a leak as a success would be worse than none."""
    stored = "\n".join(repr(vars(log)) for log in logs)
    if leaked := [secret for secret in SECRETS if secret in stored]:
        raise SystemExit(f"Stored although secret: {', '.join(leaked)}")
    counts = Counter(type(log)._meta.verbose_name for log in logs)
    recorded = ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in counts.items())
    console.print(f"\nRecorded: {recorded}. None of the {len(SECRETS)} secrets that were sent is stored.")


def heading(text: str) -> None:
    console.print(f"\n[bold]{escape(text)}[/]")


def show_requests(logs: list[Any]) -> None:
    heading("Input requests")
    table = Table(header_style="dim")
    columns = {"code": "response_code", "method": "method", "path": "path"}
    columns |= {"view": "view_slug", "user": "user_id", "ip": "ip"}
    if console.width < WIDTH_OF_ALL_COLUMNS:
        del columns["view"], columns["ip"]
    for name in ("start", "state", *columns):
        table.add_column(name, overflow="fold", no_wrap=name != "path")
    table.add_column("ms", justify="right", no_wrap=True)
    for log in logs:
        cells = (getattr(log, field) for field in columns.values())
        shown = ("-" if cell is None else Text(str(cell)) for cell in cells)
        table.add_row(f"{log.start:%H:%M:%S}", state_of(log), *shown, f"{1000 * log.time:.1f}")
    console.print(table)


def state_of(log: Any) -> Text:
    return Text(log.state.name, style=COLORS.get(log.state.name, ""))


def show_one(title: str, log: Any, names: tuple[str, ...] = SHOWN) -> None:
    table = Table(show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name in names:
        value = getattr(log, name)
        if isinstance(value, dict):
            value = "\n".join(f"{key}: {item}" for key, item in value.items())
        elif name == "error_message":
            value = "…\n" + "\n".join(value.splitlines()[-3:])
        if value not in (None, ""):
            table.add_row(name.replace("_", " "), state_of(log) if name == "state" else Text(str(value).rstrip()))
    heading(title)
    console.print(table)


def tree_of(log: Any, tree: Tree | None = None) -> Tree:
    """Make a tree of a log and all that began during it."""
    from security.backends.sql.models import LOG_MODELS

    branch = Tree(sentence(log)) if tree is None else tree.add(sentence(log))
    for model in LOG_MODELS.values():
        for child in model.objects.children_of(log).order_by("id"):
            tree_of(child, branch)
    return branch


def sentence(log: Any) -> Text:
    """Say in one line what a log is about."""
    text = Text(f"{log._meta.verbose_name} ", style="dim")
    if hasattr(log, "method"):
        text.append(f"{log.method} {log.host}{log.path} {log.response_code} ", style="default")
    else:
        text.append(f"{log.name} ", style="default")
    return text.append_text(state_of(log))


def wait() -> None:
    """Wait for Ctrl-C, or for being told to end."""
    signal.signal(signal.SIGTERM, lambda *received: sys.exit(0))
    try:
        signal.pause()
    except KeyboardInterrupt:
        console.print()


if __name__ == "__main__":
    main()
