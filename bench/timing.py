"""How long something takes: the best of a few runs, since machines are shared and noisy."""

import gc
import time
from collections.abc import Callable

RUNS = 3


def best_s(work: Callable[[], object], runs: int = RUNS, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of the fastest run; garbage is collected before each, not during.

    With ``time.process_time`` as ``clock`` they are seconds of processor time, which other work does not lengthen.
    """

    def once() -> float:
        gc.collect()
        began = clock()
        work()
        return clock() - began

    return min(once() for _ in range(runs))
