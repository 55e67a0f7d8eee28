/* SPDX-License-Identifier: MIT */
/*
 * Datagrams.  With segments=N each send is a super-frame of N (UDP_SEGMENT), and what comes back
 * may be one too (UDP_GRO).
 */

#include "common.h"

static unsigned char outgoing[LARGEST], incoming[BATCH][LARGEST];

static int segment_size(struct msghdr *head, int otherwise)
{
    for (struct cmsghdr *item = CMSG_FIRSTHDR(head); item; item = CMSG_NXTHDR(head, item))
        if (item->cmsg_level == IPPROTO_UDP && item->cmsg_type == UDP_GRO)
            return *(int *)CMSG_DATA(item);
    return otherwise;
}

/* Datagrams of `size` that have arrived, at once; those that are not the pattern are wrong. */
static int take_datagrams(int fd, int size)
{
    static struct mmsghdr heads[BATCH];
    static struct iovec parts[BATCH];
    static char control[BATCH][64];
    int total = 0, count;

    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){incoming[i], LARGEST};
        heads[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i],
                                           .msg_iovlen = 1,
                                           .msg_control = control[i],
                                           .msg_controllen = sizeof control[i]};
    }
    count = recvmmsg(fd, heads, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        int whole = heads[i].msg_len, each = segment_size(&heads[i].msg_hdr, whole);

        wrong += each != size || whole % size;
        for (int at = 0; at + size <= whole; at += size)
            wrong += memcmp(incoming[i] + at, pattern, size) != 0;
        total += whole / size;
    }
    return total;
}

/* How many of `count` datagrams of `size` could be sent at once. */
static int give_datagrams(int fd, int size, int count, int segments)
{
    static struct mmsghdr heads[BATCH];
    static struct iovec parts[BATCH];
    int messages = count / segments, done;

    if (messages > BATCH)
        messages = BATCH;
    for (int i = 0; i < messages; i++) {
        parts[i] = (struct iovec){outgoing, (size_t)size * segments};
        heads[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    done = messages ? sendmmsg(fd, heads, messages, 0) : 0;
    if (done < 0 && errno != EAGAIN && errno != ENOBUFS)
        fail("sendmmsg");
    return done > 0 ? done * segments : 0;
}

static int loaded_datagrams(int size, int segments)
{
    int fd = datagrams(), one = 1;

    for (int i = 0; i < segments && (i + 1) * size <= LARGEST; i++)
        memcpy(outgoing + i * size, pattern, size);
    if (segments > 1 && setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size))
        fail("UDP_SEGMENT");
    if (number("gro", segments > 1))
        setsockopt(fd, IPPROTO_UDP, UDP_GRO, &one, sizeof one);
    return fd;
}

struct tally {
    uint64_t count, lost;
    int flying;
};

/* Counts what has come; after a tenth of a second without any, what is in flight is lost. */
static void take_and_tally(int fd, int size, struct tally *tally)
{
    struct pollfd wait = {fd, POLLIN, 0};
    int came = take_datagrams(fd, size);

    if (!came && !poll(&wait, 1, 100)) {
        tally->lost += tally->flying;
        tally->flying = 0;
    }
    tally->count += came;
    tally->flying -= came < tally->flying ? came : tally->flying;
}

static int print_tally(const struct tally *tally, double start)
{
    printf("{\"count\": %llu, \"seconds\": %.9f, \"cpu\": %.6f, \"lost\": %llu, \"wrong\": %u}\n",
           (unsigned long long)tally->count, seconds_now() - start, cpu_used(),
           (unsigned long long)tally->lost, wrong);
    return wrong != 0;
}

/* Keeps `window` in flight; a lost one is replaced. */
int verb_echo(void)
{
    int size = (int)number("size", 64), segments = (int)number("segments", 1);
    int window = (int)number("window", 64) * segments, fd = loaded_datagrams(size, segments);
    double seconds = number("seconds", 1), start = seconds_now();
    struct tally tally = {0};

    do {
        tally.flying += give_datagrams(fd, size, window - tally.flying, segments);
        take_and_tally(fd, size, &tally);
    } while (going_on(start, seconds, tally.count));
    return print_tally(&tally, start);
}

/* How many datagrams the subject's sink has seen. */
static uint64_t arrived(int fd)
{
    uint64_t count;

    for (int turn = 0; turn < 50; turn++) {
        struct pollfd wait = {fd, POLLIN, 0};

        if (send(fd, "?", 1, 0) == 1 && poll(&wait, 1, 100) > 0 &&
            recv(fd, &count, sizeof count, 0) == sizeof count)
            return count;
    }
    errno = ETIMEDOUT;
    fail("the sink does not say how many came");
    return 0;
}

/* Floods; counted is what the subject says has arrived, which takes until the queue is empty. */
int verb_sink(void)
{
    int size = (int)number("size", 64), segments = (int)number("segments", 1);
    int fd = loaded_datagrams(size, segments), asked;
    double seconds = number("seconds", 1), start, now;
    uint64_t sent = 0, before, after;

    set_target(argument("address", ""), CHECKED);
    asked = datagrams();
    before = arrived(asked);
    start = seconds_now();
    do {
        sent += give_datagrams(fd, size, BATCH * segments, segments);
        now = seconds_now();
    } while (now < start + seconds);
    after = arrived(asked);
    now = seconds_now();
    printf("{\"count\": %llu, \"sent\": %llu, \"seconds\": %.9f, \"cpu\": %.6f}\n",
           (unsigned long long)(after - before), (unsigned long long)sent, now - start, cpu_used());
    return 0;
}

/* Asks for bursts, two of them under way. */
int verb_burst(void)
{
    int size = (int)number("size", 64), burst = (int)number("burst", 64), fd;
    double seconds = number("seconds", 1), start;
    uint16_t wish[2] = {htons(burst), htons(size)};
    struct tally tally = {0};

    fd = loaded_datagrams(size, 1);
    start = seconds_now();
    do {
        while (tally.flying <= burst) {
            if (send(fd, wish, sizeof wish, 0) < 0)
                fail("send");
            tally.flying += burst;
        }
        take_and_tally(fd, size, &tally);
    } while (going_on(start, seconds, tally.count));
    return print_tally(&tally, start);
}
