/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbered UDP packets, to count what is lost.
 *
 * useq listen PORT				prints: received lost reordered twice longest-gap-in-us
 * useq send ADDRESS PORT RATE SECONDS	sends until its input ends, SECONDS at most; prints: sent
 *
 * A packet is its number; the end is said ten times, with how many there were. Whatever arrives
 * until 300 ms after that counts as received.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define END		UINT64_MAX
#define MOST		(1u << 26)	/* packets in a run */
#define RECEIVE_BUFFER	(64 << 20)	/* a receiver that waits for its CPU must not lose packets */
#define PATIENCE_MS	10000
#define LINGER_MS	300
#define TICK_NS		200000

struct packet {
	uint64_t number;
	uint64_t total;	/* with END */
};

struct tally {
	uint64_t received, reordered, twice, highest, total;
	double last, longest_gap;
};

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

static void count(struct tally *tally, uint8_t *seen, uint64_t number)
{
	double time = now();

	if (number >= MOST)
		return;
	if (seen[number]) {
		tally->twice++;
		return;
	}
	seen[number] = 1;
	tally->received++;
	if (number < tally->highest)
		tally->reordered++;
	else
		tally->highest = number;
	if (tally->last && time - tally->last > tally->longest_gap)
		tally->longest_gap = time - tally->last;
	tally->last = time;
}

static int listener(const char *port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(atoi(port)) };
	int receiver = socket(AF_INET6, SOCK_DGRAM, 0), room = RECEIVE_BUFFER;

	if (setsockopt(receiver, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room))
		fail("SO_RCVBUFFORCE");
	if (bind(receiver, (struct sockaddr *)&any, sizeof any))
		fail("bind");
	return receiver;
}

static void receive(const char *port)
{
	struct pollfd ready = { .fd = listener(port), .events = POLLIN };
	uint8_t *seen = calloc(MOST, 1);
	struct tally tally = { 0 };
	struct packet packet;
	int patience = PATIENCE_MS;

	puts("ready");
	fflush(stdout);
	while (poll(&ready, 1, patience) > 0) {
		if (recv(ready.fd, &packet, sizeof packet, 0) != sizeof packet)
			continue;
		if (packet.number != END) {
			count(&tally, seen, packet.number);
			continue;
		}
		tally.total = packet.total;
		patience = LINGER_MS;
	}
	if (patience != LINGER_MS) {
		fputs("the end was not heard of\n", stderr);
		exit(1);
	}
	printf("%lu %ld %lu %lu %.0f\n", tally.received, (long)(tally.total - tally.received),
	       tally.reordered, tally.twice, tally.longest_gap * 1e6);
}

static int connect_to(const char *address, const char *port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM }, *found;
	int sender;

	if (getaddrinfo(address, port, &hints, &found))
		fail(address);
	sender = socket(found->ai_family, SOCK_DGRAM, 0);
	if (connect(sender, found->ai_addr, found->ai_addrlen))
		fail("connect");
	freeaddrinfo(found);
	return sender;
}

static void transmit(int sender, double rate, double seconds)
{
	struct timespec tick = { .tv_nsec = TICK_NS };
	struct pollfd input = { .fd = 0, .events = POLLIN };
	struct packet packet = { 0 };
	double started = now(), passed;
	uint64_t due;
	int i;

	while ((passed = now() - started) < seconds && !poll(&input, 1, 0)) {
		due = passed * rate;
		if (due > MOST)
			due = MOST;
		for (; packet.number < due; packet.number++)
			if (send(sender, &packet, sizeof packet, 0) != sizeof packet)
				fail("send");
		nanosleep(&tick, NULL);
	}
	printf("%lu\n", packet.number);
	packet.total = packet.number;
	packet.number = END;
	tick.tv_nsec = 10 * 1000 * 1000;
	for (i = 0; i < 10; i++) {
		nanosleep(&tick, NULL);
		send(sender, &packet, sizeof packet, 0);
	}
}

int main(int words, char **word)
{
	if (words == 3 && !strcmp(word[1], "listen"))
		receive(word[2]);
	else if (words == 6 && !strcmp(word[1], "send"))
		transmit(connect_to(word[2], word[3]), atof(word[4]), atof(word[5]));
	else
		return 2;
	return 0;
}
