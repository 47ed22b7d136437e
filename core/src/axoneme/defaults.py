# SPDX-License-Identifier: Apache-2.0
"""Where things are unless somebody says otherwise; both the configuration and the command know."""

from __future__ import annotations

from pathlib import Path
from typing import Final

CONFIG_FILE: Final = Path("/etc/axoneme/axoneme.toml")
#: Names another configuration, for commands that are not told one by `--config`.
CONFIG_VARIABLE: Final = "AXONEME_CONFIG"
RUN_DIR: Final = Path("/run/axoneme")
