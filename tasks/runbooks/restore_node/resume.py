"""Where a restore of nodes is taken up: a pure function of the journal and of which rescue systems answer.

Why each way is safe:

- Until step 4 nothing was written to a disk. Whatever was done is looked at again: nodes whose rescue system of this image answers
  are not booted again, so that a `rear recover` that is at work there is attached to.
- In steps 4 and 5 a disk may be half written. Where the rescue system answers, its job is attached to, or begun anew; where it
  does not, the node is booted into it again, and the disk is written anew. Another image, or other nodes, are refused: a node
  that was left would stay half written, and nobody would know.
- From step 6 on the disks are whole. The steps are taken up where they stopped; each looks first. A node that somebody has booted
  from its disk meanwhile keeps its power.
- Where the journal is lost, a restore begins anew: a node that answers is refused, and one in its rescue system of this image, or
  without power, has lost what it had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from blocks.remote.errors import RunbookError
from tasks.engine.journal import Journal
from tasks.engine.journals import STATE_DIRECTORY
from tasks.engine.order import Order
from tasks.engine.run import TakeUp

_FIRST, _ERASE, _WHOLE = "1", "4", "6"


class RestoreState(BaseModel):
    """What the journal of a restore holds.

    Attributes:
        images: Node → the run of ReaR that it is restored from.
    """

    model_config = ConfigDict(frozen=True)

    images: dict[str, str] = {}


@dataclass(frozen=True)
class Resume:
    """How to go on.

    Attributes:
        journal: A new one, or the earlier run's.
        settled: Steps that need not be taken again.
        boots: Whether rescue systems are still wanted.
        erased: Whether a disk may have been written to already.
        why: What was decided; empty for a first attempt.
        left: What an earlier attempt has left that this one may not look after; empty where nothing is.
    """

    journal: Journal
    settled: tuple[str, ...] = ()
    boots: bool = True
    erased: bool = False
    why: str = ""
    left: str = ""

    @property
    def take_up(self) -> TakeUp:
        """The same as the engine takes it."""
        return TakeUp(self.journal, self.settled)


def how_to_go_on(order: Order, new: Journal, earlier: Journal | None, images: Mapping[str, str]) -> Resume:
    """Decide where to take up the work.

    Args:
        order: The order of the steps.
        new: The journal of a first attempt.
        earlier: The journal of an unfinished run, if there is one.
        images: Node → what is to be restored.

    Raises:
        RunbookError: Another version of this runbook has written the journal; or it restores something else, and has erased
            a disk already.
    """
    new.record_state(RestoreState(images=dict(images)))
    if earlier is None:
        return Resume(new)
    if earlier.begun and earlier.begun not in order:
        raise RunbookError(
            f"the journal of the run of {earlier.started:%Y-%m-%d %H:%M} UTC names a step {earlier.begun!r}",
            "another version of this runbook wrote it: see which nodes it has restored, and move "
            f"{STATE_DIRECTORY}/{earlier.runbook}/current.json away",
        )
    begun, before = order.place_of(earlier), earlier.state_as(RestoreState).images
    erased = order.reached(begun, _ERASE)
    if before != dict(images):
        if erased:
            told = ", ".join(f"{node} from {image}" for node, image in sorted(before.items()))
            raise RunbookError(
                f"the run of {earlier.started:%Y-%m-%d %H:%M} UTC restores {told}, and has not come to its end",
                "start the runbook again with the same `nodes` and `image`; or see to these nodes, and move "
                f"{STATE_DIRECTORY}/{earlier.runbook}/current.json away",
            )
        stands = "; ".join(earlier.in_force.values())
        left = f"an earlier attempt with other nodes or images has left: {stands}" if stands else ""
        return Resume(
            new, why="the earlier attempt had erased nothing: beginning with other nodes or images", left=left
        )
    earlier.attempts += 1
    if order.reached(begun, _WHOLE):
        return Resume(earlier, order.before(begun), False, True, f"the disks were restored: going on with step {begun}")
    settled = order.before(_FIRST) if order.reached(begun, _FIRST) else ()
    why = "a disk may be half written: " if erased else "nothing was erased yet: "
    return Resume(earlier, settled, True, erased, f"{why}going on, and booting what is not in its rescue system")
