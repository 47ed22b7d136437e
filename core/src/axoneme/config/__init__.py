# SPDX-License-Identifier: Apache-2.0
"""The configuration: one TOML text with a section for core and one for each plugin.

Core's section is `[agent]`; a plugin's section has the plugin's name and is declared by one
attrs class of its own. Keys are the fields' names with `-` for `_`.

Any problem refuses the whole text, at start and at a reload, and all problems are reported at
once: an agent does not start with half of what it was told, and a running one goes on with the
configuration it has. The section of a plugin that is installed and not in use may stay, and is
not checked, since its class is not imported; a section of no installed plugin is a problem.

A key may have other spellings, which its field declares: `bpf.mapDynamicSizeRatio`, at the top of
the file, is `bpf-map-dynamic-size-ratio` of `[agent]`. They are for those who bring the settings of
another network; there is one key behind them, and giving it twice is a problem.
"""

from __future__ import annotations

from axoneme.config._agent import AgentConfig, MapEntries, RoutingMode, TunnelProtocol
from axoneme.config._configuration import (
    AGENT_SECTION,
    Configuration,
    Sections,
    SectionSource,
    parse_config,
    read_agent_config,
    read_config,
)
from axoneme.config._keys import Effect, Setting, plain, settings_of, type_words
from axoneme.config._settings import SettingsReader, settings_reader

__all__ = [
    "AGENT_SECTION",
    "AgentConfig",
    "Configuration",
    "Effect",
    "MapEntries",
    "RoutingMode",
    "SectionSource",
    "Sections",
    "Setting",
    "SettingsReader",
    "TunnelProtocol",
    "parse_config",
    "plain",
    "read_agent_config",
    "read_config",
    "settings_of",
    "settings_reader",
    "type_words",
]
