"""How long something takes: the best of a few runs, since machines are shared and noisy."""

import gc
import time
from collections.abc import Callable

RUNS = 3


def best_s(work: Callable[[], object], runs: int = RUNS) -> float:
    """Seconds of the fastest run; garbage is collected before each, not during."""

    def once() -> float:
        gc.collect()
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return min(once() for _ in range(runs))
