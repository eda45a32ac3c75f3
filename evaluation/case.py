"""One thing to judge the judge by: readings, the rules they are judged by, and what truly happened."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from evaluation.outcome import Context, Event
from evaluation.sampling import Spent
from schemas.readings import Readings
from schemas.registry import NumberedRegistry


@dataclass(frozen=True)
class Case:
    """Batches of readings in receive order, and their ground truth.

    Each call of ``batches`` yields the same batches anew, numbered as ``numbered`` numbers devices and wearers.
    ``events`` and ``contexts`` are valid once some run of ``batches`` is exhausted. ``notes`` say what the case had to
    leave out, a sentence each. ``reporting`` says how often bands report; ``spent``, valid when ``events`` is, what
    commanding them has cost.
    """

    name: str
    numbered: NumberedRegistry
    batches: Callable[[], Iterable[Readings]]
    events: Callable[[], Sequence[Event]]
    contexts: Callable[[], Sequence[Context]]
    notes: tuple[str, ...] = ()
    reporting: str = ""
    spent: Callable[[], Spent] | None = None
