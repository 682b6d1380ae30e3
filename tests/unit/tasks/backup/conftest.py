"""How Hypothesis works here: the same examples each time, on machines of any speed, without a folder of its own."""

from hypothesis import settings

settings.register_profile("unit", deadline=None, derandomize=True, database=None, max_examples=50)
settings.load_profile("unit")
