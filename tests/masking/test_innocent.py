"""What is no secret is stored as it came."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from django.test import Client, override_settings

from security import recording
from security.backends.sql.models import InputRequestLog
from security.enums import Event
from security.masking import mask_body
from security.records import CeleryTaskRunRecord, CommandRecord

from .innocent import BODIES, ERRORS, HEADERS, MEMBERS, PATHS, QUERIES
from .test_corpus import EVERYTHING

pytestmark = pytest.mark.django_db


def only() -> Any:
    row = InputRequestLog.objects.get()
    InputRequestLog.objects.all().delete()
    return row


def test_there_are_150_cases() -> None:
    assert len(BODIES) + len(HEADERS) + len(QUERIES) + len(PATHS) + len(ERRORS) >= 150


@EVERYTHING
def test_no_body_is_damaged() -> None:
    client = Client()
    damaged = []
    for content_type, text in BODIES:
        client.generic("POST", "/echo/", text.encode(), content_type)
        row = only()
        if not row.request_body == row.response_body == text:
            damaged.append((text, row.request_body))
    assert damaged == []


@EVERYTHING
def test_no_header_query_or_path_is_damaged() -> None:
    client = Client()
    client.get("/", QUERIES, headers=HEADERS)
    row = only()
    assert {name: row.request_headers.get(name) for name in HEADERS} == HEADERS
    assert row.queries == QUERIES
    for path in PATHS:
        client.get(f"/masking/any/{path}")
        assert only().path == f"/masking/any/{path}"


@pytest.mark.parametrize("text", [*ERRORS, *(text for kind, text in BODIES if "plain" in kind)])
def test_no_text_is_damaged(text: str) -> None:
    record = CommandRecord(name="x", input=text, output=text)
    (entry,) = recording.complete(record, Event.ERROR, error_message=text)
    assert entry.input == entry.output == entry.error_message == text


def test_no_data_is_damaged() -> None:
    (entry,) = recording.begin(CeleryTaskRunRecord(task_kwargs=MEMBERS, task_args=[MEMBERS], result=MEMBERS))
    assert entry.task_kwargs == entry.result == MEMBERS
    assert entry.task_args == [MEMBERS]


SECRET_AMONG_OTHERS = {**MEMBERS, "password": "hunter2Xq9zR", "tail": "end"}


@pytest.mark.parametrize("indent", [None, 2])
def test_json_beside_a_secret_stays_byte_for_byte(indent: int | None) -> None:
    text = json.dumps(SECRET_AMONG_OTHERS, indent=indent)
    assert mask_body(text, "application/json") == text.replace("hunter2Xq9zR", "[Filtered]")


@pytest.mark.parametrize("replacement", ["[Filtered]", "<hidden & gone>", '"', "", "\\", "***"])
def test_any_replacement_leaves_json_and_xml_well_formed(replacement: str) -> None:
    with override_settings(SECURITY_SENSITIVE_DATA_REPLACEMENT=replacement):
        text = json.dumps({"a": {"password": "x1", "b": 'say password="y2"'}})
        document = json.loads(mask_body(text, "application/json"))
        assert document["a"]["password"] == replacement
        masked = mask_body('<r a="1" token="x1"><password>y2</password><c>z</c></r>', "text/xml")
        root = ElementTree.fromstring(masked)
        assert (root.get("token"), root.findtext("password"), root.findtext("c")) == (replacement, replacement, "z")


def test_the_rest_of_a_form_a_table_and_a_multipart_body_stays() -> None:
    assert (
        mask_body("a=%20&password=x&b=c+d&e", "application/x-www-form-urlencoded")
        == "a=%20&password=[Filtered]&b=c+d&e"
    )
    assert mask_body('a,pin\r\n"x, y",1234\r\n,""\r\n', "text/csv") == 'a,pin\r\n"x, y",[Filtered]\r\n,""\r\n'
