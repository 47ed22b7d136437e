# SPDX-License-Identifier: Apache-2.0
"""An agent that puts the flows' plugin in effect and kills itself on the way.

python -m tests.system.dying BPFFS LAYOUT PLACES < endpoints, pickled

It dies when it has updated so many places; with 0, when the new map is filled.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.system.flows import flows

from axoneme.datapath import Datapath
from axoneme.datapath.attachments import TcxAttachment

if TYPE_CHECKING:
    from collections.abc import Callable


def die_after(places: int) -> Callable[[TcxAttachment, int], None]:
    """The method that attaches, and then ends the process as a crash would."""
    attach, attached = TcxAttachment.attach, 0

    def attach_and_die(self: TcxAttachment, program: int) -> None:
        nonlocal attached
        if attached < places:
            attach(self, program)
            attached += 1
        if attached == places:
            os.kill(os.getpid(), signal.SIGKILL)

    return attach_and_die


def main() -> None:
    """Start as an agent does: what is committed first has no pods."""
    bpffs, layout, places = sys.argv[1:]
    datapath = Datapath.open(Path(bpffs))
    datapath.commit(datapath.prepare({"flows": [flows(int(layout))]}))
    TcxAttachment.attach = die_after(int(places))  # type: ignore[method-assign]
    for endpoint in pickle.load(sys.stdin.buffer):
        datapath.add_endpoint(endpoint)
    datapath.forget_others()


if __name__ == "__main__":
    main()
