"""The kinds of records, and what each event does to them.

A record is data: it is filled while the thing happens. What is stored of it is an `Entry`, which only the recorder
makes. A kind is a module here: its fields, its transitions and the words of its messages.
"""

from .base import (
    FIELDS,
    LAYOUTS,
    RECORD_TYPES,
    SETTLED_FIELDS,
    TRANSITIONS,
    Entry,
    Layout,
    Loss,
    Record,
    Transition,
    open_states,
    register,
)
from .celery_tasks import CeleryTaskInvocationRecord, CeleryTaskRecord, CeleryTaskRunRecord
from .commands import CommandRecord
from .requests import InputRequestRecord, OutputRequestRecord, RequestRecord

__all__ = [
    "FIELDS",
    "LAYOUTS",
    "RECORD_TYPES",
    "SETTLED_FIELDS",
    "TRANSITIONS",
    "CeleryTaskInvocationRecord",
    "CeleryTaskRecord",
    "CeleryTaskRunRecord",
    "CommandRecord",
    "Entry",
    "InputRequestRecord",
    "Layout",
    "Loss",
    "OutputRequestRecord",
    "Record",
    "RequestRecord",
    "Transition",
    "open_states",
    "register",
]

# The order in which commands go through the kinds and messages name them.
for _record_type in (
    InputRequestRecord,
    OutputRequestRecord,
    CommandRecord,
    CeleryTaskInvocationRecord,
    CeleryTaskRunRecord,
):
    register(_record_type)
