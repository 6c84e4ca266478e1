"""The Celery application. Celery only dispatches: the job record is the truth and a message is a hint."""

from typing import Any

from celery import Celery

from worker.protocol import BROKER_OPTIONS

# Settings that survived the fault experiments (docs/decisions): acks come late, so that a message outlives its worker,
# and nothing in Celery may decide that a job is done, lost or repeated.
_SETTINGS: dict[str, Any] = {
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": False,
    # After a reconnect it would raise the number of jobs again only as others end, which may take half an hour.
    "worker_enable_prefetch_count_reduction": False,
    "task_ignore_result": True,
    "task_track_started": False,
    "task_serializer": "json",
    "accept_content": ["json"],
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_enable_remote_control": False,
    # Celery insists on one queue at start; nothing is ever sent to it. Bundles' queues come and go.
    "task_default_queue": "scanline.idle",
    "broker_transport_options": BROKER_OPTIONS,
}


def create_celery(broker_url: str) -> Celery:
    """An application that reaches the broker, without tasks."""
    app = Celery("scanline", broker=broker_url, set_as_current=False)
    app.conf.update(_SETTINGS)
    return app
