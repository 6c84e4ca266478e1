"""The one Celery task: a door to the worker."""

from celery import Celery, Task
from celery.exceptions import Reject

from worker.protocol import TASK_DRAW
from worker.service import Worker


def register(celery: Celery, worker: Worker) -> None:
    """Make `celery` hand jobs to `worker`. The message carries the job's id and is acknowledged when the task ends."""

    def run_job(task: Task, job_id: str) -> None:
        try:
            if worker.run_job(job_id) == "requeue":
                raise Reject("the worker is shutting down", requeue=True)
        finally:
            worker.ended(task.request.delivery_info["routing_key"], task.request.id)

    celery.task(run_job, name=TASK_DRAW, bind=True)
