"""Where the torch interpreter runs in tests of engine and models: `pytest --device cuda` sets it."""

DEVICE = "cpu"
