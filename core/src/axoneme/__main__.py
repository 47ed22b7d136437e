# SPDX-License-Identifier: Apache-2.0
"""`python -m axoneme` is the command `axoneme` of this python."""

from __future__ import annotations

from axoneme.cli import main

if __name__ == "__main__":
    main()
