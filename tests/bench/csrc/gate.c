/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When datagrams begin and cease to arrive.
 *
 * gate SENDER RECEIVER INTERVAL	both are descriptors of UDP sockets that it inherits
 *
 * Sends a numbered datagram every INTERVAL microseconds until its input ends. It waits for each one
 * until the next is due. Whenever that is another outcome than the one before, it prints a line: 1
 * if it arrived or 0, and when it was sent, in nanoseconds of CLOCK_MONOTONIC.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#define SECOND 1000000000ll

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* Whether a datagram arrives before a time; earlier ones that were late do not count. */
static int arrives(int receiver, uint64_t number, int64_t end)
{
	struct pollfd ready = { .fd = receiver, .events = POLLIN };
	struct timespec patience = { 0 };
	uint64_t found;
	int64_t left;

	for (;;) {
		while (recv(receiver, &found, sizeof found, MSG_DONTWAIT) == sizeof found)
			if (found == number)
				return 1;
		left = end - now();
		if (left <= 0)
			return 0;
		patience.tv_nsec = left;
		if (ppoll(&ready, 1, &patience, NULL) < 0)
			fail("ppoll");
	}
}

int main(int count, char **words)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	int sender, receiver, outcome, before = -1;
	struct timespec until;
	int64_t sent, due, interval;
	uint64_t number;

	if (count != 4)
		return 2;
	sender = atoi(words[1]);
	receiver = atoi(words[2]);
	interval = atoll(words[3]) * 1000;
	prctl(PR_SET_TIMERSLACK, 1);
	for (number = 0; !poll(&input, 1, 0); number++) {
		sent = now();
		due = sent + interval;
		/* A program that refuses a datagram may say so: it is lost all the same. */
		if (send(sender, &number, sizeof number, 0) < 0 && errno != EPERM && errno != ENOBUFS)
			fail("send");
		outcome = arrives(receiver, number, due);
		if (outcome != before) {
			printf("%d %lld\n", outcome, (long long)sent);
			fflush(stdout);
		}
		before = outcome;
		until = (struct timespec){ due / SECOND, due % SECOND };
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	}
	return 0;
}
