/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Round trips of one byte over TCP, and connections.
 *
 * rr serve PORT			answers every connection, one after another, until it is ended
 * rr ask ADDRESS PORT COUNT	prints the median and the 99th percentile of round trips over one
 *				connection, in microseconds
 * rr connect ADDRESS PORT COUNT	makes connections, one after another, for one round trip each;
 *				prints the same of the time until they were open, and how many
 *				were made and ended in a second
 *
 * Connections are ended by a reset: thousands that wait for their time to end would use up the
 * ports.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP 2000

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void no_delay(int connection)
{
	int one = 1;

	if (setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one))
		fail("TCP_NODELAY");
}

static void serve(const char *port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(atoi(port)) };
	int listener = socket(AF_INET6, SOCK_STREAM, 0), one = 1, connection;
	char byte;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&any, sizeof any) || listen(listener, 8))
		fail("listen");
	puts("ready");
	fflush(stdout);
	for (;;) {
		connection = accept(listener, NULL, NULL);
		if (connection < 0)
			fail("accept");
		no_delay(connection);
		while (read(connection, &byte, 1) == 1 && write(connection, &byte, 1) == 1)
			;
		close(connection);
	}
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static struct addrinfo *find(const char *address, const char *port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *found;

	if (getaddrinfo(address, port, &hints, &found))
		fail(address);
	return found;
}

/* A connection to a place; `time` becomes how long it took to be opened. */
static int connect_to(const struct addrinfo *place, uint32_t *time)
{
	struct linger reset = { .l_onoff = 1 };
	struct timeval patience = { .tv_sec = 2 };
	int connection = socket(place->ai_family, SOCK_STREAM, 0);
	int64_t before;

	no_delay(connection);
	setsockopt(connection, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	before = now();
	if (connect(connection, place->ai_addr, place->ai_addrlen))
		fail("connect");
	*time = now() - before;
	return connection;
}

static uint32_t round_trip(int connection)
{
	int64_t before = now();
	char byte = 0;

	if (write(connection, &byte, 1) != 1 || read(connection, &byte, 1) != 1)
		fail("round trip");
	return now() - before;
}

static int smaller(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void print(uint32_t *times, int count)
{
	qsort(times, count, sizeof *times, smaller);
	printf("%.3f %.3f", times[count / 2] / 1e3, times[(int)(count * 0.99)] / 1e3);
}

static void ask(const struct addrinfo *place, int count)
{
	uint32_t *times = calloc(count, sizeof *times), opened;
	int connection = connect_to(place, &opened), i;

	for (i = 0; i < WARM_UP; i++)
		round_trip(connection);
	for (i = 0; i < count; i++)
		times[i] = round_trip(connection);
	print(times, count);
	puts("");
}

static void open_and_close(const struct addrinfo *place, uint32_t *time)
{
	int connection = connect_to(place, time);

	round_trip(connection);
	close(connection);
}

static void connect_often(const struct addrinfo *place, int count)
{
	uint32_t *times = calloc(count, sizeof *times), opened;
	int64_t before;
	double seconds;
	int i;

	for (i = 0; i < WARM_UP / 10; i++)
		open_and_close(place, &opened);
	before = now();
	for (i = 0; i < count; i++)
		open_and_close(place, &times[i]);
	seconds = (now() - before) / 1e9;
	print(times, count);
	printf(" %.1f\n", count / seconds);
}

int main(int count, char **words)
{
	if (count == 3 && !strcmp(words[1], "serve"))
		serve(words[2]);
	else if (count == 5 && !strcmp(words[1], "ask"))
		ask(find(words[2], words[3]), atoi(words[4]));
	else if (count == 5 && !strcmp(words[1], "connect"))
		connect_often(find(words[2], words[3]), atoi(words[4]));
	else
		return 2;
	return 0;
}
