/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Round trips of one byte over one TCP connection.
 *
 * rr serve PORT			answers every connection, one after another, until it is ended
 * rr ask ADDRESS PORT COUNT	prints the median and the 99th percentile in microseconds
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

static int connect_to(const char *address, const char *port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *found;
	struct timeval patience = { .tv_sec = 2 };
	int connection;

	if (getaddrinfo(address, port, &hints, &found))
		fail(address);
	connection = socket(found->ai_family, SOCK_STREAM, 0);
	if (connect(connection, found->ai_addr, found->ai_addrlen))
		fail("connect");
	freeaddrinfo(found);
	no_delay(connection);
	setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return connection;
}

static uint32_t round_trip(int connection)
{
	struct timespec before, after;
	char byte = 0;

	clock_gettime(CLOCK_MONOTONIC, &before);
	if (write(connection, &byte, 1) != 1 || read(connection, &byte, 1) != 1)
		fail("round trip");
	clock_gettime(CLOCK_MONOTONIC, &after);
	return (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
}

static int smaller(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void ask(const char *address, const char *port, int count)
{
	uint32_t *times = calloc(count, sizeof *times);
	int connection = connect_to(address, port), i;

	for (i = 0; i < WARM_UP; i++)
		round_trip(connection);
	for (i = 0; i < count; i++)
		times[i] = round_trip(connection);
	qsort(times, count, sizeof *times, smaller);
	printf("%.3f %.3f\n", times[count / 2] / 1e3, times[(int)(count * 0.99)] / 1e3);
}

int main(int count, char **words)
{
	if (count == 3 && !strcmp(words[1], "serve"))
		serve(words[2]);
	else if (count == 5 && !strcmp(words[1], "ask"))
		ask(words[2], words[3], atoi(words[4]));
	else
		return 2;
	return 0;
}
