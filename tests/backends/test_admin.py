"""The pages of the logs in the admin: what they show, that nothing stored becomes HTML, and what they cost."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from security.backends.sql.models import (
    LOG_MODELS,
    CeleryTaskInvocationLog,
    CeleryTaskRunLog,
    CommandLog,
    InputRequestLog,
    Log,
    OutputRequestLog,
    RelatedObject,
)
from security.enums import RequestLogState
from security.ids import first_id_at

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, 13, 3, 7, 654321, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    """Look at the pages in one language, whichever another test has left."""
    with override("en"):
        yield


@pytest.fixture(autouse=True)
def no_other_logs(settings: Any) -> None:
    """Leave the requests for the admin's own pages out of them."""
    settings.SECURITY_BACKEND_WRITERS = []


def stored(model: type[Log] = InputRequestLog, **values: Any) -> Any:
    values.setdefault("start", START)
    return model.objects.create(**values)


def address_of(log: Log) -> str:
    return f"/admin/security_sql/{log._meta.model_name}/{log.pk}/change/"


def page_of(client: Client, log: Log) -> str:
    response = client.get(address_of(log))
    assert response.status_code == 200
    return response.content.decode()


def field_of(page: str, name: str) -> str:
    """Give the HTML that stands under one name in the page of a log."""
    row = page.split(f'<div class="form-row field-{name}">')[1]
    value = row.split('<div class="readonly">')[1].split("</div>")[0]
    return value.removesuffix("<br>")


def list_of(client: Client, model: type[Log]) -> str:
    return client.get(f"/admin/security_sql/{model._meta.model_name}/").content.decode()


def cells_of(page: str) -> dict[str, str]:
    """Give the first row of a list by the names of its columns."""
    found = re.findall(r'<t[dh] class="field-(\w+)[^"]*">(.*?)</t[dh]>', page)
    return {name: re.sub("<.*?>", "", cell) for name, cell in reversed(found)}


def test_the_list_shows_seconds_of_the_start_in_the_current_time_zone_and_milliseconds(admin_client: Client) -> None:
    stored(time=0.018689622000010786)
    with override_settings(TIME_ZONE="Europe/Prague"):
        page = list_of(admin_client, InputRequestLog)
    cells = cells_of(page)
    assert (cells["start"], cells["time"]) == ("2026-03-01 14:03:07", "18.7")
    assert "Time (ms)" in page


def test_the_page_of_a_log_shows_times_as_the_list_does(admin_client: Client) -> None:
    run = stored(CeleryTaskRunLog, name="send", time=0.018689622000010786, waiting_time=1.5)
    page = page_of(admin_client, run)
    assert [field_of(page, name) for name in ("time", "waiting_time", "stop")] == ["18.7", "1500.0", "-"]
    with override_settings(TIME_ZONE="Europe/Prague"):
        assert field_of(page_of(admin_client, run), "start") == "2026-03-01 14:03:07"


@pytest.mark.parametrize("model", [InputRequestLog, OutputRequestLog])
def test_the_lists_of_requests_show_the_slug(admin_client: Client, model: type[Log]) -> None:
    stored(model, slug="order-shown")
    assert cells_of(list_of(admin_client, model))["slug"] == "order-shown"


@pytest.mark.parametrize("order", ["0", "-0"])
def test_the_list_is_sorted_by_the_start_in_the_order_of_the_primary_key(admin_client: Client, order: str) -> None:
    stored(id=first_id_at(START), slug="first")
    stored(id=first_id_at(START + timedelta(hours=1)), slug="second")
    with CaptureQueriesContext(connection) as queries:
        page = admin_client.get(f"/admin/security_sql/inputrequestlog/?o={order}").content.decode()
    assert (page.index("first") < page.index("second")) is (order == "0")
    statements = [query["sql"] for query in queries if "error_message" in query["sql"]]
    assert any(re.search(r'ORDER BY \S+\bid["`]? (ASC|DESC)', statement) for statement in statements)


def test_the_parent_is_a_link_to_its_page(admin_client: Client) -> None:
    parent = stored(
        method="GET", host="shop.example", path="/checkout/", response_code=500, state=RequestLogState.ERROR
    )
    child = stored(OutputRequestLog, parent_log=parent.reference)
    link = field_of(page_of(admin_client, child), "parent_log")
    label = RequestLogState.ERROR.label
    assert link == f'<a href="{address_of(parent)}">input request GET shop.example/checkout/ 500 {label}</a>'


@pytest.mark.parametrize(
    "reference",
    [
        "input-request|01990000-0000-7000-8000-000000000000",
        "input-request|no-id",
        "input-request",
        "sent-pigeon|01990000-0000-7000-8000-000000000000",
        HOSTILE,
        f"input-request|{HOSTILE}",
    ],
)
def test_a_parent_that_is_nowhere_is_shown_as_it_is_stored(admin_client: Client, reference: str) -> None:
    page = page_of(admin_client, stored(parent_log=reference))
    assert field_of(page, "parent_log") == html.escape(reference)


def test_children_of_all_kinds_are_links_in_the_order_in_which_they_began(admin_client: Client) -> None:
    parent = stored(CommandLog, name="import", stop=START + timedelta(minutes=1))
    children = [
        stored(model, id=first_id_at(START + timedelta(seconds=seconds)), parent_log=parent.reference, slug="child")
        for seconds, model in enumerate(reversed(LOG_MODELS.values()))
    ]
    stored(OutputRequestLog, parent_log="command|another")
    shown = re.findall(r'href="(.*?)"', field_of(page_of(admin_client, parent), "children"))
    assert shown == [address_of(child) for child in children]


