# SPDX-License-Identifier: Apache-2.0
"""Manifests in a directory: namespaces, pods, policies, pools and nodes, as a cluster has them."""

from __future__ import annotations

from axoneme.sources.manifests.reader import ManifestReader, read_manifests
from axoneme.sources.manifests.records import Manifests, NamespaceRecord, PodRecord

__all__ = ["ManifestReader", "Manifests", "NamespaceRecord", "PodRecord", "read_manifests"]
