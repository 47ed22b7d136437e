# SPDX-License-Identifier: Apache-2.0
"""The Container Network Interface, 1.1: how a runtime asks the agent for a pod's network.

The executable that runtimes start is a file of its own (`executable`); what it sends arrives at
`serve_cni`, as a `CniRequest` for the agent's `CniHandler`.
"""

from __future__ import annotations

from axoneme.cni.attachments import Attachment, Attachments
from axoneme.cni.errors import CniError, Code
from axoneme.cni.install import install, uninstall
from axoneme.cni.kept import do_kept
from axoneme.cni.request import CniRequest, Command, NetworkConfig, read_request
from axoneme.cni.results import CniResult
from axoneme.cni.server import CniHandler, serve_cni

__all__ = [
    "Attachment",
    "Attachments",
    "CniError",
    "CniHandler",
    "CniRequest",
    "CniResult",
    "Code",
    "Command",
    "NetworkConfig",
    "do_kept",
    "install",
    "read_request",
    "serve_cni",
    "uninstall",
]
