import pytest, datetime
from django.test import Client
from security.backends.sql.models import InputRequestLog
from security.backends.testing import capture_security_logs

def test_plain(db, client, django_assert_num_queries):
    with capture_security_logs() as logged, django_assert_num_queries(6):
        r = client.get("/?a=1&a=2&b=3")
    assert r.status_code == 200
    e = logged.input_request[0]
    print(dict(e.values))
    row = InputRequestLog.objects.get()
    print(row.__dict__)
    assert len(logged.input_request_started) == 1

async def test_async(async_client, db):
    with capture_security_logs() as logged:
        r = await async_client.post("/?a=1&a=2&b=3", {"a": 1})
    print(dict(logged.input_request[0].values))
    r = await async_client.get("/nope")
