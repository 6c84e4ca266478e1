"""What is done for a claimed job, by its kind."""

from engine.engine import Engine
from worker.attempt import Attempt
from worker.draw_run import DrawRun
from worker.image_run import ImageRun
from worker.inpaint_run import InpaintRun
from worker.loaded_model import LoadedModel
from worker.score_run import ScoreRun


def run_of(attempt: Attempt, loaded: LoadedModel, engine: Engine) -> ImageRun | ScoreRun:
    """`engine` draws what the job asks for; a score needs none."""
    request = attempt.claim.request
    if request.kind == "score":
        return ScoreRun(attempt, loaded)
    return InpaintRun(attempt, loaded, engine) if request.sweeps else DrawRun(attempt, loaded, engine)
