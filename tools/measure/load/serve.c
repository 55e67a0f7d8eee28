/* SPDX-License-Identifier: MIT */
/*
 * The services on the kernel's sockets, as lean as C makes them: what the kernel can do with
 * itself.  A process each for bulk TCP, UDP echo, UDP sink and the accept loop.
 */

#include "common.h"

static int dual_stack(int type, int port)
{
    struct sockaddr_in6 own = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int one = 1, zero = 0, fd = socket(AF_INET6, type, 0);

    if (fd < 0)
        fail("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (bind(fd, (void *)&own, sizeof own))
        fail("bind");
    return fd;
}

static int listening(int port)
{
    int fd = dual_stack(SOCK_STREAM, port);

    set_congestion(fd, argument("cc", "reno"));
    if (listen(fd, 4096))
        fail("listen");
    return fd;
}

/* Bulk TCP: one thread, one epoll. */

struct flow {
    int fd, port, is_listener;
    uint64_t count;
    uint32_t crc;
};

static unsigned char buffer[CHUNK];

static void answer_digest(struct flow *flow)
{
    char text[DIGEST + 1];

    snprintf(text, sizeof text, "%08x%016llx", flow->crc, (unsigned long long)flow->count);
    if (send(flow->fd, text, DIGEST, MSG_NOSIGNAL) < 0)
        perror("digest");
}

static int flow_ready(struct flow *flow)
{
    ssize_t size;

    if (flow->port == SOURCE || flow->port == COLD_SOURCE) {
        const unsigned char *from;
        size_t length = flow->port == SOURCE ? HOT_PERIOD : whole;

        length = piece(flow->count, SEND, length, &from);
        size = send(flow->fd, from, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size > 0)
            flow->count += size;
        return size > 0 || errno == EAGAIN;
    }
    size = recv(flow->fd, buffer, CHUNK, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN)
        return 1;
    if (size <= 0) {
        if (size == 0 && flow->port == CHECKED)
            answer_digest(flow);
        return 0;
    }
    flow->count += size;
    if (flow->port == CHECKED)
        flow->crc = crc32_more(flow->crc, buffer, size);
    if (flow->port == ECHO)
        return send(flow->fd, buffer, size, MSG_NOSIGNAL) == size;
    return 1;
}

static void watch(int set, int fd, int port, int is_listener)
{
    struct flow *flow = calloc(1, sizeof *flow);
    struct epoll_event event = {.data.ptr = flow};

    *flow = (struct flow){.fd = fd, .port = port, .is_listener = is_listener};
    event.events = EPOLLIN;
    if ((port == SOURCE || port == COLD_SOURCE) && !is_listener)
        event.events = EPOLLOUT;
    if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event))
        fail("epoll_ctl");
}

static void bulk(void)
{
    static const int ports[] = {ECHO, DISCARD, CHECKED, SOURCE, COLD_SOURCE};
    struct epoll_event events[64];
    int one = 1, set = epoll_create1(0);

    for (unsigned i = 0; i < sizeof ports / sizeof *ports; i++)
        watch(set, listening(ports[i]), ports[i], 1);
    for (;;) {
        int ready = epoll_wait(set, events, 64, -1);

        for (int i = 0; i < ready; i++) {
            struct flow *flow = events[i].data.ptr;

            if (flow->is_listener) {
                int fd = accept(flow->fd, NULL, NULL);

                if (fd < 0)
                    continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                watch(set, fd, flow->port, 0);
            } else if (!flow_ready(flow)) {
                close(flow->fd);
                free(flow);
            }
        }
    }
}

/* The accept loop. */

static void respond(void)
{
    int fd = listening(RESPOND), one = 1;
    char request[MESSAGE];

    for (;;) {
        int peer = accept(fd, NULL, NULL);

        if (peer < 0)
            continue;
        setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (recv(peer, request, sizeof request, MSG_WAITALL) == MESSAGE)
            send(peer, request, sizeof request, MSG_NOSIGNAL);
        close(peer);
    }
}

/* Datagrams. */

static unsigned char room[BATCH][2048];

static int receive_batch(int fd, struct mmsghdr *heads, struct iovec *parts,
                         struct sockaddr_in6 *from, int flags)
{
    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){room[i], sizeof room[i]};
        heads[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
                                           .msg_namelen = sizeof from[i],
                                           .msg_iov = &parts[i],
                                           .msg_iovlen = 1};
    }
    return recvmmsg(fd, heads, BATCH, flags, NULL);
}

static void udp_echo(void)
{
    struct mmsghdr heads[BATCH];
    struct iovec parts[BATCH];
    struct sockaddr_in6 from[BATCH];
    int fd = dual_stack(SOCK_DGRAM, ECHO);

    for (;;) {
        int count = receive_batch(fd, heads, parts, from, MSG_WAITFORONE);

        for (int i = 0; i < count; i++)
            parts[i].iov_len = heads[i].msg_len;
        if (count > 0)
            sendmmsg(fd, heads, count, 0);
    }
}

static void udp_sink(void)
{
    struct mmsghdr heads[BATCH];
    struct iovec parts[BATCH];
    struct sockaddr_in6 from[BATCH], who;
    int sink = dual_stack(SOCK_DGRAM, DISCARD), asked = dual_stack(SOCK_DGRAM, CHECKED);
    uint64_t count = 0;

    for (;;) {
        struct pollfd both[] = {{sink, POLLIN, 0}, {asked, POLLIN, 0}};
        socklen_t size = sizeof who;
        int came;

        poll(both, 2, -1);
        do {
            came = receive_batch(sink, heads, parts, from, MSG_DONTWAIT);
            count += came > 0 ? came : 0;
        } while (came == BATCH);
        if (both[1].revents && recvfrom(asked, room[0], 8, 0, (void *)&who, &size) >= 0)
            sendto(asked, &count, sizeof count, 0, (void *)&who, size);
    }
}

/* A request is the number of datagrams wanted and their size, two 16-bit numbers. */
static void udp_burst(void)
{
    int fd = dual_stack(SOCK_DGRAM, SOURCE);
    struct mmsghdr heads[BATCH];
    struct iovec part;

    for (;;) {
        struct sockaddr_in6 who;
        socklen_t size = sizeof who;
        uint16_t wish[2];

        if (recvfrom(fd, wish, sizeof wish, 0, (void *)&who, &size) != sizeof wish)
            continue;
        part = (struct iovec){pattern, ntohs(wish[1])};
        for (int i = 0; i < BATCH; i++)
            heads[i].msg_hdr = (struct msghdr){.msg_name = &who,
                                               .msg_namelen = size,
                                               .msg_iov = &part,
                                               .msg_iovlen = 1};
        for (int left = ntohs(wish[0]); left > 0; left -= BATCH)
            sendmmsg(fd, heads, left < BATCH ? left : BATCH, 0);
    }
}

int serve(void)
{
    static void (*const services[])(void) = {bulk, respond, udp_echo, udp_sink, udp_burst};
    char end;

    for (unsigned i = 0; i < sizeof services / sizeof *services; i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            services[i]();
            _exit(1);
        }
    usleep(100000);
    printf("ready\n");
    fflush(stdout);
    while (read(0, &end, 1) > 0)
        ;
    return 0;
}
