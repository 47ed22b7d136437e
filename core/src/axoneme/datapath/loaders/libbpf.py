# SPDX-License-Identifier: Apache-2.0
"""The default loader: libbpf."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING, Any

from axoneme._bpf import ffi, lib
from axoneme.datapath._kernel import libbpf_messages, program_info, text_of
from axoneme.datapath.verifier import last_words, read_statistics, refused_function
from axoneme.errors import DatapathError, VerifierError
from axoneme_sdk.btf import Btf
from axoneme_sdk.elf import Elf

from .base import LoadedMap, LoadedObject, LoadedProgram

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .base import LoadRequest

_RODATA = ".rodata"
_STATISTICS = 4  # BPF_LOG_STATS: the verifier's numbers without its steps
_STEPS = 1  # BPF_LOG_LEVEL1
_STATISTICS_BYTES = 1 << 16
_STEPS_BYTES = 16 << 20  # kernels before 6.4 keep the start of a log that is longer, not its end


class LibbpfLoader:
    """Loads compiled objects."""

    name = "libbpf"

    def load(self, request: LoadRequest) -> LoadedObject:
        """Load an object's programs.

        Raises:
            VerifierError: the kernel refused a program; trunk is its name, stage the function.
            DatapathError: the object cannot be opened or a map cannot be made.
        """
        started = time.perf_counter()
        attempt, error = _try(request, _STATISTICS_BYTES)
        if error == -errno.ENOSPC:  # of the log, which kernels from 6.4 on take for a failed load
            attempt.close()
            attempt, error = _try(request, _STEPS_BYTES)
        seconds = time.perf_counter() - started
        if error:
            raise self._explain(request, attempt, error)
        try:
            return LoadedObject(attempt.loaded_programs(), attempt.maps(), seconds, attempt.close)
        except BaseException:
            attempt.close()
            raise

    def _explain(self, request: LoadRequest, attempt: _Attempt, error: int) -> DatapathError:
        """Load once more with the verifier's steps on: only now is the log worth its time."""
        name = attempt.last_tried()
        attempt.close()
        if name:
            again = _Attempt(request)
            try:
                again.load(_STEPS, _STEPS_BYTES, only=name)
                return _refusal(request.name, name, again.log(name))
            finally:
                again.close()
        why = "; ".join(attempt.messages) or os.strerror(-error)
        return DatapathError(f"{request.name} does not load: {why}")


def _try(request: LoadRequest, room: int) -> tuple[_Attempt, int]:
    """Load with a log of statistics alone, for which there is so much room."""
    attempt = _Attempt(request)
    try:
        return attempt, attempt.load(_STATISTICS, room)
    except BaseException:
        attempt.close()
        raise


def _without_rows(map_: Any) -> None:
    """Take the sizes from a ring buffer, which the kernel makes only of bytes."""
    lib.bpf_map__set_key_size(map_, 0)
    lib.bpf_map__set_value_size(map_, 0)


def _refusal(image: str, program: str, log: str) -> VerifierError:
    return VerifierError(
        f"the kernel refuses {program} of {image}",
        trunk=program,
        stage=refused_function(log) or "",
        log=last_words(log),
    )


class _Attempt:
    """One bpf_object, from open to close."""

    def __init__(self, request: LoadRequest) -> None:
        self.messages: list[str] = []
        self._buffers: dict[str, Any] = {}
        with libbpf_messages() as messages:
            self._data = ffi.from_buffer(request.data)
            self._object = lib.axn_object_open(self._data, len(request.data), request.name.encode())
        if self._object == ffi.NULL:
            raise DatapathError(f"{request.name} cannot be opened: {'; '.join(messages)}")
        try:
            self._prepare(request)
        except BaseException:
            self.close()
            raise

    def _prepare(self, request: LoadRequest) -> None:
        for name, program in self._programs():
            wanted = request.programs is None or name in request.programs
            lib.bpf_program__set_autoload(program, wanted)
        for name, map_ in self._maps():
            if lib.bpf_map__type(map_) == lib.BPF_MAP_TYPE_RINGBUF:
                _without_rows(map_)
            if name in request.reuse:
                lib.bpf_map__reuse_fd(map_, request.reuse[name])
            elif name in request.sizes:
                lib.bpf_map__set_max_entries(map_, request.sizes[name])
        self._set_constants(request)

    def _set_constants(self, request: LoadRequest) -> None:
        if not request.constants:
            return
        variables = Btf(Elf(request.data).content(".BTF")).variables(_RODATA)
        (rodata,) = (m for name, m in self._maps() if name == _RODATA)
        size = ffi.new("size_t *")
        values = ffi.cast("char *", lib.bpf_map__initial_value(rodata, size))
        for name, value in request.constants.items():
            variable = variables.get(name)
            if variable is None or variable.size != len(value):
                raise DatapathError(f"{request.name} has no constant {name} of {len(value)} bytes")
            ffi.memmove(values + variable.offset, value, len(value))

    def load(self, level: int, room: int, *, only: str = "") -> int:
        """Load, with a log of each program or of one alone; 0, or -errno."""
        for name, program in self._programs():
            if only not in ("", name):
                continue
            self._buffers[name] = ffi.new("char[]", room)
            lib.bpf_program__set_log_level(program, level)
            lib.bpf_program__set_log_buf(program, self._buffers[name], room)
        with libbpf_messages() as self.messages:
            return int(lib.bpf_object__load(self._object))

    def log(self, name: str) -> str:
        """A program's log."""
        return text_of(self._buffers[name])

    def last_tried(self) -> str:
        """The program that was refused: libbpf ends with it. Nothing if it came to none."""
        tried = [name for name in self._buffers if self.log(name)]
        return tried[-1] if tried else ""

    def loaded_programs(self) -> dict[str, LoadedProgram]:
        """What was loaded."""
        found = {}
        for name, program in self._programs():
            fd = lib.bpf_program__fd(program)
            if fd < 0:
                continue
            info, statistics = program_info(fd), read_statistics(self.log(name))
            found[name] = LoadedProgram(
                name,
                fd,
                text_of(lib.bpf_program__section_name(program)),
                statistics.instructions or info.verified_insns,
                statistics.microseconds,
                statistics.stack,
                info.jited_size,
            )
        return found

    def maps(self) -> dict[str, LoadedMap]:
        """The maps but for the constants."""
        return {
            name: LoadedMap(name, lib.bpf_map__fd(map_))
            for name, map_ in self._maps()
            if not lib.bpf_map__is_internal(map_)
        }

    def _programs(self) -> Iterator[tuple[str, Any]]:
        program = lib.bpf_object__next_program(self._object, ffi.NULL)
        while program != ffi.NULL:
            yield text_of(lib.bpf_program__name(program)), program
            program = lib.bpf_object__next_program(self._object, program)

    def _maps(self) -> Iterator[tuple[str, Any]]:
        map_ = lib.bpf_object__next_map(self._object, ffi.NULL)
        while map_ != ffi.NULL:
            name = text_of(lib.bpf_map__name(map_))
            yield (_RODATA if name.endswith(_RODATA) else name), map_
            map_ = lib.bpf_object__next_map(self._object, map_)

    def close(self) -> None:
        if self._object != ffi.NULL:
            lib.bpf_object__close(self._object)
            self._object = ffi.NULL
            self._buffers = {}
