"""A traceback is told without running the site's code, and ends whatever the exception holds."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from security.tracebacks import traceback_of


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    with pytest.raises(type(error)) as caught:
        raise error from cause
    return caught.value


def test_it_reads_as_python_prints_it() -> None:
    error = raised(ValueError("b"), cause=raised(KeyError("a")))
    pythons = "".join(traceback.format_exception(error)).splitlines()
    # Python also underlines a part of the line.
    assert traceback_of(error).splitlines() == [line for line in pythons if not line or set(line) - set(" ~^")]


def test_what_the_exceptions_say_can_be_left_out() -> None:
    error = raised(ValueError("quotes"), cause=raised(KeyError("quotes")))
    error.add_note("quotes")
    group = raised(ExceptionGroup("quotes", [error, KeyError("quotes"), ValueError()]))
    group.__context__ = error
    text = traceback_of(group, instead_of_texts="[Filtered]")
    assert "quotes" not in text
    assert "in raised\n    raise error from cause\n" in text
    assert "KeyError: [Filtered]\n" in text
    assert "\nValueError\n" in text


def test_what_led_to_it_comes_first() -> None:
    error = ValueError("second")
    error.__context__ = KeyError("first")
    text = traceback_of(error)
    assert text.index("KeyError: 'first'") < text.index("During handling") < text.index("ValueError: second")


@pytest.mark.parametrize("raises", [RuntimeError, SystemExit, KeyboardInterrupt, RecursionError])
def test_the_sites_own_code_is_not_asked_for_suggestions(raises: type[BaseException]) -> None:
    class View:
        @property
        def order(self) -> Any:
            raise raises("not for a logger")

        def __dir__(self) -> Any:
            raise raises("nor this")

        def get(self) -> Any:
            return self.oder  # type: ignore[attr-defined]

    with pytest.raises(AttributeError) as caught:
        View().get()
    assert "no attribute 'oder'" in traceback_of(caught.value)


@pytest.mark.parametrize("raises", [RuntimeError, SystemExit])
def test_a_text_that_cannot_be_had_is_left_out(raises: type[BaseException]) -> None:
    class BrokenError(Exception):
        def __str__(self) -> str:
            raise raises

    assert traceback_of(raised(BrokenError())).endswith("BrokenError: <no text>\n")


def test_a_loader_that_fails_is_not_asked_for_source() -> None:
    class Loader:
        def get_source(self, name: str) -> str:
            raise RuntimeError

    code = compile("1 / 0", "nowhere.py", "exec")
    with pytest.raises(ZeroDivisionError) as caught:
        exec(code, {"__name__": "nowhere", "__loader__": Loader()})
    assert "nowhere.py" in traceback_of(caught.value)


def test_it_is_bounded_whatever_the_exception_holds() -> None:
    chain = ValueError("0")
    for number in range(20_000):
        later = ValueError(str(number))
        later.__cause__ = chain
        chain = later
    assert traceback_of(chain).count("ValueError") == 20
    group = ExceptionGroup("many", [ValueError(str(number)) for number in range(20_000)])
    text = traceback_of(group)
    assert text.count("ValueError") == 19
    assert "and 19981 more" in text
    one = ValueError("one")
    text = traceback_of(ExceptionGroup("same", [one] * 20_000))
    assert text.count("ValueError: one") == 1
    assert text.count("told of above") == 19
    assert len(text) < 2_000
    nested = ValueError("innermost")
    for _ in range(20_000):
        nested = ExceptionGroup("group", [nested])  # type: ignore[assignment]
    assert traceback_of(nested).count("ExceptionGroup: group") == 20
    circle = ValueError("circle")
    circle.__cause__ = KeyError("other")
    circle.__cause__.__cause__ = circle
    assert traceback_of(circle).count("circle") == 1
    assert len(traceback_of(ValueError("x" * 1_000_000))) < 30_000

    def recurse() -> None:
        recurse()

    with pytest.raises(RecursionError) as caught:
        recurse()
    assert traceback_of(caught.value).count("in recurse") == 100


def test_notes_and_members_of_a_group_are_told() -> None:
    group = ExceptionGroup("two", [ValueError("a"), KeyError("b")])
    group.add_note("a note")
    text = traceback_of(raised(group))
    assert all(part in text for part in ("a note", "1 of 2", "ValueError: a", "KeyError: 'b'"))


def test_members_of_groups_in_groups_are_told_with_what_led_to_them_and_with_their_notes() -> None:
    member = ValueError("broken")
    member.__cause__ = KeyError("cause")
    member.add_note("a note")
    text = traceback_of(ExceptionGroup("outer", [ExceptionGroup("inner", [member]), TypeError("other")]))
    parts = ("outer", "1 of 2", "inner", "1 of 1", "KeyError: 'cause'", "direct cause", "ValueError: broken", "a note")
    places = [text.index(part) for part in (*parts, "2 of 2", "TypeError: other")]
    assert places == sorted(places)


def test_notes_that_are_none_are_passed_over() -> None:
    error = ValueError("x")
    for notes in (5, "text", None):
        error.__notes__ = notes  # type: ignore[assignment]
        assert traceback_of(error) == "ValueError: x\n"
