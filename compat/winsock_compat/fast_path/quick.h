/* The short way of the hot calls, for the compiled mode: the look-up of a handle with the flags that the call needs, and
 * the system call. What is out of the ordinary is left to Python, which is told so by a negative result.
 *
 * Python writes the slots with the GIL held; these functions read them without it. `users` and `quick_lookers` count the
 * calls inside, so that closing can wait until the last of them has left (they never block): a number never reaches a
 * newer descriptor. A wait that does block is known to Python, which keeps the descriptors open for it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#define QUICK_SLOTS (1 << 20)
#define QUICK_WOULD_BLOCK (-1)
#define QUICK_LONG_WAY (-2) /* nothing was done */
#define QUICK_ERROR (-3)    /* of a system call that was made; errno says which */
#define QUICK_CUT (-4)      /* a datagram larger than the buffer, which is filled */
#define QUICK_INTERRUPTED (-5) /* by a signal, while waiting */
#define QUICK_WOKEN (-6)       /* by another thread, while waiting */
#define QUICK_ERRNO (-0x10000000000LL)
#define QUICK_PART (-16)    /* minus the bytes sent, of a blocking send that is to go on */

struct quick_slot {
    unsigned long long handle;
    int fd;
    int users;
    unsigned char can_recv, can_send, can_sendto, nonblocking, datagram;
    unsigned char watch;       /* how select and WSAPoll see the socket */
    unsigned short registered; /* with which quick_epoll, by its number */
};

#define QUICK_NEVER 0  /* ready for nothing, whatever the host says: a fresh stream */
#define QUICK_LISTENS 1
#define QUICK_FLOWS 2  /* a connected stream */
#define QUICK_PACKETS 3
#define QUICK_LOOK 4   /* Python has to look */

#define QUICK_READABLE (EPOLLIN | EPOLLPRI | EPOLLRDHUP)

static struct quick_slot quick_slots[QUICK_SLOTS];
static int quick_lookers;
static int quick_epoll = -1;
static unsigned short quick_epoll_number = 1;

static struct quick_slot *quick_slot_of(unsigned long long handle)
{
    return &quick_slots[(handle >> 2) & (QUICK_SLOTS - 1)];
}

