/* SPDX-License-Identifier: MIT */
/* One thing in flight: requests, ICMP echo. */

#include "common.h"

/* One request in flight. */

int verb_round_trips(void)
{
    int udp = !strcmp(argument("proto", "tcp"), "udp");
    int size = (int)number("size", MESSAGE), fd = udp ? datagrams() : connected();
    double seconds = number("seconds", 1), start = seconds_now(), before = start, now;
    size_t count = 0, most = 4000000;
    double *times = malloc(most * sizeof *times);
    unsigned char answer[LARGEST];
    struct timeval patience = {1, 0};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    do {
        const unsigned char *request = pattern + count % (HOT_PERIOD - LARGEST);

        if (send(fd, request, size, 0) != size)
            fail("send");
        for (int got = 0; got < size;) {
            ssize_t more = recv(fd, answer + got, size - got, 0);

            if (more <= 0)
                fail("no answer");
            got += more;
        }
        wrong += memcmp(answer, request, size) != 0;
        now = seconds_now();
        times[count++] = now - before;
        before = now;
    } while (now < start + seconds && count < most);
    print_times(times, count, now - start);
    return wrong != 0;
}

/* ICMP echo. */

static uint16_t internet_checksum(const unsigned char *data, int size)
{
    uint32_t sum = 0;

    for (int i = 0; i < size; i += 2)
        sum += data[i] << 8 | data[i + 1];
    while (sum >> 16)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return htons((uint16_t)~sum);
}

/* Seconds to the reply, or less than zero. */
static double ping(int fd, int v6, uint16_t sequence, double patience)
{
    unsigned char request[64] = {v6 ? 128 : 8}, reply[2048];
    uint16_t ident = htons(getpid() & 0xFFFF), order = htons(sequence), sum;
    double start, left;

    memcpy(request + 4, &ident, 2);
    memcpy(request + 6, &order, 2);
    memcpy(request + 8, pattern, 56);
    sum = internet_checksum(request, 64);
    if (!v6)
        memcpy(request + 2, &sum, 2);
    start = seconds_now();
    if (send(fd, request, sizeof request, 0) < 0)
        return -1;
    while ((left = start + patience - seconds_now()) > 0) {
        struct pollfd wait = {fd, POLLIN, 0};
        struct timespec time = {(time_t)left, (long)((left - (time_t)left) * 1e9)};
        unsigned char *icmp = reply;
        ssize_t size;

        if (ppoll(&wait, 1, &time, NULL) <= 0)
            break;
        size = recv(fd, reply, sizeof reply, 0);
        if (!v6)
            icmp += (reply[0] & 15) * 4;
        if (size > 0 && icmp[0] == (v6 ? 129 : 0) && !memcmp(icmp + 4, request + 4, 60))
            return seconds_now() - start;
    }
    return -1;
}

static int ping_socket(int v6)
{
    int fd = socket(to.ss_family, SOCK_RAW, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
    struct sockaddr_storage bare = to;

    if (v6)
        ((struct sockaddr_in6 *)&bare)->sin6_port = 0;
    if (fd < 0 || connect(fd, (void *)&bare, to_size))
        fail("ping");
    return fd;
}

int verb_ping(void)
{
    int v6 = to.ss_family == AF_INET6, fd = ping_socket(v6);
    double seconds = number("seconds", 1), gap = number("gap", 0.002);
    double start = seconds_now();
    size_t count = 0, most = 1000000;
    double *times = malloc(most * sizeof *times);

    for (unsigned turn = 0; seconds_now() < start + seconds && count < most; turn++) {
        double took = ping(fd, v6, (uint16_t)turn, 1);

        if (took < 0)
            wrong++;
        else
            times[count++] = took;
        if (gap > 0)
            usleep((useconds_t)(gap * 1e6));
    }
    print_times(times, count, seconds_now() - start);
    return wrong != 0;
}

/* Every half millisecond until one is answered. */
int verb_first(void)
{
    int v6 = to.ss_family == AF_INET6, fd = ping_socket(v6);
    double start = seconds_now(), patience = number("seconds", 10);

    for (unsigned turn = 0; seconds_now() < start + patience; turn++)
        if (ping(fd, v6, (uint16_t)turn, 0.0005) >= 0) {
            printf("{\"seconds\": %.9f}\n", seconds_now() - start);
            return 0;
        }
    errno = ETIMEDOUT;
    fail("first");
    return 1;
}
