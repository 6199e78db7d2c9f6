"""A fault of the logger is told to the site's own log, which it does not flood."""

from __future__ import annotations

import pytest

from security import faults
from security.faults import log_fault


def fail(error: Exception) -> None:
    def step() -> None:
        raise error

    try:
        step()
    except Exception:
        log_fault("The step %s failed.", "arrive")


def test_a_fault_is_told_with_its_traceback_and_not_again_for_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(faults, "monotonic", lambda: now)
    for _ in range(3):
        fail(ValueError("x"))
    (record,) = caplog.records
    assert record.getMessage() == "The step arrive failed."
    assert record.exc_info is not None
    now += 60
    fail(ValueError("x"))
    assert caplog.records[1].getMessage() == ("The step arrive failed. It happened 2 times since this was last said.")
    now += 60
    fail(ValueError("x"))
    assert caplog.records[2].getMessage() == "The step arrive failed."


def test_a_fault_of_another_type_or_place_is_another_one(caplog: pytest.LogCaptureFixture) -> None:
    fail(ValueError("x"))
    fail(KeyError("x"))
    try:
        int("no number")
    except ValueError:
        log_fault("The step %s failed.", "arrive")
    assert len(caplog.records) == 3


def test_what_was_said_of_faults_that_are_always_others_is_forgotten() -> None:
    for number in range(2 * faults._MOST):
        fail(type(f"Error{number}", (Exception,), {})())
    assert len(faults._said) <= faults._MOST
