// SPDX-License-Identifier: Apache-2.0
/*
 * A wall clock that a file moves: preloaded, it adds the seconds that the file WALL_CLOCK holds.
 * The other clocks are the kernel's.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long offset(void)
{
	const char *path = getenv("WALL_CLOCK");
	FILE *file = path ? fopen(path, "r") : NULL;
	long seconds = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%ld", &seconds) != 1)
		seconds = 0;
	fclose(file);
	return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
	int result = real(clock, time);

	if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		time->tv_sec += offset();
	return result;
}
