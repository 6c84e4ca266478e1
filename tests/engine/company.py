"""An image that the torch interpreter draws alone, and beside others."""

import numpy as np

from engine.engine import Engine
from models.program import Program
from tests import devices
from tests.engine.test_conformance import request, run


def check_company(program: Program, image: np.ndarray, vector: np.ndarray | None, given: np.ndarray | None) -> None:
    """The same bytes whatever the number of slots, and of those in use; of `image` the shape counts."""
    alone = run(Engine(program, 4, devices.DEVICE, interpreter="torch"), [request("a", image, vector, given)])["a"]
    for num_slots, num_others in ((4, 1), (4, 2), (4, 3), (4, 6), (8, 4), (8, 6)):
        if num_slots > 4 and devices.DEVICE != "cpu":
            continue
        others = [request(f"{k}", image, vector, given, seed=k) for k in range(num_others)]
        engine = Engine(program, num_slots, devices.DEVICE, interpreter="torch")
        found = run(engine, [*others, request("a", image, vector, given)])["a"]
        assert found.values.tobytes() == alone.values.tobytes()
        np.testing.assert_equal(found.log_prob, alone.log_prob)
