# SPDX-License-Identifier: Apache-2.0
"""How full the maps are, counted now and then beside the agent's own thread."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from attrs import define, evolve, field

from axoneme.datapath import FillReader
from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from axoneme.datapath import Datapath, Usage

    from .measures import Measures

_log = logging.getLogger(__name__)
#: A count takes 1 ms of a thread where maps are almost empty, and some 40 where they are full.
_PERIOD: Final = 5.0
#: Whoever collects connections counts them; there may be a million.
_COLLECTED: Final = "conntrack"


@define
class Filling:
    """Counts the rows of every map that can be full, but for those that are counted anyway."""

    datapath: Datapath
    measures: Measures
    _counted: Mapping[str, Usage] = field(factory=dict, init=False)

    @property
    def usage(self) -> dict[str, Usage]:
        """The maps that there are, by name, and how full each was when it was counted last."""
        sizes = self.datapath.maps.sizes()
        found = {name: self._counted.get(name, size) for name, size in sizes.items()}
        last, when = self.measures.last_collection, self.measures.last_collected
        if last is not None and _COLLECTED in sizes:
            found[_COLLECTED] = evolve(sizes[_COLLECTED], used=last.live, counted=when)
        return found

    async def run(self) -> None:
        """Count until it is cancelled."""
        while True:
            reader = FillReader.of(self.datapath.maps, lambda name: name != _COLLECTED)
            try:
                self._counted = await asyncio.to_thread(reader.read)
            except AxonemeError as error:
                _log.warning("maps cannot be counted: %s", error)
            finally:
                reader.close()
            await asyncio.sleep(_PERIOD)
