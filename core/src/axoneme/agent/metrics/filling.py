# SPDX-License-Identifier: Apache-2.0
"""How full the maps are, counted now and then beside the agent's own thread."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from attrs import define, field

from axoneme.datapath import FillReader, Usage, map_info
from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from axoneme.datapath import Datapath

    from .measures import Measures

_log = logging.getLogger(__name__)
_PERIOD: Final = 15.0
#: Whoever collects connections counts them; there may be a million.
_COLLECTED: Final = "conntrack"


@define
class Filling:
    """Counts the rows of every map that can be full, but for those that are counted anyway."""

    datapath: Datapath
    measures: Measures
    _counted: Mapping[str, Usage] = field(factory=dict, init=False)

    @property
    def fill(self) -> dict[str, Usage]:
        """How full each map was when it was counted last, by name."""
        found, last = dict(self._counted), self.measures.last_collection
        if last is not None and _COLLECTED in self.datapath.maps.names:
            entries = map_info(self.datapath.maps.descriptor(_COLLECTED)).max_entries
            found[_COLLECTED] = Usage(entries, last.live)
        return dict(sorted(found.items()))

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
