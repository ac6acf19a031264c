/* The short way of the hot calls, for the compiled mode: the look-up of a handle with the flags that the call needs, and
 * the system call. What is out of the ordinary is left to Python, which is told so by a negative result.
 *
 * Python writes the slots with the GIL held; these functions read them without it. `users` counts the calls inside, so
 * that closing can wait until the last of them (which never block) has left: a number never reaches a newer descriptor.
 */
#include <errno.h>
#include <string.h>

#define QUICK_SLOTS (1 << 20)
#define QUICK_WOULD_BLOCK (-1)
#define QUICK_LONG_WAY (-2) /* nothing was done */
#define QUICK_ERROR (-3)    /* of a system call that was made; errno says which */
#define QUICK_CUT (-4)      /* a datagram larger than the buffer, which is filled */
#define QUICK_PART (-16)    /* minus the bytes sent, of a blocking send that is to go on */

struct quick_slot {
    unsigned long long handle;
    int fd;
    int users;
    unsigned char can_recv, can_send, can_sendto, nonblocking, datagram;
};

static struct quick_slot quick_slots[QUICK_SLOTS];

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

/* Takes the slot from all calls; 1 once none is inside any more. */
static int quick_close(struct quick_slot *slot)
{
    __atomic_store_n(&slot->handle, 0, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&slot->users, __ATOMIC_SEQ_CST) == 0;
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

/* For IPv4 datagrams, whose sockaddr is the host's byte for byte. */
static long long quick_recvfrom(unsigned long long s, void *data, size_t room, int length, int flags, void *name,
                                size_t name_room, long long name_length)
{
    struct quick_slot *slot = quick_enter(s);
    unsigned int size = 16;
    if (slot == NULL)
        return QUICK_LONG_WAY;
    if (!slot->can_recv || !slot->can_sendto || flags || length <= 0 || (size_t)length > room || name_length < 16 ||
        name_length > (long long)name_room)
        return quick_leave(slot, QUICK_LONG_WAY);
    ssize_t count = recvfrom(slot->fd, data, length, MSG_TRUNC, name, &size);
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

static long long quick_sendto(unsigned long long s, const void *data, size_t size, int length, int flags, const void *to,
                              size_t to_size, int to_length)
{
    struct quick_slot *slot = quick_enter(s);
    struct sockaddr_in name;
    if (slot == NULL)
        return QUICK_LONG_WAY;
    if (!slot->can_sendto || flags || length <= 0 || (size_t)length > size || to_length != 16 || to_size < 16)
        return quick_leave(slot, QUICK_LONG_WAY);
    memcpy(&name, to, sizeof name);
    if (name.sin_family != AF_INET || !name.sin_port || !name.sin_addr.s_addr)
        return quick_leave(slot, QUICK_LONG_WAY);
    ssize_t count = sendto(slot->fd, data, length, MSG_NOSIGNAL, (struct sockaddr *)&name, sizeof name);
    return quick_leave(slot, quick_sent(slot, count, length));
}
