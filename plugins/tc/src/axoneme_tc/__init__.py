# SPDX-License-Identifier: Apache-2.0
"""The tc plugin of axoneme: admission and forwarding of pod traffic."""
