from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from security import requests


class Command(BaseCommand):
    help = "Shows today's rates of the bank."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", required=True)
        parser.add_argument("--password", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        credentials = (options["user"], options["password"])
        answer = requests.get(f"{settings.SHOP_BANK}/rates/", auth=credentials, slug="rates", timeout=10)
        answer.raise_for_status()
        for currency, rate in answer.json().items():
            self.stdout.write(f"1 EUR is {rate} {currency}")
