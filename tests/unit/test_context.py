"""Records know their parents and their scopes, in whatever thread, task or generator they begin."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from threading import Thread
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import Group

from security import recording
from security.context import bind, inside, is_bound
from security.decorators import atomic_log, log_with_data
from security.records import CommandRecord, InputRequestRecord, OutputRequestRecord, Record


def child(record_type: type[Record] = OutputRequestRecord) -> Any:
    (entry,) = recording.begin(record_type())
    return entry


def test_an_inner_scope_joins_an_outer_one_and_a_record_goes_before_both() -> None:
    a, b, c = Group(pk=1), Group(pk=2), Group(pk=3)
    own = OutputRequestRecord(slug="own", extra_data={"z": "own"})
    with (
        log_with_data(slug="outer", related_objects=[a], extra_data={"x": 1, "y": 1, "z": 1}),
        log_with_data(output_requests_related_objects=[b, a], extra_data={"y": 2}),
    ):
        joined, command = child(), child(CommandRecord)
        with log_with_data([c], "inner"):
            inner = child()
        (of_own,) = recording.begin(own)
    assert (joined.slug, joined.extra_data) == ("outer", {"x": 1, "y": 2, "z": 1})
    assert [reference.pk for reference in joined.related_objects] == ["1", "2"]
    assert [reference.pk for reference in command.related_objects] == ["1"]
    assert (inner.slug, [reference.pk for reference in inner.related_objects]) == ("inner", ["1", "2", "3"])
    assert (of_own.slug, of_own.extra_data["z"]) == ("own", "own")
    after = child()
    assert (after.slug, after.extra_data, after.related_objects) == (None, {}, ())


def test_one_scope_is_used_again_also_while_it_is_open() -> None:
    scope = log_with_data(slug="again")
    with scope:
        with scope:
            assert child().slug == "again"
        assert child().slug == "again"
    assert child().slug is None
    with scope:
        assert child().slug == "again"


def test_a_scope_that_ends_before_an_inner_one_leaves_that_open() -> None:
    outer, inner = log_with_data(slug="outer"), log_with_data(slug="inner")
    with outer:
        inner.__enter__()
    assert child().slug == "inner"
    inner.__exit__(None, None, None)
    assert child().slug is None


def test_every_sort_of_function_can_be_decorated_and_stays_what_it_is() -> None:
    @log_with_data(slug="s")
    def function(value: int) -> Any:
        return value, child().slug

    @atomic_log(slug="s")
    async def coroutine(value: int) -> Any:
        await asyncio.sleep(0)
        return value, child().slug

    @log_with_data(slug="s")
    def generator(value: int) -> Iterator[Any]:
        received = yield value, child().slug
        try:
            yield received
        except KeyError:
            yield "caught", child().slug
        return "returned"

    @log_with_data(slug="s")
    async def async_generator(value: int) -> AsyncIterator[Any]:
        received = yield value, child().slug
        try:
            yield received
        except KeyError:
            yield "caught", child().slug

    assert function(1) == (1, "s")
    assert async_to_sync(coroutine)(2) == (2, "s")
    assert inspect.isgeneratorfunction(generator)
    steps: Any = generator(3)
    assert next(steps) == (3, "s")
    assert child().slug is None
    assert steps.send("sent") == "sent"
    assert steps.throw(KeyError) == ("caught", "s")
    with pytest.raises(StopIteration, match="returned"):
        next(steps)

    async def walk() -> None:
        assert inspect.isasyncgenfunction(async_generator)
        steps: Any = async_generator(4)
        assert await anext(steps) == (4, "s")
        assert child().slug is None
        assert await steps.asend("sent") == "sent"
        assert await steps.athrow(KeyError) == ("caught", "s")
        assert [item async for item in steps] == []
        left: Any = async_generator(5)
        await anext(left)
        await left.aclose()

    async_to_sync(walk)()


def test_the_decorator_works_bare() -> None:
    @log_with_data
    def double(number: int) -> int:
        return 2 * number

    assert double(2) == 4


@pytest.mark.parametrize("decorate", [log_with_data, log_with_data(slug="s")])
def test_a_class_is_not_decorated(decorate: Any) -> None:
    class Shop:
        pass

    with pytest.raises(TypeError, match="decorate the methods of Shop"):
        decorate(Shop)


def test_a_method_and_a_name_survive_the_decorator() -> None:
    class Shop:
        @log_with_data(slug="s")
        def sell(self, what: str) -> Any:
            """Sell."""
            return self, what

    shop = Shop()
    assert shop.sell("lamp") == (shop, "lamp")
    assert (Shop.sell.__name__, Shop.sell.__doc__) == ("sell", "Sell.")


@pytest.mark.parametrize("name", ["related_objects", "output_requests_related_objects"])
def test_a_related_object_that_is_not_saved_is_an_error_that_names_it(name: str) -> None:
    arguments: dict[str, Any] = {name: [Group(name="unsaved")]}
    with pytest.raises(ValueError, match=r"Group: unsaved.*save it before"):
        log_with_data(**arguments)
    with pytest.raises(TypeError, match=r"write \[group\] for one"):
        log_with_data(**{name: Group(pk=7)})


def parents(work: Callable[[InputRequestRecord], Any]) -> None:
    """See that `work`, done inside a record, finds that record."""
    record = InputRequestRecord()
    with inside(record):
        found = work(record)
    assert found == [record.reference] * len(found)
    assert found
    assert child().parent_log is None


def test_a_bound_function_takes_the_parent_into_the_threads_of_a_pool() -> None:
    with ThreadPoolExecutor(4) as pool:
        parents(lambda record: list(pool.map(bind(lambda _: child().parent_log), range(20))))
        assert pool.submit(lambda: child().parent_log).result() is None


def test_a_thread_of_a_pool_is_bound_no_longer_than_the_function_runs() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert [pool.submit(work).result() for work in (bind(is_bound), is_bound)] == [True, False]


def test_a_bound_function_takes_the_parent_into_a_thread() -> None:
    def work(record: InputRequestRecord) -> list[Any]:
        found: list[Any] = []
        thread = Thread(target=bind(lambda: found.append(child().parent_log)))
        thread.start()
        thread.join()
        return found

    parents(work)


def test_a_bound_coroutine_takes_the_parent_into_another_context() -> None:
    async def ask() -> str | None:
        await asyncio.sleep(0)
        return child().parent_log  # type: ignore[no-any-return]

    parents(lambda record: [Context().run(asyncio.run, bind(ask)())])


def test_the_parent_is_found_in_tasks_and_across_sync_and_async() -> None:
    async def ask() -> list[Any]:
        await asyncio.sleep(0)
        return [child().parent_log, await sync_to_async(lambda: child().parent_log)()]

    async def gather() -> list[Any]:
        return [parent for found in await asyncio.gather(*(ask() for _ in range(10))) for parent in found]

    parents(lambda record: async_to_sync(gather)())


def test_tasks_at_once_never_have_the_parent_of_another() -> None:
    async def request() -> bool:
        record = InputRequestRecord()
        with inside(record):
            for _ in range(5):
                await asyncio.sleep(0)
                assert child().parent_log == record.reference
                assert await sync_to_async(lambda: child().parent_log)() == record.reference
        return child().parent_log is None

    async def many() -> list[bool]:
        return await asyncio.gather(*(request() for _ in range(50)))

    assert all(async_to_sync(many)())


def test_a_scope_that_is_left_in_another_context_does_no_harm() -> None:
    scope = log_with_data(slug="s")
    Context().run(scope.__enter__)
    scope.__exit__(None, None, None)
    assert child().slug is None