static struct quick_slot *quick_enter(unsigned long long handle)
{
    struct quick_slot *slot = quick_slot_of(handle);
    __atomic_add_fetch(&slot->users, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&slot->handle, __ATOMIC_SEQ_CST) == handle)
        return slot;
    __atomic_sub_fetch(&slot->users, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static long long quick_leave(struct quick_slot *slot, long long result)
{
    __atomic_sub_fetch(&slot->users, 1, __ATOMIC_SEQ_CST);
    return result;
}

/* For IPv4, whose sockaddr is the host's byte for byte. */
static int quick_accept(int fd, void *name)
{
    unsigned int size = 16;
#ifdef SOCK_CLOEXEC
    return accept4(fd, name, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    errno = EINTR; /* the long way knows */
    return -1;
#endif
}

static void quick_update(struct quick_slot *slot, int ways, int watch)
{
    slot->can_recv = ways & 1;
    slot->can_send = ways >> 1 & 1;
    slot->can_sendto = ways >> 2 & 1;
    slot->nonblocking = ways >> 3 & 1;
    slot->watch = watch;
}

/* When no socket is left. A call that is still inside may be about to use it: then it stays for the next sockets. */
static void quick_close_epoll(void)
{
    if (quick_epoll < 0 || __atomic_load_n(&quick_lookers, __ATOMIC_SEQ_CST))
        return;
    close(quick_epoll);
    quick_epoll = -1;
    quick_epoll_number += quick_epoll_number == 0xFFFF ? 2 : 1; /* 0 is none */
}

/* In a forked child: the calls that were inside are the parent's, and so is what the epoll knows. */
static void quick_forget_parent(void)
{
    quick_lookers = 0;
    quick_close_epoll();
}

/* Before anything else in the child, whoever forks, may close a socket and so take it from the parent's epoll. */
__attribute__((constructor)) static void quick_begin(void)
{
    pthread_atfork(NULL, NULL, quick_forget_parent);
}

static struct quick_slot *quick_open(unsigned long long handle, int fd, int datagram, int ways, int watch)
{
    struct quick_slot *slot = quick_slot_of(handle);
    slot->fd = fd;
    slot->datagram = datagram;
    slot->registered = 0;
    quick_update(slot, ways, watch);
    __atomic_store_n(&slot->handle, handle, __ATOMIC_SEQ_CST);
    return slot;
}

/* Takes the slot from all calls, and closes the descriptor once none is inside any more: 1, else 0. */
static int quick_close(struct quick_slot *slot)
{
    __atomic_store_n(&slot->handle, 0, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&slot->users, __ATOMIC_SEQ_CST) + __atomic_load_n(&quick_lookers, __ATOMIC_SEQ_CST))
        return 0;
#ifdef __linux__
    /* The host does this only when no forked child has the descriptor any more. */
    if (slot->registered == quick_epoll_number && quick_epoll >= 0)
        epoll_ctl(quick_epoll, EPOLL_CTL_DEL, slot->fd, NULL);
#endif
    close(slot->fd);
    return 1;
}

/* After an option that makes a socket readable, of which the host tells nobody. */
static void quick_look_again(const struct quick_slot *slot)
{
#ifdef __linux__
    struct epoll_event event = {.events = QUICK_READABLE, .data.u64 = slot->handle};
    if (slot->registered == quick_epoll_number && quick_epoll >= 0)
        epoll_ctl(quick_epoll, EPOLL_CTL_MOD, slot->fd, &event);
#endif
}

static long long quick_failed(const struct quick_slot *slot)
{
    return errno == EAGAIN && slot->nonblocking ? QUICK_WOULD_BLOCK : QUICK_ERROR;
}

static long long quick_received(const struct quick_slot *slot, ssize_t count, int length)
{
    if (count > length)
        return QUICK_CUT;
    if (count > 0 || (count == 0 && slot->datagram))
        return count;
    /* The end of a stream may hide an error, and can be asked for again. */
    return count == 0 ? QUICK_LONG_WAY : quick_failed(slot);
}

static long long quick_recv(unsigned long long s, void *data, size_t room, int length, int flags)
{
    struct quick_slot *slot = quick_enter(s);
    if (slot == NULL)
        return QUICK_LONG_WAY;
    if (!slot->can_recv || flags || length <= 0 || (size_t)length > room)
        return quick_leave(slot, QUICK_LONG_WAY);
    ssize_t count = recv(slot->fd, data, length, slot->datagram ? MSG_TRUNC : 0);
    return quick_leave(slot, quick_received(slot, count, length));
}

/* recv into memory of the thread's own: where nothing comes, as most often, a view of the caller's is made in vain. The
 * byte behind it is 1 until Python has taken what is in there; a signal's handler may come first. */
#define QUICK_SCRATCH 8192
static __thread char quick_scratch[QUICK_SCRATCH + 1];

static long long quick_recv_apart(unsigned long long s, int length, int flags)
{
    long long count;
    if (quick_scratch[QUICK_SCRATCH])
        return QUICK_LONG_WAY;
    count = quick_recv(s, quick_scratch, QUICK_SCRATCH, length, flags);
    quick_scratch[QUICK_SCRATCH] = count > 0 || count == QUICK_CUT;
    return count;
}

static char *quick_received_apart(void)
{
    return quick_scratch;
}

/* For IPv4 datagrams, whose sockaddr is the host's byte for byte; it is written at `name`. */
static long long quick_recvfrom(unsigned long long s, void *data, size_t room, int length, int flags, uintptr_t name,
                                size_t name_room, long long name_length)
{
    struct quick_slot *slot = quick_enter(s);
    unsigned int size = 16;
    if (slot == NULL)
        return QUICK_LONG_WAY;
    if (!slot->can_recv || !slot->can_sendto || flags || length <= 0 || (size_t)length > room || name_length < 16 ||
        name_length > (long long)name_room)
        return quick_leave(slot, QUICK_LONG_WAY);
    ssize_t count = recvfrom(slot->fd, data, length, MSG_TRUNC, (struct sockaddr *)name, &size);
    return quick_leave(slot, quick_received(slot, count, length));
}

static long long quick_sent(const struct quick_slot *slot, ssize_t count, int length)
{
    if (count == length || (count > 0 && slot->nonblocking))
        return count;
    return count >= 0 ? QUICK_PART - count : quick_failed(slot);
}

static long long quick_send(unsigned long long s, const void *data, size_t size, int length, int flags)
{
    struct quick_slot *slot = quick_enter(s);
    if (slot == NULL)
        return QUICK_LONG_WAY;
    if (!slot->can_send || flags || length <= 0 || (size_t)length > size)
        return quick_leave(slot, QUICK_LONG_WAY);
    return quick_leave(slot, quick_sent(slot, send(slot->fd, data, length, MSG_NOSIGNAL), length));
}

/* The same bytes to many: a result of quick_send for each, an error as QUICK_ERRNO minus errno. How many are negative. */
static unsigned quick_send_many(const unsigned long long *sockets, unsigned count, const void *data, size_t size,
                                int length, int flags, long long *results)
{
    unsigned i, negative = 0;
    for (i = 0; i < count; i++) {
        __builtin_prefetch(quick_slot_of(sockets[i + 4 < count ? i + 4 : i]), 1); /* the sends push it out */
        results[i] = quick_send(sockets[i], data, size, length, flags);
        if (results[i] == QUICK_ERROR)
            results[i] = QUICK_ERRNO - errno;
        negative += results[i] < 0;
    }
    return negative;
}

static long long quick_sendto(unsigned long long s, const void *data, size_t size, int length, int flags, uintptr_t to,
                              size_t to_size, int to_length)
{
    struct quick_slot *slot = quick_enter(s);
    struct sockaddr_in name;
    if (slot == NULL)
        return QUICK_LONG_WAY;
    if (!slot->can_sendto || flags || length <= 0 || (size_t)length > size || to_length != 16 || to_size < 16)
        return quick_leave(slot, QUICK_LONG_WAY);
    memcpy(&name, (const void *)to, sizeof name);
    if (name.sin_family != AF_INET || !name.sin_port || !name.sin_addr.s_addr)
        return quick_leave(slot, QUICK_LONG_WAY);
    ssize_t count = sendto(slot->fd, data, length, MSG_NOSIGNAL, (struct sockaddr *)&name, sizeof name);
    return quick_leave(slot, quick_sent(slot, count, length));
}

/* WSAPOLLFD, and Winsock's bits. */
struct quick_pollfd {
    uintptr_t fd;
    short events, revents;
};

#define QUICK_RDNORM 0x100
#define QUICK_RDBAND 0x200 /* Winsock's POLLIN has it too; an urgent byte itself is for the long way */
#define QUICK_WRNORM 0x10

#ifdef POLLRDHUP
#define QUICK_ENDED POLLRDHUP
#else
#define QUICK_ENDED 0
#endif

/* poll over entries that were filled in, and one more for the descriptor that ends the wait. */
static int quick_ask(struct pollfd *entries, unsigned count, int wake, int milliseconds)
{
    int ready;
    entries[count].fd = wake;
    entries[count].events = POLLIN;
    entries[count].revents = 0;
    ready = poll(entries, count + (wake >= 0), milliseconds);
    if (ready < 0)
        return errno == EINTR ? QUICK_INTERRUPTED : QUICK_LONG_WAY;
    return entries[count].revents ? QUICK_WOKEN : ready;
}

static int quick_watch(struct pollfd *entry, uintptr_t handle, short events, short always)
{
    const struct quick_slot *slot = quick_slot_of(handle);
    if (handle == 0 || slot->handle != handle || slot->watch == QUICK_LOOK)
        return 0;
    entry->fd = slot->watch == QUICK_NEVER ? -1 : slot->fd;
    entry->events = slot->watch == QUICK_LISTENS ? events & POLLIN : slot->watch == QUICK_FLOWS ? events | always : events;
    entry->revents = 0;
    return 1;
}

/* Where many sockets are asked for reading alone, poll costs most: it looks at each. These are registered with an epoll
 * from the first such look until they are closed, which tells without that that none of them is ready, or which few are.
 * It may know more sockets than are asked for now, never fewer. Nothing waits on it. */
#define QUICK_MANY 64
#define QUICK_FEW 16
#define QUICK_EACH (-1) /* poll has to look */

#ifdef __linux__
static int quick_register(const struct quick_pollfd *array, unsigned count, const struct pollfd *entries)
{
    unsigned i;
    for (i = 0; i < count; i++) {
        struct epoll_event event = {.events = QUICK_READABLE, .data.u64 = array[i].fd};
        struct quick_slot *slot = quick_slot_of(event.data.u64);
        if (entries[i].events & ~QUICK_READABLE)
            return 0;
        if (entries[i].fd < 0 || slot->registered == quick_epoll_number)
            continue;
        if (slot->handle != event.data.u64 || slot->fd != entries[i].fd)
            return 0; /* another thread writes into the array */
        if (quick_epoll < 0) {
            int none = -1, made = epoll_create1(EPOLL_CLOEXEC);
            if (made < 0)
                return 0;
            if (!__atomic_compare_exchange_n(&quick_epoll, &none, made, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
                close(made); /* another thread was faster, as it may be with EEXIST */
        }
        if (epoll_ctl(quick_epoll, EPOLL_CTL_ADD, slot->fd, &event) < 0 && errno != EEXIST)
            return 0;
        slot->registered = quick_epoll_number;
    }
    return 1;
}

/* As poll without waiting, or QUICK_EACH. */
static int quick_few(const struct quick_pollfd *array, unsigned count, struct pollfd *entries)
{
    struct epoll_event found[QUICK_FEW];
    int ready = 0, k, few;
    unsigned i;
    if (count < QUICK_MANY || !quick_register(array, count, entries))
        return QUICK_EACH;
    few = quick_epoll < 0 ? 0 : epoll_wait(quick_epoll, found, QUICK_FEW, 0);
    if (few < 0 || few == QUICK_FEW)
        return QUICK_EACH;
    for (k = 0; k < few; k++)
        for (i = 0; i < count; i++)
            if (array[i].fd == found[k].data.u64 && entries[i].fd >= 0) {
                entries[i].revents = found[k].events & (entries[i].events | POLLERR | POLLHUP);
                ready += entries[i].revents != 0;
            }
    return ready;
}
#else
static int quick_few(const struct quick_pollfd *array, unsigned count, struct pollfd *entries)
{
    return QUICK_EACH;
}
#endif

static int quick_poll_entries(struct quick_pollfd *array, unsigned count, struct pollfd *entries, int wake,
                              int milliseconds)
{
    unsigned i;
    int ready;
    for (i = 0; i < count; i++) {
        short asked = array[i].events;
        short events = (asked & QUICK_RDNORM ? POLLIN : 0) | (asked & QUICK_WRNORM ? POLLOUT : 0) |
                       (asked & QUICK_RDBAND ? POLLPRI : 0);
        if (asked & ~(QUICK_RDNORM | QUICK_RDBAND | QUICK_WRNORM) ||
            !quick_watch(&entries[i], array[i].fd, events, QUICK_ENDED))
            return QUICK_LONG_WAY;
    }
    ready = wake >= 0 ? QUICK_EACH : quick_few(array, count, entries);
    if (ready == QUICK_EACH)
        ready = quick_ask(entries, count, wake, milliseconds);
    if (ready < 0)
        return ready;
    for (i = 0; i < count; i++)
        if (entries[i].revents & ~(POLLIN | POLLOUT))
            return QUICK_LONG_WAY;
    for (i = 0; i < count; i++) {
        short revents = entries[i].revents;
        array[i].revents = (revents & POLLIN ? QUICK_RDNORM : 0) | (revents & POLLOUT ? QUICK_WRNORM : 0);
    }
    return ready;
}

/* A call that does not wait counts as being inside; one that waits (wake >= 0) is known to Python. */
static int quick_poll(void *array, unsigned count, struct pollfd *entries, int wake, int milliseconds)
{
    int ready;
    if (wake >= 0)
        return quick_poll_entries(array, count, entries, wake, milliseconds);
    __atomic_add_fetch(&quick_lookers, 1, __ATOMIC_SEQ_CST);
    ready = quick_poll_entries(array, count, entries, wake, 0);
    __atomic_sub_fetch(&quick_lookers, 1, __ATOMIC_SEQ_CST);
    return ready;
}

/* fd_set: u_int fd_count; SOCKET fd_array[]; */
struct quick_fd_set {
    unsigned fd_count;
    uintptr_t fd_array[];
};

static int quick_keep(struct quick_fd_set *set, const struct pollfd *entries)
{
    unsigned i, kept = 0, j;
    for (i = 0; i < set->fd_count; i++) {
        if (!entries[i].revents)
            continue;
        for (j = 0; j < kept && set->fd_array[j] != set->fd_array[i]; j++)
            ;
        if (j == kept)
            set->fd_array[kept++] = set->fd_array[i];
    }
    set->fd_count = kept;
    return (int)kept;
}

static int quick_select_sets(struct quick_fd_set **sets, struct pollfd *entries, unsigned room, int wake,
                             int milliseconds, int final)
{
    static const short events[] = {POLLIN, POLLOUT, POLLPRI};
    unsigned i, k, count = 0, begin[3] = {0, 0, 0};
    int ready;
    for (k = 0; k < 3; k++) {
        begin[k] = count;
        for (i = 0; sets[k] != NULL && i < sets[k]->fd_count; i++, count++)
            if (count >= room || !quick_watch(&entries[count], sets[k]->fd_array[i], events[k], 0))
                return QUICK_LONG_WAY;
    }
    ready = quick_ask(entries, count, wake, milliseconds);
    if (ready < 0)
        return ready;
    for (i = 0; i < count; i++)
        if (entries[i].revents & ~(POLLIN | POLLOUT))
            return QUICK_LONG_WAY;
    if (ready == 0 && !final)
        return 0;
    for (ready = 0, k = 0; k < 3; k++)
        if (sets[k] != NULL)
            ready += quick_keep(sets[k], entries + begin[k]);
    return ready;
}

/* The look that comes before a wait (not final) leaves the sets alone when it finds nothing. */
static int quick_select(void *readfds, void *writefds, void *exceptfds, struct pollfd *entries, unsigned room, int wake,
                        int milliseconds, int final)
{
    struct quick_fd_set *sets[3] = {readfds, writefds, exceptfds};
    int ready;
    if (wake >= 0)
        return quick_select_sets(sets, entries, room, wake, milliseconds, final);
    __atomic_add_fetch(&quick_lookers, 1, __ATOMIC_SEQ_CST);
    ready = quick_select_sets(sets, entries, room, wake, 0, final);
    __atomic_sub_fetch(&quick_lookers, 1, __ATOMIC_SEQ_CST);
    return ready;
}
