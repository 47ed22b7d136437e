/* SPDX-License-Identifier: Apache-2.0 */
/* What lets the static archives of libbpf and libelf stand inside a shared object, and libbpf's
 * messages.
 *
 * Debian builds both for executables, and only two things in them stand in the way. libelf keeps
 * its error in local-exec TLS (elf_error.o): with that file's three functions here, the linker
 * never takes it. libbpf reaches `stderr` as if it lay in the same file: so it does, a hidden one
 * of our own. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "axn.h"

#define HIDDEN __attribute__((visibility("hidden")))

static void (*log_line)(int level, char *text);
static int log_level;

static __thread int elf_error;

HIDDEN void __libelf_seterrno(int error)
{
	elf_error = error;
}

HIDDEN int elf_errno(void)
{
	int error = elf_error;

	elf_error = 0;
	return error;
}

HIDDEN const char *elf_errmsg(int error)
{
	(void)error;
	return "libelf cannot read this object";
}

/* libbpf prints what netlink refuses to stderr and nowhere else: it is a message like the
 * others. */
static ssize_t write_line(void *cookie, const char *text, size_t size)
{
	char *line;

	(void)cookie;
	if (!log_line)
		return write(STDERR_FILENO, text, size);
	line = strndup(text, size);
	if (line)
		log_line(LIBBPF_WARN, line);
	free(line);
	return size;
}

HIDDEN FILE *axn_stderr __asm__("stderr");

__attribute__((constructor)) static void open_stderr(void)
{
	axn_stderr = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = write_line });
	if (!axn_stderr)
		abort(); /* no memory for one FILE while Python loads a module */
	setvbuf(axn_stderr, NULL, _IOLBF, BUFSIZ);
}

static int print_line(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char *line;
	int size;

	if ((int)level > log_level)
		return 0;
	size = vasprintf(&line, format, arguments);
	if (size < 0)
		return 0;
	log_line(level, line);
	free(line);
	return size;
}

void axn_log_to(void (*line)(int level, char *text), int level)
{
	log_line = line;
	log_level = level;
	libbpf_set_print(print_line);
}
