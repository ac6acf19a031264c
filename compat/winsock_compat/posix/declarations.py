"""What the package uses of the C library: numbers, structures and functions, as Linux and the BSD systems define them.

Both cffi modes read this text. In ABI mode it is used unchecked; in API mode the C compiler checks it against the
system's headers. The module imports nothing of the package, because the build runs it before the package is installed.
"""

import sys

LINUX = sys.platform == "linux"

AF_INET6 = 10 if LINUX else 30
AF_NETLINK = 16 if LINUX else 0
SOCK_RAW = 3
SOCK_NONBLOCK = 0o4000 if LINUX else 0
SOCK_CLOEXEC = 0o2000000 if LINUX else 0
FIONBIO = 0x5421 if LINUX else 0x8004667E
FIONREAD = 0x541B if LINUX else 0x4004667F
FIOCLEX = 0x5451 if LINUX else 0x20006601

MSG_NOSIGNAL = 0x4000 if LINUX else 0
# With this flag Linux returns a datagram's full size, also when the buffer was too small for it.
MSG_TRUNC = 0x20 if LINUX else 0
MSG_ERRQUEUE = 0x2000 if LINUX else 0

POLLIN, POLLPRI, POLLOUT, POLLERR, POLLHUP, POLLNVAL = 1, 2, 4, 8, 0x10, 0x20
POLLRDHUP = 0x2000 if LINUX else 0

SOL_SOCKET = 1 if LINUX else 0xFFFF
SO_REUSEADDR = 2 if LINUX else 4
SO_ERROR = 4 if LINUX else 0x1007
SO_BROADCAST = 6 if LINUX else 0x20
SO_SNDBUF = 7 if LINUX else 0x1001
SO_RCVBUF = 8 if LINUX else 0x1002
SO_KEEPALIVE = 9 if LINUX else 8
SO_OOBINLINE = 10 if LINUX else 0x100
SO_LINGER = 13 if LINUX else 0x1080
SO_REUSEPORT = 15 if LINUX else 0  # the BSD systems' option of this name distributes connections
SO_ATTACH_FILTER = 26 if LINUX else 0
SO_DETACH_FILTER = 27 if LINUX else 0
SO_ACCEPTCONN = 30 if LINUX else 2
SO_ATTACH_REUSEPORT_CBPF = 51 if LINUX else 0
SO_NOSIGPIPE = 0 if LINUX else 0x1022  # Linux has MSG_NOSIGNAL instead

TCP_NODELAY = 1
TCP_KEEPIDLE = 4 if LINUX else 0x10
TCP_KEEPINTVL = 5 if LINUX else 0x101
TCP_KEEPCNT = 6 if LINUX else 0x102
TCP_INFO = 11 if LINUX else 0

IP_TOS = 1 if LINUX else 3
IP_TTL = 2 if LINUX else 4
IP_OPTIONS = 4 if LINUX else 1
IP_MTU_DISCOVER = 10 if LINUX else 0
IP_RECVERR = 11 if LINUX else 0
IP_FREEBIND = 15 if LINUX else 0
IP_MULTICAST_IF = 32 if LINUX else 9
IP_MULTICAST_TTL = 33 if LINUX else 10
IP_ADD_MEMBERSHIP = 35 if LINUX else 12
IP_DROP_MEMBERSHIP = 36 if LINUX else 13
IP_MULTICAST_ALL = 49 if LINUX else 0
IP_PMTUDISC_DONT, IP_PMTUDISC_DO = 0, 2

IPV6_UNICAST_HOPS = 16 if LINUX else 4
IPV6_MULTICAST_IF = 17 if LINUX else 9
IPV6_MULTICAST_HOPS = 18 if LINUX else 10
IPV6_ADD_MEMBERSHIP = 20 if LINUX else 12
IPV6_DROP_MEMBERSHIP = 21 if LINUX else 13
IPV6_RECVERR = 25 if LINUX else 0
IPV6_V6ONLY = 26 if LINUX else 27
IPV6_MULTICAST_ALL = 29 if LINUX else 0
IPV6_DONTFRAG = 62

AI_ADDRCONFIG = 0x20 if LINUX else 0x400
AI_V4MAPPED = 8 if LINUX else 0x800
AI_ALL = 0x10 if LINUX else 0x100
AI_NUMERICSERV = 0x400 if LINUX else 0x1000
NI_NUMERICHOST = 1 if LINUX else 2
NI_NUMERICSERV = 2 if LINUX else 8
NI_NOFQDN = 4 if LINUX else 1
NI_NAMEREQD = 8 if LINUX else 4
NI_DGRAM = 16

