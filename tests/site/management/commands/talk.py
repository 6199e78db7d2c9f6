"""A command that does what commands do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

from django.core.management import call_command as plain_call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from security.management import call_command


class Command(BaseCommand):
    help = "Talks."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("args", metavar="deed", nargs="*")
        parser.add_argument("--secret")

    def handle(self, *deeds: str, **options: Any) -> str | None:
        for deed in deeds:
            result = getattr(self, f"do_{deed}")()
            if result is not None:
                return str(result)
        return None

    def do_print(self) -> None:
        print("printed")

    def do_write(self) -> None:
        self.stdout.write(self.style.SUCCESS("written"))
        self.stderr.write("complained")

    def do_color(self) -> None:
        self.stdout.write("\x1b[32;1mgreen\x1b[0m and plain")

    def do_return(self) -> str:
        return "returned"

    def do_progress(self) -> None:
        for percent in range(0, 101, 10):
            sys.stderr.write(f"\r{percent} %")
        sys.stderr.write("\n")

    def do_isatty(self) -> None:
        self.stdout.write(f"{sys.stdout.isatty()} {self.stdout.isatty()} {sys.stdout.fileno()} {type(sys.stdout)}")

    def do_ask(self) -> None:
        self.stdout.write(f"answered {input('Question? ')}")

    def do_bytes(self) -> None:
        sys.stdout.flush()
        sys.stdout.buffer.write(b"bytes\n")
        sys.stdout.buffer.flush()

    def do_subprocess(self) -> None:
        subprocess.run([sys.executable, "-c", "print('another program')"], check=True)

    def do_thread(self) -> None:
        thread = threading.Thread(target=print, args=("from a thread",))
        thread.start()
        thread.join()

    def do_flood(self) -> None:
        for number in range(20_000):
            self.stdout.write(f"line {number}")

    def do_fork(self) -> None:
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            print("from the child", flush=True)
            raise SystemExit(0)
        os.waitpid(pid, 0)

    def do_child_dies(self) -> None:
        pid = os.fork()
        if pid == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGTERM

    def do_nested(self) -> None:
        call_command("talk", "print", stdout=self.stdout)

    def do_plain_nested(self) -> None:
        plain_call_command("talk", "print")

    def do_command_error(self) -> None:
        raise CommandError("refused", returncode=7)

    def do_error(self) -> None:
        raise ValueError("no such thing")

    def do_exit(self) -> None:
        raise SystemExit(3)

    def do_interrupt(self) -> None:
        raise KeyboardInterrupt

    def do_wait(self) -> None:
        print("waiting", flush=True)
        while True:
            time.sleep(0.05)

    def do_handle_term(self) -> None:
        def leave(*args: Any) -> None:
            raise SystemExit(0)

        signal.signal(signal.SIGTERM, leave)
