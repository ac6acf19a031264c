/* A DLL in place of Ws2_32.dll that hands out one handle, and takes that one alone.

   Built with WINSOCK_API_LINKAGE defined as nothing, so that the compiler holds each function against winsock2.h. */

#include <winsock2.h>
#include <ws2tcpip.h>

static SOCKET handle;
static const SOCKET accepted = 4;

void stand_in(SOCKET s) {
    handle = s;
}

static int check(SOCKET s) {
    if (s == handle)
        return 0;
    SetLastError(WSAENOTSOCK);
    return SOCKET_ERROR;
}

static int check_set(const fd_set *fds) {
    if (fds == NULL || (fds->fd_count == 1 && fds->fd_array[0] == handle))
        return 0;
    SetLastError(WSAENOTSOCK);
    return SOCKET_ERROR;
}

int WSAAPI WSAStartup(WORD wVersionRequested, LPWSADATA lpWSAData) {
    lpWSAData->wVersion = wVersionRequested;
    return 0;
}

int WSAAPI WSACleanup(void) {
    return 0;
}

SOCKET WSAAPI socket(int af, int type, int protocol) {
    return handle;
}

int WSAAPI ioctlsocket(SOCKET s, __LONG32 cmd, u_long *argp) {
    return check(s);
}

int WSAAPI bind(SOCKET s, const struct sockaddr *name, int namelen) {
    return check(s);
}

int WSAAPI connect(SOCKET s, const struct sockaddr *name, int namelen) {
    return check(s);
}

int WSAAPI listen(SOCKET s, int backlog) {
    return check(s);
}

SOCKET WSAAPI accept(SOCKET s, struct sockaddr *addr, int *addrlen) {
    return check(s) ? INVALID_SOCKET : handle == INVALID_SOCKET ? accepted : handle - 4;
}

int WSAAPI send(SOCKET s, const char *buf, int len, int flags) {
    return check(s);
}

int WSAAPI recv(SOCKET s, char *buf, int len, int flags) {
    return check(s);
}

int WSAAPI sendto(SOCKET s, const char *buf, int len, int flags, const struct sockaddr *to, int tolen) {
    return check(s);
}

int WSAAPI recvfrom(SOCKET s, char *buf, int len, int flags, struct sockaddr *from, int *fromlen) {
    return check(s);
}

int WSAAPI shutdown(SOCKET s, int how) {
    return check(s);
}

int WSAAPI closesocket(SOCKET s) {
    return check(s);
}

int WSAAPI getsockname(SOCKET s, struct sockaddr *name, int *namelen) {
    return check(s);
}

int WSAAPI getpeername(SOCKET s, struct sockaddr *name, int *namelen) {
    return check(s);
}

int WSAAPI setsockopt(SOCKET s, int level, int optname, const char *optval, int optlen) {
    return check(s);
}

int WSAAPI getsockopt(SOCKET s, int level, int optname, char *optval, int *optlen) {
    return check(s);
}

int WSAAPI select(int nfds, fd_set *readfds, fd_set *writefds, fd_set *exceptfds, const PTIMEVAL timeout) {
    if (check_set(readfds) || check_set(writefds) || check_set(exceptfds))
        return SOCKET_ERROR;
    exceptfds->fd_count = 0;
    return 2;
}

int WSAAPI WSAPoll(LPWSAPOLLFD fdArray, ULONG fds, INT timeout) {
    for (ULONG i = 0; i < fds; ++i) {
        if (check(fdArray[i].fd))
            return SOCKET_ERROR;
        fdArray[i].revents = fdArray[i].events;
    }
    return (int)fds;
}

u_short WSAAPI htons(u_short hostshort) {
    return hostshort;
}

u_short WSAAPI ntohs(u_short netshort) {
    return netshort;
}

u_long WSAAPI htonl(u_long hostlong) {
    return hostlong;
}

u_long WSAAPI ntohl(u_long netlong) {
    return netlong;
}

unsigned __LONG32 WSAAPI inet_addr(const char *cp) {
    return INADDR_NONE;
}

char *WSAAPI inet_ntoa(struct in_addr in) {
    return NULL;
}

PCSTR WSAAPI inet_ntop(INT Family, LPCVOID pAddr, LPSTR pStringBuf, size_t StringBufSize) {
    return NULL;
}

INT WSAAPI inet_pton(INT Family, LPCSTR pszAddrString, PVOID pAddrBuf) {
    return 0;
}

int WSAAPI gethostname(char *name, int namelen) {
    return 0;
}

int WSAAPI getaddrinfo(const char *pNodeName, const char *pServiceName, const struct addrinfo *pHints,
                       struct addrinfo **ppResult) {
    return 0;
}

void WSAAPI freeaddrinfo(LPADDRINFO pAddrInfo) {
}

int WSAAPI getnameinfo(const struct sockaddr *pSockaddr, socklen_t SockaddrLength, char *pNodeBuffer,
                       DWORD NodeBufferSize, char *pServiceBuffer, DWORD ServiceBufferSize, int Flags) {
    return 0;
}

struct hostent *WSAAPI gethostbyname(const char *name) {
    return NULL;
}
