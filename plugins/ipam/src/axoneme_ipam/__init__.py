# SPDX-License-Identifier: Apache-2.0
"""The ipam plugin of axoneme: which addresses nodes have for their pods, and which pods get."""
