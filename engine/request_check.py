"""Whether a request fits a program."""

import numpy as np

from engine.request import DrawRequest, RequestRejected
from models.program import Program


def check_request(program: Program, request: DrawRequest) -> None:
    """Raise `RequestRejected` with the reason unless `program` can draw it."""
    if request.height < 1 or request.width < 1:
        raise RequestRejected(f"an image has at least one pixel, not {request.height} x {request.width}")
    if not 0 < request.temperature < float("inf"):
        raise RequestRejected(f"temperature must be a positive number, not {request.temperature}")
    if program.is_density and request.temperature != 1:
        raise RequestRejected("a density is drawn at temperature 1 only")
    if not 0 <= request.seed < 2**64 or not 0 <= request.sample < 2**32 or not 0 <= request.stage < 2**32:
        raise RequestRejected("seed must be 0..2^64-1, sample and stage 0..2^32-1")
    context_size = sum(f.width for f in program.features if f.scope == "given_vector")
    maps = [f for f in program.features if f.scope == "given_map"]
    size = 0 if request.context is None else request.context.size
    if size != context_size:
        raise RequestRejected(f"the context must hold {context_size} numbers, not {size}")
    map_shape = None
    if maps:
        rows, columns = (-(-size >> maps[0].level) for size in (request.height, request.width))
        map_shape = rows, columns, sum(f.width for f in maps)
    if (None if request.context_map is None else request.context_map.shape) != map_shape:
        raise RequestRejected(f"the context map must have the shape {map_shape}")
    if (request.known is None) != (request.mask is None):
        raise RequestRejected("known pixels and their mask come together")
    shape = (request.height, request.width, program.channels)
    if request.known is not None and request.mask is not None:
        if request.known.shape != shape or request.mask.shape != shape[:2]:
            raise RequestRejected(f"known pixels must be {shape} and their mask {shape[:2]}")
        if program.is_density:
            if request.known.dtype != np.float32 or not np.isfinite(request.known[request.mask]).all():
                raise RequestRejected("known pixels of a density must be finite float32 numbers")
        elif request.known.dtype != np.uint8:  # of others some are no level: an interpreter looks its probability up
            raise RequestRejected(f"known levels must be uint8, not {request.known.dtype}")
        elif request.known.max() >= program.num_levels:
            raise RequestRejected(f"levels must be below {program.num_levels}")
