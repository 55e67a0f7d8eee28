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
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    ECHO = 7,      /* TCP, UDP: back it goes */
    DISCARD = 9,   /* TCP, UDP: counted and forgotten */
    CHECKED = 10,  /* TCP: digest of all that came, after FIN.  UDP: how many came to DISCARD */
    SOURCE = 19,   /* TCP: the pattern, over and over.  UDP: a burst for each request */
    RESPOND = 20,  /* TCP: one request, one response, FIN */
};

enum { CHUNK = 1 << 18, BATCH = 32, LARGEST = 65536, MESSAGE = 64, DIGEST = 24 };

#define PATTERN_MOST (1 << 21)

extern unsigned char *pattern; /* twice, so that any CHUNK of it is in one piece */
extern size_t period;

void fail(const char *what);
double seconds_now(void);
void read_pattern(const char *path);
int is_pattern(const unsigned char *data, size_t size, uint64_t at);
uint32_t crc32_more(uint32_t crc, const unsigned char *data, size_t size);
void set_congestion(int fd, const char *name);
const char *argument(const char *name, const char *otherwise);
double number(const char *name, double otherwise);
int serve(void);

#endif