def test_a_task_that_ran_long_after_its_parent_is_among_the_children(admin_client: Client) -> None:
    parent = stored(CeleryTaskInvocationLog, name="send", stop=START)
    later = START + timedelta(days=3)
    run = stored(CeleryTaskRunLog, id=first_id_at(later), start=later, name="send", parent_log=parent.reference)
    assert address_of(run) in field_of(page_of(admin_client, parent), "children")


def test_a_log_without_relations_says_so(admin_client: Client) -> None:
    page = page_of(admin_client, stored())
    assert [field_of(page, name) for name in ("parent_log", "children", "related_objects")] == ["-"] * 3


def test_the_first_fifty_children_are_shown(admin_client: Client) -> None:
    parent = stored(id=first_id_at(START))
    for number in range(52):
        began = START + timedelta(milliseconds=number)
        stored(OutputRequestLog, id=first_id_at(began), path=f"/{number}/", parent_log=parent.reference)
    children = field_of(page_of(admin_client, parent), "children")
    assert children.count("<a ") == 50
    assert "/49/" in children
    assert children.endswith("… and more")


def test_related_objects_are_links_to_their_pages(admin_client: Client) -> None:
    log = stored()
    ann = User.objects.create_user("ann")
    RelatedObject.objects.create(
        log_kind=log.kind, log_id=log.pk, database="default", model="auth.user", object_pk=str(ann.pk)
    )
    link = f'<a href="/admin/auth/user/{ann.pk}/change/">auth.user {ann.pk}</a>'
    assert field_of(page_of(admin_client, log), "related_objects") == link


@pytest.mark.parametrize(
    ("database", "model", "key", "shown"),
    [
        ("default", "sessions.session", "7", "sessions.session 7"),
        ("default", "shop.order", "7", "shop.order 7"),
        ("default", "no label", "7", "no label 7"),
        ("archive", "auth.user", "7", "auth.user 7 (archive)"),
        ("default", HOSTILE, HOSTILE, f"{HOSTILE} {HOSTILE}"),
    ],
)
def test_a_related_object_without_a_page_is_shown_as_it_is_stored(
    admin_client: Client, database: str, model: str, key: str, shown: str
) -> None:
    log = stored()
    RelatedObject.objects.create(log_kind=log.kind, log_id=log.pk, database=database, model=model, object_pk=key)
    assert field_of(page_of(admin_client, log), "related_objects") == html.escape(shown)


@pytest.mark.parametrize("key", ["4711", HOSTILE])
def test_the_link_of_an_object_that_is_gone_leads_to_a_message(admin_client: Client, key: str) -> None:
    log = stored()
    RelatedObject.objects.create(log_kind=log.kind, log_id=log.pk, database="default", model="auth.user", object_pk=key)
    page = page_of(admin_client, log)
    assert HOSTILE not in page
    (address,) = re.findall(r'href="(.*?)"', field_of(page, "related_objects"))
    followed = admin_client.get(html.unescape(address), follow=True)
    assert "Perhaps it was deleted?" in html.unescape(followed.content.decode())


def test_nothing_that_is_stored_becomes_html(admin_client: Client) -> None:
    parent = stored(path=HOSTILE, host=HOSTILE, method="<b>", slug=HOSTILE, error_message=HOSTILE, view_slug=HOSTILE)
    children = [
        stored(OutputRequestLog, path=HOSTILE, host=HOSTILE, method="<b>", slug=HOSTILE, parent_log=parent.reference),
        *(
            stored(model, name=HOSTILE, input=HOSTILE, slug=HOSTILE, parent_log=parent.reference)
            for model in (CommandLog, CeleryTaskInvocationLog, CeleryTaskRunLog)
        ),
    ]
    for log in (parent, *children):
        for page in (page_of(admin_client, log), list_of(admin_client, type(log))):
            assert html.escape(HOSTILE) in page
            assert HOSTILE not in page
            assert "<b>" not in page


def test_who_may_see_one_kind_sees_nothing_of_others() -> None:
    ann = User.objects.create_user("ann", is_staff=True)
    create_permissions(apps.get_app_config("security_sql"), verbosity=0)
    ann.user_permissions.add(Permission.objects.get(codename="view_inputrequestlog"))
    client = Client()
    client.force_login(ann)
    command = stored(CommandLog, name="secret-command")
    log = stored(parent_log=command.reference)
    stored(OutputRequestLog, path="/secret/", parent_log=log.reference)
    RelatedObject.objects.create(
        log_kind=log.kind, log_id=log.pk, database="default", model="auth.user", object_pk=str(ann.pk)
    )
    page = page_of(client, log)
    assert field_of(page, "parent_log") == command.reference
    assert field_of(page, "children") == "-"
    assert field_of(page, "related_objects") == f"auth.user {ann.pk}"


def statements_of(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


def test_what_a_page_asks_of_the_database_does_not_grow_with_what_it_shows(admin_client: Client) -> None:
    parent = stored(CommandLog, name="import")
    log = stored(parent_log=parent.reference)
    addresses = (address_of(log), "/admin/security_sql/outputrequestlog/")

    def add(count: int) -> None:
        for number in range(count):
            stored(OutputRequestLog, parent_log=log.reference, slug=f"{number}")
            group = Group.objects.create(name=f"{count}-{number}")
            RelatedObject.objects.create(
                log_kind=log.kind, log_id=log.pk, database="default", model="auth.group", object_pk=str(group.pk)
            )

    add(1)
    # What Django remembers of types is there from the first time on.
    for address in addresses:
        admin_client.get(address)
    few = [statements_of(admin_client, address) for address in addresses]
    add(30)
    assert [statements_of(admin_client, address) for address in addresses] == few
    # The session, the user, the log, its parent, a query a kind, the related objects.
    assert max(few) <= 14