EAI_AGAIN = -3 if LINUX else 2
EAI_BADFLAGS = -1 if LINUX else 3
EAI_FAIL = -4 if LINUX else 4
EAI_FAMILY = -6 if LINUX else 5
EAI_MEMORY = -10 if LINUX else 6
EAI_NONAME = -2 if LINUX else 8
EAI_SERVICE = -8 if LINUX else 9
EAI_SOCKTYPE = -7 if LINUX else 10
EAI_NODATA = -5 if LINUX else 7
EAI_ADDRFAMILY = -9 if LINUX else 1
EAI_OVERFLOW = -12 if LINUX else 14

# 0 means that this system does not have the number.
NUMBERS = {name: value for name, value in dict(globals()).items() if name.isupper() and value and name != "LINUX"}

_LAST = "struct sockaddr *ai_addr; char *ai_canonname;" if LINUX else "char *ai_canonname; struct sockaddr *ai_addr;"

CDEF = (
    "".join(f"#define {name} {value}\n" for name, value in NUMBERS.items())
    + f"""
struct pollfd {{ int fd; short events; short revents; }};
struct linger {{ int l_onoff; int l_linger; }};
struct sockaddr;
struct addrinfo {{
    int ai_flags; int ai_family; int ai_socktype; int ai_protocol; unsigned int ai_addrlen;
    {_LAST}
    struct addrinfo *ai_next;
}};

int socket(int domain, int type, int protocol);
int bind(int fd, const void *address, unsigned int length);
int connect(int fd, const void *address, unsigned int length);
int listen(int fd, int backlog);
int accept(int fd, void *address, unsigned int *length);
ssize_t send(int fd, const void *data, size_t size, int flags);
ssize_t recv(int fd, void *data, size_t size, int flags);
ssize_t sendto(int fd, const void *data, size_t size, int flags, const void *address, unsigned int length);
ssize_t recvfrom(int fd, void *data, size_t size, int flags, void *address, unsigned int *length);
int shutdown(int fd, int how);
int close(int fd);
int dup2(int from, int to);
int getsockname(int fd, void *address, unsigned int *length);
int getpeername(int fd, void *address, unsigned int *length);
int setsockopt(int fd, int level, int option, const void *value, unsigned int length);
int getsockopt(int fd, int level, int option, void *value, unsigned int *length);
int poll(struct pollfd *entries, {"unsigned long" if LINUX else "unsigned int"} count, int milliseconds);
int ioctl(int fd, unsigned long request, int *argument);
ssize_t read(int fd, void *data, size_t size);
ssize_t write(int fd, const void *data, size_t size);
int pipe(int ends[2]);
unsigned int inet_addr(const char *text);
int inet_pton(int family, const char *text, void *address);
const char *inet_ntop(int family, const void *address, char *text, unsigned int size);
int gethostname(char *name, size_t size);
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result);
void freeaddrinfo(struct addrinfo *list);
int getnameinfo(const void *address, unsigned int length, char *node, unsigned int node_size,
                char *service, unsigned int service_size, int flags);
"""
)
if LINUX:
    CDEF += """
int eventfd(unsigned int count, int flags);
int accept4(int fd, void *address, unsigned int *length, int flags);
struct iovec { void *iov_base; size_t iov_len; };
ssize_t process_vm_readv(int pid, const struct iovec *local, unsigned long local_count,
                         const struct iovec *remote, unsigned long remote_count, unsigned long flags);
struct sock_filter { unsigned short code; unsigned char jt; unsigned char jf; unsigned int k; };
struct sock_fprog { unsigned short len; struct sock_filter *filter; };
struct ifaddrs {
    struct ifaddrs *ifa_next; char *ifa_name; unsigned int ifa_flags;
    struct sockaddr *ifa_addr; struct sockaddr *ifa_netmask;
    union { struct sockaddr *ifu_broadaddr; struct sockaddr *ifu_dstaddr; } ifa_ifu;
    void *ifa_data;
};
int getifaddrs(struct ifaddrs **list);
void freeifaddrs(struct ifaddrs *list);
unsigned int if_nametoindex(const char *name);
"""

HEADERS = """
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
"""
if LINUX:
    HEADERS += "".join(
        f"#include <{name}.h>\n" for name in ("ifaddrs", "linux/filter", "net/if", "sys/eventfd", "sys/uio")
    )
