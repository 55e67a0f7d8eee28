/* SPDX-License-Identifier: MIT */
/* Bulk TCP with many connections on one epoll, and connections that come and go. */

#include "common.h"


struct lane {
    int fd, done;
    uint64_t count;
    uint32_t crc;
};

static struct lane *lanes;
static int lane_count, lane_set;

static void open_lanes(uint32_t events)
{
    lane_count = (int)number("connections", 1);
    lanes = calloc(lane_count, sizeof *lanes);
    lane_set = epoll_create1(0);
    for (int i = 0; i < lane_count; i++) {
        struct epoll_event event = {.events = events, .data.u32 = i};

        lanes[i].fd = connected();
        fcntl(lanes[i].fd, F_SETFL, O_NONBLOCK);
        epoll_ctl(lane_set, EPOLL_CTL_ADD, lanes[i].fd, &event);
    }
}

static unsigned resent(void)
{
    unsigned total = 0;

    for (int i = 0; i < lane_count; i++) {
        struct tcp_info info = {0};
        socklen_t size = sizeof info;

        getsockopt(lanes[i].fd, IPPROTO_TCP, TCP_INFO, &info, &size);
        total += info.tcpi_total_retrans;
    }
    return total;
}

static void print_bulk(double start, uint64_t count, const char *cc)
{
    double took = seconds_now() - start;
    uint32_t crc = lane_count ? lanes[0].crc : 0;

    printf("{\"octets\": %llu, \"seconds\": %.9f, \"cpu\": %.6f, \"wrong\": %u, \"resent\": %u, "
           "\"digest\": \"%08x\", \"congestion\": \"%s\"}\n",
           (unsigned long long)count, took, cpu_used(), wrong, resent(), crc, cc);
}

static void congestion_of(int fd, char *name, socklen_t size)
{
    memset(name, 0, size);
    getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size);
}

/* Compares the service's digest with ours. */
static void check_digest(struct lane *lane, const unsigned char *answer, ssize_t size)
{
    char expected[DIGEST + 1];

    snprintf(expected, sizeof expected, "%08x%016llx", lane->crc, (unsigned long long)lane->count);
    wrong += size != DIGEST || memcmp(answer, expected, DIGEST);
}

/* Sends until `until`, or so many octets on each connection, then FIN; ends with the peers' FIN. */
int verb_in(void)
{
    double limit = number("octets", 0), start, until;
    unsigned char answer[DIGEST + 1];
    struct epoll_event events[64];
    uint64_t total = 0;
    char cc[16];
    int left;

    open_lanes(EPOLLOUT);
    congestion_of(lanes[0].fd, cc, sizeof cc);
    left = lane_count;
    start = seconds_now();
    until = start + number("seconds", 1);
    while (left) {
        int ready = epoll_wait(lane_set, events, 64, 5000);

        if (ready <= 0) {
            errno = ETIMEDOUT;
            fail("in");
        }
        for (int i = 0; i < ready; i++) {
            struct lane *lane = &lanes[events[i].data.u32];
            struct epoll_event last = {.events = EPOLLIN, .data.u32 = events[i].data.u32};
            size_t size = SEND;
            ssize_t sent;

            if (lane->done) {
                ssize_t got = recv(lane->fd, answer, sizeof answer, 0);

                if (got > 0 && limit)
                    check_digest(lane, answer, got);
                else if (got == 0 || errno != EAGAIN) {
                    epoll_ctl(lane_set, EPOLL_CTL_DEL, lane->fd, NULL);
                    wrong += got != 0;
                    left--;
                }
                continue;
            }
            if (limit && limit - lane->count < size)
                size = limit - lane->count;
            if (size) {
                const unsigned char *from;

                size = piece(lane->count, size, period, &from);
                sent = send(lane->fd, from, size, MSG_NOSIGNAL);
                if (sent < 0 && errno != EAGAIN)
                    fail("send");
                if (sent > 0) {
                    if (limit)
                        lane->crc = crc32_more(lane->crc, from, sent);
                    lane->count += sent;
                    total += sent;
                }
            }
            if (limit ? lane->count >= limit : seconds_now() >= until) {
                lane->done = 1;
                shutdown(lane->fd, SHUT_WR);
                epoll_ctl(lane_set, EPOLL_CTL_MOD, lane->fd, &last);
            }
        }
    }
    print_bulk(start, total, cc);
    return wrong != 0;
}

