# SPDX-License-Identifier: Apache-2.0
"""The one error of this package: a device, the kernel's reason and what to do about it."""

from __future__ import annotations

import errno as numbers
import os

from axoneme.errors import AxonemeError

_ADVICE = {
    numbers.EACCES: "run as root, or with CAP_NET_ADMIN",
    numbers.EADDRNOTAVAIL: "see what it has with `ip address`",
    numbers.EEXIST: "remove the one that is there, or choose another name",
    numbers.EHOSTUNREACH: "give the gateway a route through this device first",
    numbers.ENETDOWN: "set the device up first",
    numbers.ENETUNREACH: "give the gateway a route through this device first",
    numbers.ENODEV: "see the devices of this network namespace with `ip link`",
    numbers.ENOENT: "see what is there with `ip neighbour` and `tc filter show`",
    numbers.EOPNOTSUPP: "load the kernel module for it, or use a kernel that has it",
    numbers.EPERM: "run as root, or with CAP_NET_ADMIN",
    numbers.ERANGE: "a device's name has at most 15 characters",
    numbers.EROFS: "mount /proc/sys writable, or set it on the host",
    numbers.ESRCH: "see what is there with `ip route`",
}


class NetworkError(AxonemeError):
    """Correct what the message names: the kernel refused it and `device` is as it was before."""

    def __init__(
        self,
        message: str,
        *,
        device: str = "",
        errno: int = 0,
        detail: str = "",
        advice: str = "",
    ) -> None:
        super().__init__(message)
        self.device = device
        self.errno = errno
        self.detail = detail
        self.advice = advice or _ADVICE.get(errno, "")

    def __str__(self) -> str:
        text = f"{self.device}: {self.message}" if self.device else self.message
        if not self.errno:
            return text
        name = numbers.errorcode.get(self.errno, str(self.errno))
        reason = f"{self.detail or os.strerror(self.errno)} ({name})"
        return f"{text}: {reason}; {self.advice}" if self.advice else f"{text}: {reason}"
