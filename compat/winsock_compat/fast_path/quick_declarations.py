"""The declarations of quick.h, for the build; only the cffi API mode has it."""

QUICK = """
struct quick_slot {
    unsigned long long handle;
    int fd;
    int users;
    unsigned char can_recv, can_send, can_sendto, nonblocking, datagram;
    unsigned char watch;
    unsigned short registered;
};
int quick_accept(int fd, void *name);
struct quick_slot *quick_open(unsigned long long handle, int fd, int datagram, int ways, int watch);
void quick_update(struct quick_slot *slot, int ways, int watch);
void quick_close_epoll(void);
void quick_look_again(const struct quick_slot *slot);
int quick_close(struct quick_slot *slot);
long long quick_recv(unsigned long long s, void *data, size_t room, int length, int flags);
long long quick_recv_apart(unsigned long long s, int length, int flags);
char *quick_received_apart(void);
long long quick_recvfrom(unsigned long long s, void *data, size_t room, int length, int flags, uintptr_t name,
                         size_t name_room, long long name_length);
long long quick_send(unsigned long long s, const void *data, size_t size, int length, int flags);
unsigned quick_send_many(const unsigned long long *sockets, unsigned count, const void *data, size_t size, int length,
                     int flags, long long *results);
long long quick_sendto(unsigned long long s, const void *data, size_t size, int length, int flags, uintptr_t to,
                       size_t to_size, int to_length);
int quick_poll(void *array, unsigned count, struct pollfd *entries, int wake, int milliseconds);
int quick_select(void *readfds, void *writefds, void *exceptfds, struct pollfd *entries, unsigned room, int wake,
                 int milliseconds, int final);
"""
