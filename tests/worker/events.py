"""What a client would see of a job."""

import json
from typing import Any

from worker.records import Records


def read_events(records: Records, job_id: str) -> list[tuple[str, dict[str, Any]]]:
    """(type, data) of every event in the stream."""
    stream: Any = records.client.xrange(records.events_key(job_id))
    return [(fields[b"type"].decode(), json.loads(fields[b"data"])) for _, fields in stream]
