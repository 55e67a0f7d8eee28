/* SPDX-License-Identifier: MIT */
/* What the load generator (load.c) and the kernel's services (serve.c) share. */

#ifndef WSKSTACK_LOAD_COMMON_H
#define WSKSTACK_LOAD_COMMON_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    ECHO = 7,      /* TCP, UDP: back it goes */
    DISCARD = 9,   /* TCP, UDP: counted and forgotten */
    CHECKED = 10,  /* TCP: digest of all that came, after FIN.  UDP: how many came to DISCARD */
    SOURCE = 19,   /* TCP: the pattern, over and over.  UDP: a burst for each request */
    RESPOND = 20,  /* TCP: one request, one response, FIN */
    COLD_SOURCE = 29, /* TCP: all of the pattern, too much for a cache, over and over */
};

enum { CHUNK = 1 << 18, SEND = 1 << 20, BATCH = 32, LARGEST = 65536, MESSAGE = 64, DIGEST = 24 };

/* The pattern: a file of random octets.  What is `hot` repeats its first HOT_PERIOD octets, which
 * stay in a processor's cache; what is not repeats all of it.  Both lengths are primes. */
#define HOT_PERIOD ((size_t)1048573)
extern unsigned char *pattern;
extern size_t period, whole;

void fail(const char *what);
double seconds_now(void);
void read_pattern(const char *path);
size_t piece(uint64_t at, size_t most, size_t length, const unsigned char **from);
int is_pattern(const unsigned char *data, size_t size, uint64_t at);
uint32_t crc32_more(uint32_t crc, const unsigned char *data, size_t size);
void set_congestion(int fd, const char *name);
const char *argument(const char *name, const char *otherwise);
double number(const char *name, double otherwise);
double cpu_used(void);
int going_on(double start, double seconds, uint64_t count);
void set_target(const char *address, int port);
int stream(int flags);
int connected(void);
int datagrams(void);
void print_times(double *times, size_t count, double took);

extern struct sockaddr_storage to;
extern socklen_t to_size;
extern unsigned wrong; /* pieces of data that were not what was sent */

int serve(void);
int verb_in(void);
int verb_out(void);
int verb_connect(void);
int verb_hold(void);
int verb_round_trips(void);
int verb_ping(void);
int verb_first(void);
int verb_echo(void);
int verb_sink(void);
int verb_burst(void);

#endif