/* Is this the pattern?  All of it in a verifying run, both ends of every piece in others. */
static void check_piece(struct lane *lane, const unsigned char *data, size_t size, int all)
{
    size_t edge = size < 64 ? size : 64;

    if (all) {
        wrong += !is_pattern(data, size, lane->count);
        lane->crc = crc32_more(lane->crc, data, size);
    } else {
        wrong += !is_pattern(data, edge, lane->count);
        wrong += !is_pattern(data + size - edge, edge, lane->count + size - edge);
    }
}

/* Receives from the pattern's source, counted from `settle` on. */
int verb_out(void)
{
    static unsigned char data[CHUNK];
    double limit = number("octets", 0), seconds = number("seconds", 1), start, from;
    struct epoll_event events[64];
    struct linger reset = {1, 0};
    uint64_t total = 0, least;
    int counting = 0;

    open_lanes(EPOLLIN);
    start = from = seconds_now();
    from += number("settle", 0);
    do {
        int ready = epoll_wait(lane_set, events, 64, 5000);

        if (ready <= 0) {
            errno = ETIMEDOUT;
            fail("out");
        }
        if (!counting && seconds_now() >= from) {
            counting = 1;
            start = seconds_now();
            total = 0;
        }
        for (int i = 0; i < ready; i++) {
            struct lane *lane = &lanes[events[i].data.u32];
            size_t room = limit && limit - lane->count < CHUNK ? limit - lane->count : CHUNK;
            ssize_t size = room ? recv(lane->fd, data, room, 0) : 0;

            if (!room)
                continue;
            if (size <= 0 && !(size < 0 && errno == EAGAIN))
                fail("the source ended");
            if (size > 0) {
                check_piece(lane, data, size, limit != 0);
                lane->count += size;
                total += size;
            }
        }
        least = lanes[0].count;
        for (int i = 1; i < lane_count; i++)
            least = lanes[i].count < least ? lanes[i].count : least;
    } while (limit ? least < limit : seconds_now() < start + seconds || !counting);
    print_bulk(start, total, "");
    for (int i = 0; i < lane_count; i++)
        setsockopt(lanes[i].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    return wrong != 0;
}

/* Connections: connect, request, response, the subject's FIN, ours. */

struct call {
    int fd, sent, got;
};

static void begin_call(int set, struct call *call, int index)
{
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = index};

    *call = (struct call){.fd = stream(SOCK_NONBLOCK)};
    if (connect(call->fd, (void *)&to, to_size) && errno != EINPROGRESS)
        fail("connect");
    epoll_ctl(set, EPOLL_CTL_ADD, call->fd, &event);
}

/* 1 when it is over, -1 when it went wrong. */
static int further(int set, struct call *call, int index)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    unsigned char answer[MESSAGE + 1];
    ssize_t size;

    if (!call->sent) {
        if (send(call->fd, pattern, MESSAGE, MSG_NOSIGNAL) != MESSAGE)
            return -1;
        call->sent = 1;
        epoll_ctl(set, EPOLL_CTL_MOD, call->fd, &event);
        return 0;
    }
    size = recv(call->fd, answer, sizeof answer, 0);
    if (size > 0) {
        wrong += memcmp(answer, pattern + call->got, size) != 0;
        call->got += size;
        size = recv(call->fd, answer, sizeof answer, 0);
    }
    if (size < 0)
        return errno == EAGAIN ? 0 : -1;
    return size ? 0 : call->got == MESSAGE ? 1 : -1;
}

int verb_connect(void)
{
    int together = (int)number("together", 1), set = epoll_create1(0);
    struct call *calls = calloc(together, sizeof *calls);
    double seconds = number("seconds", 1), start = seconds_now();
    struct epoll_event events[64];
    uint64_t count = 0, failed = 0;

    for (int i = 0; i < together; i++)
        begin_call(set, &calls[i], i);
    while (going_on(start, seconds, count)) {
        int ready = epoll_wait(set, events, 64, 1000);

        for (int i = 0; i < ready; i++) {
            int index = events[i].data.u32, state = further(set, &calls[index], index);

            if (!state)
                continue;
            count += state > 0;
            failed += state < 0;
            close(calls[index].fd);
            begin_call(set, &calls[index], index);
        }
    }
    printf("{\"count\": %llu, \"seconds\": %.9f, \"cpu\": %.6f, \"failed\": %llu, \"wrong\": %u}\n",
           (unsigned long long)count, seconds_now() - start, cpu_used(), (unsigned long long)failed, wrong);
    return wrong != 0;
}

/* Holds idle connections until standard input ends. */
int verb_hold(void)
{
    int count = (int)number("connections", 1000);
    char end;

    for (int i = 0; i < count; i++)
        connected();
    printf("{\"held\": %d}\n", count);
    fflush(stdout);
    while (read(0, &end, 1) > 0)
        ;
    return 0;
}
