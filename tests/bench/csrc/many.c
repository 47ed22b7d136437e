/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of 16 bytes, there and back, over many TCP connections in turn, in permuted order.
 *
 * many serve PORT			answers on every connection, until it is ended
 * many ask ADDRESS PORT CONNECTIONS	opens them; then for each line of input, a number of seconds,
 *					goes through all of them once, measures for that long, and
 *					prints the nanoseconds a message took, there and back
 */
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE	 16
#define TOGETHER 32 /* messages under way at one time: each side works off some at each wake-up */

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void no_delay(int connection)
{
	int one = 1;

	if (setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one))
		fail("TCP_NODELAY");
}

static void allow_files(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		fail("RLIMIT_NOFILE");
}

static void watch(int epoll, int file)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = file };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event))
		fail("epoll_ctl");
}

static void answer(int epoll, int listener, int file)
{
	char data[MESSAGE];
	ssize_t size;

	if (file == listener) {
		file = accept(listener, NULL, NULL);
		if (file < 0)
			fail("accept");
		no_delay(file);
		watch(epoll, file);
		return;
	}
	size = read(file, data, sizeof data);
	if (size <= 0 || write(file, data, size) != size)
		close(file);
}

static void serve(const char *port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(atoi(port)) };
	int listener = socket(AF_INET6, SOCK_STREAM, 0), epoll = epoll_create1(0), one = 1, count, i;
	struct epoll_event events[64];

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&any, sizeof any) || listen(listener, 4096))
		fail("listen");
	watch(epoll, listener);
	puts("ready");
	fflush(stdout);
	for (;;) {
		count = epoll_wait(epoll, events, 64, -1);
		for (i = 0; i < count; i++)
			answer(epoll, listener, events[i].data.fd);
	}
}

static int *connect_all(const char *address, const char *port, int count)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *found;
	struct timeval patience = { .tv_sec = 5 };
	int *connections = calloc(count, sizeof *connections), i, other, kept;

	if (getaddrinfo(address, port, &hints, &found))
		fail(address);
	for (i = 0; i < count; i++) {
		connections[i] = socket(found->ai_family, SOCK_STREAM, 0);
		if (connections[i] < 0 || connect(connections[i], found->ai_addr, found->ai_addrlen))
			fail("connect");
		no_delay(connections[i]);
		setsockopt(connections[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	}
	freeaddrinfo(found);
	srand(7);
	for (i = count - 1; i > 0; i--) {
		other = rand() % (i + 1);
		kept = connections[i];
		connections[i] = connections[other];
		connections[other] = kept;
	}
	return connections;
}

/* Some messages, beginning with that of one connection; the first connection of the next ones. */
static int exchange(const int *connections, int count, int at)
{
	char data[MESSAGE] = {};
	ssize_t got, more;
	int i;

	for (i = 0; i < TOGETHER; i++)
		if (write(connections[(at + i) % count], data, sizeof data) != sizeof data)
			fail("write");
	for (i = 0; i < TOGETHER; i++)
		for (got = 0; got < MESSAGE; got += more) {
			more = read(connections[(at + i) % count], data, sizeof data - got);
			if (more <= 0)
				fail("read");
		}
	return (at + TOGETHER) % count;
}

static void ask(const char *address, const char *port, int count)
{
	int *connections = connect_all(address, port, count), at = 0, i;
	char line[64];
	double start;
	long sent;

	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin)) {
		for (i = 0; i < count; i += TOGETHER)
			at = exchange(connections, count, at);
		start = now();
		for (sent = 0; now() - start < atof(line); sent += TOGETHER)
			at = exchange(connections, count, at);
		printf("%.1f\n", (now() - start) * 1e9 / sent);
		fflush(stdout);
	}
}

int main(int count, char **words)
{
	allow_files();
	if (count == 3 && !strcmp(words[1], "serve"))
		serve(words[2]);
	else if (count == 5 && !strcmp(words[1], "ask"))
		ask(words[2], words[3], atoi(words[4]));
	else
		return 2;
	return 0;
}
