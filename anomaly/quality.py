"""Which values of the optical sensor count: the gate that everything on the body passes first."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LEAST_QUALITY: Final = 0.5
"""The band's own trust, half of the scale: below it the optical sensor does not trust itself."""


def trusted(value: NDArray[Any], quality: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where the sensor says something (neither NaN nor 0) and does not distrust it itself; without a quality it counts.

    >>> nan = float("nan")
    >>> trusted(np.array([66.0, 66.0, 66.0, 0.0, nan]), np.array([0.9, 0.1, nan, 0.9, 0.9])).tolist()
    [True, False, True, False, False]
    """
    return np.asarray((value > 0) & ~(quality < LEAST_QUALITY))
