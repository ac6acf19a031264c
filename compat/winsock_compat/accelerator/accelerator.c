/* The accelerator: the common case of the most frequent calls, in front of the complete reference in Python.
 *
 * Theory of operation
 *
 * Outcomes. Every function here has the parameters of its reference. Apart from success it has two outcomes:
 *
 * - It *declines* when it has done nothing yet: it calls the reference with the same arguments.
 * - It *resumes* when it has made a system call that must not be repeated: it calls a function of the reference with the
 *   socket, the arguments and the result (a count, or minus the errno), which continues from there.
 *
 * So no rule of Winsock exists here alone. What a socket may do at this moment is in its capability flags, which the
 * reference keeps up to date (state/sockets.py). WSAPoll and select also *examine* single sockets: the reference reports
 * the events of a socket whose state only it understands.
 *
 * GIL. It protects all data here; there is no other lock. A system call on our descriptors never blocks, because all of
 * them are non-blocking. So it is made with the GIL held: no other thread can close the descriptor meanwhile, and a busy
 * thread cannot delay a result that is already there. The exception is a transfer of more than GIL_LIMIT bytes: it
 * releases the GIL if nothing that it uses can disappear meanwhile (may_release_gil).
 *
 * Python code. It can run inside each call of the reference, and inside each allocation of an object that the garbage
 * collector tracks: lists, tuples, sockets, exceptions. It may close sockets and change the caller's memory. Across such
 * a point a socket is kept by a reference, and the caller's memory is either exported, which keeps it in place, or
 * checked again (is_same_memory) or opened again.
 *
 * The caller's memory. The kernel checks a pointer that is passed to it, but code here must not follow a bad one. It
 * reads and writes only memory that certainly exists: of bytes and bytearray, and of ctypes objects that own theirs.
 * Lengths and counts in that memory are read once, because a transfer of another thread may be writing there.
 *
 * The values of the flags and of Winsock's constants come from the Python modules that define them (macros.py).
 *
 * Order of this file: the state of a socket; the handle table; a function and its outcomes; arguments; the caller's
 * memory; send, recv, sendto, recvfrom, send_many; accept, closesocket, ioctlsocket, WSAGetLastError; what WSAPoll and
 * select share; WSAPoll; fd_set; select; the module.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h> /* first: it defines _GNU_SOURCE */

#include <structmember.h>

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GIL_LIMIT 65536
#define NAME_SIZE 16 /* of an IPv4 address; Linux and Winsock have the same bytes */
#define FEW 64       /* WSAPoll and select of up to this many sockets use no memory of the heap */

static _Thread_local int last_error; /* what WSAGetLastError returns */

/* The part of a socket's state that both sides read */

typedef struct {
    PyObject_HEAD
    unsigned int handle;
    int fd, family, type, protocol;
    int state;
    unsigned int capabilities; /* Capability: what may go straight to the system call */
    int poll_kind;             /* PollKind: how select and WSAPoll interpret the kernel's poll */
    int entry;                 /* its place in the kernel's poll, for the call whose mark it has */
    char nonblocking, bound, closed;
    char from_parent;        /* in a forked child: threads that do not exist there may still refer to it */
    unsigned long long mark; /* of the last call of WSAPoll or select, or the last result set, that it is part of */
    double connected_at;
    PyObject *peer, *options, *waiters;
} SocketCore;

static PyMemberDef socket_members[] = {
    {"handle", T_UINT, offsetof(SocketCore, handle), READONLY, NULL},
    {"fd", T_INT, offsetof(SocketCore, fd), 0, NULL},
    {"family", T_INT, offsetof(SocketCore, family), 0, NULL},
    {"type", T_INT, offsetof(SocketCore, type), 0, NULL},
    {"protocol", T_INT, offsetof(SocketCore, protocol), 0, NULL},
    {"state", T_INT, offsetof(SocketCore, state), 0, NULL},
    {"capabilities", T_UINT, offsetof(SocketCore, capabilities), 0, NULL},
    {"poll_kind", T_INT, offsetof(SocketCore, poll_kind), 0, NULL},
    {"from_parent", T_BOOL, offsetof(SocketCore, from_parent), 0, NULL},
    {"nonblocking", T_BOOL, offsetof(SocketCore, nonblocking), 0, NULL},
    {"bound", T_BOOL, offsetof(SocketCore, bound), 0, NULL},
    {"closed", T_BOOL, offsetof(SocketCore, closed), 0, NULL},
    {"connected_at", T_DOUBLE, offsetof(SocketCore, connected_at), 0, NULL},
    {"peer", T_OBJECT, offsetof(SocketCore, peer), 0, NULL},
    {"options", T_OBJECT, offsetof(SocketCore, options), 0, NULL},
    {"waiters", T_OBJECT, offsetof(SocketCore, waiters), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static int socket_traverse(PyObject *self, visitproc visit, void *arg)
{
    SocketCore *sock = (SocketCore *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(sock->peer);
    Py_VISIT(sock->options);
    Py_VISIT(sock->waiters);
    return 0;
}

static int socket_clear(PyObject *self)
{
    SocketCore *sock = (SocketCore *)self;
    Py_CLEAR(sock->peer);
    Py_CLEAR(sock->options);
    Py_CLEAR(sock->waiters);
    return 0;
}

static PyObject *socket_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    SocketCore *sock = (SocketCore *)type->tp_alloc(type, 0);
    (void)args, (void)keywords;
    if (sock != NULL)
        sock->fd = -1;
    return (PyObject *)sock;
}

/* Without the GIL: with SO_LINGER, close may wait for unsent data. */
static PyObject *socket_close_descriptor(PyObject *self, PyObject *nothing)
{
    SocketCore *sock = (SocketCore *)self;
    int fd = sock->fd;
    (void)nothing;
    sock->fd = -1;
    if (fd >= 0) {
        Py_BEGIN_ALLOW_THREADS
        close(fd);
        Py_END_ALLOW_THREADS
    }
    Py_RETURN_NONE;
}

static PyMethodDef socket_methods[] = {
    {"close_descriptor", socket_close_descriptor, METH_NOARGS, "Closes the descriptor, unless that has been done."},
    {NULL, NULL, 0, NULL},
};

static void socket_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    SocketCore *sock = (SocketCore *)self;
    PyObject_GC_UnTrack(self);
    if (sock->fd >= 0)
        close(sock->fd);
    socket_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot socket_slots[] = {
    {Py_tp_doc, "The part of a socket's state that the accelerator and the reference share."},
    {Py_tp_new, socket_new},
    {Py_tp_members, socket_members},
    {Py_tp_methods, socket_methods},
    {Py_tp_traverse, socket_traverse},
    {Py_tp_clear, socket_clear},
    {Py_tp_dealloc, socket_dealloc},
    {0, NULL},
};

static PyType_Spec socket_spec = {
    .name = "winsock_compat._accelerator.SocketCore",
    .basicsize = sizeof(SocketCore),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = socket_slots,
};

/* The handle table: open addressing by the handle's number, which grows by 4 for each new socket */

#define FIRST_PLACES 64

typedef struct {
    PyObject_HEAD
    SocketCore **places;
    size_t mask; /* the number of places, a power of 2, minus 1 */
    size_t used;
    unsigned int next;       /* the handle of the next socket */
    unsigned long long mark; /* the last one that next_mark has returned */
    SocketCore *first_places[FIRST_PLACES];
} HandleTable;

/* A number that no socket is marked with yet. A call marks the sockets that it has seen with a number of its own. */
static unsigned long long next_mark(HandleTable *table)
{
    return ++table->mark;
}

static SocketCore *table_find(const HandleTable *table, unsigned long long handle)
{
    size_t at = (size_t)(handle >> 2) & table->mask;
    SocketCore *sock;
    while ((sock = table->places[at]) != NULL && sock->handle != handle)
        at = (at + 1) & table->mask;
    return sock;
}

static void table_place(SocketCore **places, size_t mask, SocketCore *sock)
{
    size_t at = (size_t)(sock->handle >> 2) & mask;
    while (places[at] != NULL)
        at = (at + 1) & mask;
    places[at] = sock;
}

static int table_grow(HandleTable *table)
{
    size_t mask = table->mask * 2 + 1;
    SocketCore **places = PyMem_Calloc(mask + 1, sizeof *places);
    if (places == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t at = 0; at <= table->mask; at++)
        if (table->places[at] != NULL)
            table_place(places, mask, table->places[at]);
    if (table->places != table->first_places)
        PyMem_Free(table->places);
    table->places = places;
    table->mask = mask;
    return 0;
}

/* Enters a socket under the next free handle. A closed handle comes back after half a billion others. */
static int table_enter(HandleTable *table, SocketCore *sock)
{
    if (table->used * 2 > table->mask && table_grow(table) < 0)
        return -1;
    do {
        sock->handle = table->next;
        table->next = table->next == LAST_HANDLE ? FIRST_HANDLE : table->next + HANDLE_STEP;
    } while (table_find(table, sock->handle) != NULL);
    Py_INCREF((PyObject *)sock);
    table_place(table->places, table->mask, sock);
    table->used++;
    return 0;
}

/* Takes a socket out; the reference that the table held is the caller's now. */
static SocketCore *table_take(HandleTable *table, unsigned long long handle)
{
    size_t at = (size_t)(handle >> 2) & table->mask, gap;
    SocketCore *sock;
    while ((sock = table->places[at]) != NULL && sock->handle != handle)
        at = (at + 1) & table->mask;
    if (sock == NULL)
        return NULL;
    /* A search ends at the first empty place: move the sockets up that it would not reach any more. */
    gap = at;
    for (;;) {
        at = (at + 1) & table->mask;
        SocketCore *other = table->places[at];
        if (other == NULL)
            break;
        size_t home = (size_t)(other->handle >> 2) & table->mask;
        if (((at - home) & table->mask) >= ((at - gap) & table->mask)) {
            table->places[gap] = other;
            gap = at;
        }
    }
    table->places[gap] = NULL;
    table->used--;
    return sock;
}

static PyObject *table_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    (void)args, (void)keywords;
    HandleTable *table = (HandleTable *)type->tp_alloc(type, 0);
    if (table == NULL)
        return NULL;
    table->places = table->first_places;
    table->mask = FIRST_PLACES - 1;
    table->next = FIRST_HANDLE;
    return (PyObject *)table;
}

static int table_traverse(PyObject *self, visitproc visit, void *arg)
{
    HandleTable *table = (HandleTable *)self;
    Py_VISIT(Py_TYPE(self));
    for (size_t at = 0; at <= table->mask; at++)
        Py_VISIT(table->places[at]);
    return 0;
}

/* Removing a reference may run Python code, which may use the table: it is empty by then. */
static int table_clear(PyObject *self)
{
    HandleTable *table = (HandleTable *)self;
    SocketCore *few[FIRST_PLACES], **places = table->places;
    size_t mask = table->mask;
    if (places == table->first_places)
        places = memcpy(few, places, sizeof few);
    memset(table->first_places, 0, sizeof table->first_places);
    table->places = table->first_places;
    table->mask = FIRST_PLACES - 1;
    table->used = 0;
    for (size_t at = 0; at <= mask; at++)
        Py_XDECREF((PyObject *)places[at]);
    if (places != few)
        PyMem_Free(places);
    return 0;
}

static void table_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    table_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static int handle_argument(PyObject *value, unsigned long long *handle)
{
    int overflow;
    long long number;
    if (!PyLong_CheckExact(value))
        return 0;
    number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow || number < 0)
        return 0;
    *handle = (unsigned long long)number;
    return 1;
}

static PyObject *table_get(PyObject *self, PyObject *value)
{
    unsigned long long handle;
    SocketCore *sock = handle_argument(value, &handle) ? table_find((HandleTable *)self, handle) : NULL;
    return Py_NewRef(sock == NULL ? Py_None : (PyObject *)sock);
}

static PyObject *table_pop(PyObject *self, PyObject *value)
{
    unsigned long long handle;
    SocketCore *sock = handle_argument(value, &handle) ? table_take((HandleTable *)self, handle) : NULL;
    return sock == NULL ? Py_NewRef(Py_None) : (PyObject *)sock;
}

static PyObject *table_sockets(PyObject *self, PyObject *nothing)
{
    HandleTable *table = (HandleTable *)self;
    PyObject *list = PyList_New(0);
    (void)nothing;
    for (size_t at = 0; list != NULL && at <= table->mask; at++)
        if (table->places[at] != NULL && PyList_Append(list, (PyObject *)table->places[at]) < 0)
            Py_CLEAR(list);
    return list;
}

static PyObject *table_move_all(PyObject *self, PyObject *sockets)
{
    HandleTable *table = (HandleTable *)self;
    for (size_t at = 0; at <= table->mask; at++)
        if (table->places[at] != NULL && PySet_Add(sockets, (PyObject *)table->places[at]) < 0)
            return NULL;
    table_clear(self);
    Py_RETURN_NONE;
}

static PyObject *table_add(PyObject *self, PyObject *value);

static Py_ssize_t table_length(PyObject *self)
{
    return (Py_ssize_t)((HandleTable *)self)->used;
}

static PyMethodDef table_methods[] = {
    {"add", table_add, METH_O, "Enters a socket and gives it the next free handle."},
    {"get", table_get, METH_O, "The socket of a handle, or None."},
    {"pop", table_pop, METH_O, "Takes out and returns the socket of a handle; None where there is none."},
    {"move_all", table_move_all, METH_O, "Moves every socket into a set."},
    {"sockets", table_sockets, METH_NOARGS, "A list of all sockets."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot table_slots[] = {
    {Py_tp_doc, "The sockets by their handles."},
    {Py_tp_new, table_new},
    {Py_tp_methods, table_methods},
    {Py_tp_traverse, table_traverse},
    {Py_tp_clear, table_clear},
    {Py_tp_dealloc, table_dealloc},
    {Py_sq_length, table_length},
    {0, NULL},
};

static PyType_Spec table_spec = {
    .name = "winsock_compat._accelerator.HandleTable",
    .basicsize = sizeof(HandleTable),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = table_slots,
};

/* A function: what it knows, and its outcomes other than success */

/* It is the state of a module object of its own, which is the function's `self`: so inspect sees a plain function. */
typedef struct {
    PyObject *decline, *resume, *examine; /* functions of the reference */
    HandleTable *table;
    PyTypeObject *structure, *array, *integers[2], *sets[2]; /* of ctypes; NULL where their layout is not known */
    PyMethodDef definition;
    char *text;
} Call;

static Call *call_of(PyObject *self)
{
    return PyModule_GetState(self);
}

static int call_traverse(PyObject *self, visitproc visit, void *arg)
{
    Call *call = call_of(self);
    if (call == NULL)
        return 0;
    Py_VISIT(call->decline);
    Py_VISIT(call->resume);
    Py_VISIT(call->examine);
    Py_VISIT(call->table);
    Py_VISIT(call->structure);
    Py_VISIT(call->array);
    for (int place = 0; place < 2; place++) {
        Py_VISIT(call->integers[place]);
        Py_VISIT(call->sets[place]);
    }
    return 0;
}

/* There is no m_clear: other objects break each cycle, and a function that is called meanwhile finds all it needs. */
static void call_free(void *self)
{
    Call *call = call_of(self);
    if (call == NULL)
        return;
    Py_XDECREF(call->decline);
    Py_XDECREF(call->resume);
    Py_XDECREF(call->examine);
    Py_XDECREF(call->table);
    Py_XDECREF(call->structure);
    Py_XDECREF(call->array);
    for (int place = 0; place < 2; place++) {
        Py_XDECREF(call->integers[place]);
        Py_XDECREF(call->sets[place]);
    }
    PyMem_Free(call->text);
}

static struct PyModuleDef call_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "winsock_compat",
    .m_size = sizeof(Call),
    .m_traverse = call_traverse,
    .m_free = call_free,
};

static PyObject *decline(Call *call, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    return PyObject_Vectorcall(call->decline, args, (size_t)nargs, names);
}

#define MOST_ARGUMENTS 6

/* Passes on what a system call has done: `result` is its count, or minus the errno. */
static PyObject *resume(Call *call, SocketCore *sock, PyObject *const *args, Py_ssize_t nargs, long long result)
{
    PyObject *with[MOST_ARGUMENTS + 2];
    PyObject *answer;
    with[0] = Py_NewRef((PyObject *)sock);
    memcpy(with + 1, args, (size_t)nargs * sizeof *args);
    with[nargs + 1] = PyLong_FromLongLong(result);
    answer = with[nargs + 1] == NULL ? NULL : PyObject_Vectorcall(call->resume, with, (size_t)nargs + 2, NULL);
    Py_XDECREF(with[nargs + 1]);
    Py_DECREF((PyObject *)sock);
    return answer;
}

static PyObject *would_block(void)
{
    last_error = WSAEWOULDBLOCK;
    return PyLong_FromLong(SOCKET_ERROR);
}

/* Arguments: each function returns 0 or NULL for an argument that the reference must handle. An argument of exactly the
 * type int is converted without Python code. */

/* A borrowed reference to the socket of a handle that has all these capabilities. */
static SocketCore *find_socket(const Call *call, PyObject *value, unsigned int needed)
{
    unsigned long long handle;
    SocketCore *sock;
    if (!handle_argument(value, &handle))
        return NULL;
    sock = table_find(call->table, handle);
    return sock != NULL && (sock->capabilities & needed) == needed ? sock : NULL;
}

static int int_argument(PyObject *value, long long least, long long most, long long *number)
{
    int overflow;
    if (!PyLong_CheckExact(value))
        return 0;
    *number = PyLong_AsLongLongAndOverflow(value, &overflow);
    return !overflow && least <= *number && *number <= most;
}

static int is_zero(PyObject *value)
{
    long long number;
    return int_argument(value, 0, 0, &number);
}

/* The caller's memory */

typedef struct {
    char *data;
    Py_ssize_t size;
    int exported; /* `view` is held until close_memory */
    int pinned;   /* neither other threads nor Python code can move or free the memory until close_memory */
    Py_buffer view;
} Memory;

static void close_memory(Memory *memory)
{
    if (memory->exported)
        PyBuffer_Release(&memory->view);
    memory->exported = 0;
}

/* How objects of ctypes begin in every version of CPython so far; knows_layout verifies it when the module is loaded. */
typedef struct {
    PyObject_HEAD
    char *data;
    int owned; /* the data is a block of its own, which is freed with the object */
    PyObject *base;
    Py_ssize_t size;
} CData;

/* A small object has its bytes inside itself. Other memory may belong to nobody (from_address), or to an object that
 * has freed it. */
static int owns_memory(PyObject *object)
{
    const CData *data = (const CData *)object;
    const char *begin = (const char *)object;
    return data->base == NULL &&
           (data->owned ||
            (data->data >= begin && data->data + data->size <= begin + Py_TYPE(object)->tp_basicsize));
}

static int is_structure_or_array(const Call *call, PyObject *object)
{
    return call->structure != NULL && (PyType_IsSubtype(Py_TYPE(object), call->structure) ||
                                       PyType_IsSubtype(Py_TYPE(object), call->array));
}

/* WRITE: the memory is written to. FOLLOW: code here reads or writes it, not only the kernel. PIN: other threads or
 * Python code may run before close_memory; `pinned` reports whether the memory stays in place meanwhile. */
enum { READ = 0, WRITE = PyBUF_WRITABLE, FOLLOW = 0x10000, PIN = 0x20000 };

static int export_memory(PyObject *object, int how, Memory *memory)
{
    if (PyObject_GetBuffer(object, &memory->view, PyBUF_SIMPLE | (how & WRITE)) < 0) {
        PyErr_Clear();
        return 0;
    }
    memory->data = memory->view.buf;
    memory->size = memory->view.len;
    memory->exported = 1;
    return 1;
}

/* Opens memory of a kind that needs no Python code to give it. */
static int open_memory(const Call *call, PyObject *object, int how, Memory *memory)
{
    memory->exported = memory->pinned = 0;
    if (PyByteArray_CheckExact(object)) {
        if (how & PIN)
            return memory->pinned = export_memory(object, how, memory);
        memory->data = PyByteArray_AS_STRING(object);
        memory->size = PyByteArray_GET_SIZE(object);
        return 1;
    }
    if (PyBytes_CheckExact(object)) {
        memory->data = PyBytes_AS_STRING(object);
        memory->size = PyBytes_GET_SIZE(object);
        memory->pinned = 1;
        return !(how & WRITE);
    }
    if (is_structure_or_array(call, object)) {
        memory->data = ((CData *)object)->data;
        memory->size = ((CData *)object)->size;
        return !(how & FOLLOW) || owns_memory(object);
    }
    /* A memoryview may show memory that nobody owns, and ctypes.resize moves memory in spite of an export. */
    if (PyMemoryView_Check(object) && !(how & FOLLOW) && export_memory(object, how, memory)) {
        PyObject *base = PyMemoryView_GET_BASE(object);
        memory->pinned = base != NULL && (PyBytes_Check(base) || PyByteArray_Check(base));
        return 1;
    }
    return 0;
}

/* Whether memory that was opened with PIN is still where it was, after Python code may have run. */
static int is_same_memory(PyObject *object, const Memory *memory)
{
    const CData *data = (const CData *)object;
    return memory->pinned || (data->data == memory->data && data->size == memory->size);
}

/* The value of a c_int or c_uint32, which lies inside the object. */
static int *integer_argument(const Call *call, PyObject *object)
{
    if ((Py_TYPE(object) != call->integers[0] && Py_TYPE(object) != call->integers[1]) || !owns_memory(object) ||
        ((CData *)object)->size != sizeof(int))
        return NULL;
    return (int *)((CData *)object)->data;
}

/* Send, recv, sendto, recvfrom, send_many */

/* What all of them have: a socket, to which the call holds a reference, and memory of at least `length` bytes. */
typedef struct {
    SocketCore *sock;
    long long length;
    Memory data;
} Transfer;

static int open_transfer(const Call *call, PyObject *const *args, unsigned int capability, int how, Transfer *transfer)
{
    SocketCore *sock = find_socket(call, args[0], capability);
    if (sock == NULL || !int_argument(args[2], 0, INT_MAX, &transfer->length) || !is_zero(args[3]) ||
        !open_memory(call, args[1], transfer->length > GIL_LIMIT ? how | PIN : how, &transfer->data))
        return 0;
    if (transfer->length > transfer->data.size) {
        close_memory(&transfer->data);
        return 0;
    }
    transfer->sock = (SocketCore *)Py_NewRef((PyObject *)sock);
    return 1;
}

/* Whether a send or recv moves more than GIL_LIMIT bytes and needs nothing that may disappear without the GIL: the
 * memory, or a descriptor that is closed before the last reference to its socket goes (state/waiters.py). */
static int may_release_gil(const Transfer *transfer, int receives)
{
    const SocketCore *sock = transfer->sock;
    int available;
    if (transfer->length <= GIL_LIMIT || !transfer->data.pinned || !(sock->capabilities & CAN_CLOSE) ||
        sock->from_parent)
        return 0;
    return !receives || (ioctl(sock->fd, FIONREAD, &available) == 0 && available > GIL_LIMIT);
}

static long long send_or_recv(const Transfer *transfer, int receives, int flags)
{
    ssize_t count;
    if (receives)
        count = recv(transfer->sock->fd, transfer->data.data, (size_t)transfer->length, flags);
    else
        count = send(transfer->sock->fd, transfer->data.data, (size_t)transfer->length, flags);
    return count < 0 ? -errno : count;
}

/* One send or recv: its count, or minus the errno. */
static long long make_transfer(const Transfer *transfer, int receives, int flags)
{
    long long count;
    if (!may_release_gil(transfer, receives))
        return send_or_recv(transfer, receives, flags);
    Py_BEGIN_ALLOW_THREADS
    count = send_or_recv(transfer, receives, flags);
    Py_END_ALLOW_THREADS
    return count;
}

/* Ends a call whose system call has returned `count`, or minus the errno. Where that is not the call's result
 * (`is_result`), the reference continues. The buffer is closed before, as the reference opens it itself. */
static PyObject *finish_transfer(Call *call, Transfer *transfer, PyObject *const *args, Py_ssize_t nargs,
                                 long long count, int is_result)
{
    PyObject *answer;
    close_memory(&transfer->data);
    if (is_result)
        answer = PyLong_FromLongLong(count);
    else if (count == -EAGAIN && transfer->sock->nonblocking)
        answer = would_block();
    else
        answer = resume(call, transfer->sock, args, nargs, count);
    Py_DECREF((PyObject *)transfer->sock);
    return answer;
}

static int is_sent(const Transfer *transfer, long long count)
{
    return count == transfer->length || (count >= 0 && transfer->sock->nonblocking);
}

/* At the end of a stream the kernel may keep an error. A datagram that was cut is an error: MSG_TRUNC returns its full
 * size. */
static int is_received(const Transfer *transfer, long long count)
{
    if (count == 0)
        return transfer->length == 0 || transfer->sock->type == SOCK_DGRAM;
    return count > 0 && count <= transfer->length;
}

/* send, for four arguments: 0 if it declines, else 1 with the result in `answer`. */
static int try_send(Call *call, PyObject *const *args, PyObject **answer)
{
    Transfer transfer;
    long long count;
    if (!open_transfer(call, args, CAN_SEND, READ, &transfer))
        return 0;
    count = make_transfer(&transfer, 0, MSG_NOSIGNAL);
    *answer = finish_transfer(call, &transfer, args, 4, count, is_sent(&transfer, count));
    return 1;
}

static PyObject *fast_send(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    Call *call = call_of(self);
    PyObject *answer;
    if (nargs != 4 || names != NULL || !try_send(call, args, &answer))
        return decline(call, args, nargs, names);
    return answer;
}

static PyObject *fast_recv(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    Call *call = call_of(self);
    Transfer transfer;
    long long count;
    if (nargs != 4 || names != NULL || !open_transfer(call, args, CAN_RECV, WRITE, &transfer))
        return decline(call, args, nargs, names);
    count = make_transfer(&transfer, 1, transfer.sock->type == SOCK_DGRAM ? MSG_TRUNC : 0);
    return finish_transfer(call, &transfer, args, nargs, count, is_received(&transfer, count));
}

/* An IPv4 address that needs no rule of Winsock's: neither port 0, nor the wildcard, nor multicast or broadcast. */
static int is_ordinary(const char *name)
{
    const unsigned char *byte = (const unsigned char *)name;
    return byte[0] == AF_INET && byte[1] == 0 && (byte[2] || byte[3]) && byte[4] != 0 && byte[4] < 224;
}

/* A datagram has less than GIL_LIMIT bytes: sendto and recvfrom keep the GIL. */
static PyObject *fast_sendto(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    Call *call = call_of(self);
    Transfer transfer;
    Memory name;
    long long name_length, count;
    int ordinary;
    if (nargs != 6 || names != NULL || !int_argument(args[5], NAME_SIZE, INT_MAX, &name_length) ||
        !open_memory(call, args[4], FOLLOW, &name))
        return decline(call, args, nargs, names);
    ordinary = name_length <= name.size && is_ordinary(name.data);
    if (!ordinary || !open_transfer(call, args, CAN_SENDTO, READ, &transfer)) {
        close_memory(&name);
        return decline(call, args, nargs, names);
    }
    count = sendto(transfer.sock->fd, transfer.data.data, (size_t)transfer.length, MSG_NOSIGNAL,
                   (struct sockaddr *)name.data, NAME_SIZE);
    count = count < 0 ? -errno : count;
    close_memory(&name);
    return finish_transfer(call, &transfer, args, nargs, count, is_sent(&transfer, count));
}

static PyObject *fast_recvfrom(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    Call *call = call_of(self);
    Transfer transfer;
    Memory name;
    long long count;
    socklen_t size = NAME_SIZE;
    int *name_length, room;
    if (nargs != 6 || names != NULL || (name_length = integer_argument(call, args[5])) == NULL ||
        !open_memory(call, args[4], WRITE | FOLLOW, &name))
        return decline(call, args, nargs, names);
    room = *name_length;
    if (room < NAME_SIZE || room > name.size || !open_transfer(call, args, CAN_RECVFROM, WRITE, &transfer)) {
        close_memory(&name);
        return decline(call, args, nargs, names);
    }
    count = recvfrom(transfer.sock->fd, transfer.data.data, (size_t)transfer.length, MSG_TRUNC,
                     (struct sockaddr *)name.data, &size);
    count = count < 0 ? -errno : count;
    if (count >= 0)
        *name_length = NAME_SIZE;
    close_memory(&name);
    return finish_transfer(call, &transfer, args, nargs, count, is_received(&transfer, count));
}

/* Starts to load the next socket into the CPU cache, from which the kernel's work for each send evicts it. */
static void prefetch_next(const Call *call, PyObject *handles, Py_ssize_t place)
{
    unsigned long long handle;
    const char *next;
    if (place + 2 < PyTuple_GET_SIZE(handles))
        __builtin_prefetch(PyTuple_GET_ITEM(handles, place + 2));
    if (place + 1 >= PyTuple_GET_SIZE(handles) || !handle_argument(PyTuple_GET_ITEM(handles, place + 1), &handle))
        return;
    next = (const char *)call->table->places[(size_t)(handle >> 2) & call->table->mask];
    if (next != NULL) {
        __builtin_prefetch(next);
        __builtin_prefetch(next + sizeof(SocketCore) / 2);
    }
}

/* An entry of send_many's list, from the reference's send_many for this handle alone. */
static PyObject *decline_one(Call *call, PyObject *handle, PyObject *const *args)
{
    PyObject *arguments[4] = {PyTuple_Pack(1, handle), args[1], args[2], args[3]};
    PyObject *list = arguments[0] == NULL ? NULL : decline(call, arguments, 4, NULL);
    PyObject *entry = list == NULL ? NULL : PySequence_GetItem(list, 0);
    Py_XDECREF(arguments[0]);
    Py_XDECREF(list);
    return entry;
}

/* An entry of send_many's list: the count of a send, or minus its error. */
static PyObject *send_to_one(Call *call, PyObject *handle, PyObject *const *args)
{
    PyObject *arguments[4] = {handle, args[1], args[2], args[3]}, *answer;
    long long failed;
    if (!try_send(call, arguments, &answer))
        return decline_one(call, handle, args);
    if (answer != NULL && int_argument(answer, SOCKET_ERROR, SOCKET_ERROR, &failed)) {
        Py_DECREF(answer);
        return PyLong_FromLong(-(long)last_error);
    }
    return answer;
}

/* Fills `entries`, one for each handle; returns how many it has filled: fewer than `total` with an exception. */
static Py_ssize_t send_to_each(Call *call, PyObject *handles, PyObject *const *args, PyObject **entries)
{
    Py_ssize_t total = PyTuple_GET_SIZE(handles);
    long long length, moved = 0;
    if (!int_argument(args[2], 0, INT_MAX, &length))
        length = 0;
    for (Py_ssize_t place = 0; place < total; place++) {
        prefetch_next(call, handles, place);
        entries[place] = send_to_one(call, PyTuple_GET_ITEM(handles, place), args);
        if (entries[place] == NULL)
            return place;
        moved += length;
        if (moved > GIL_LIMIT) { /* let other threads run */
            moved = 0;
            Py_BEGIN_ALLOW_THREADS
            Py_END_ALLOW_THREADS
        }
    }
    return total;
}

/* The buffer is opened for each send, as in the reference. */
static PyObject *fast_send_many(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    Call *call = call_of(self);
    PyObject *handles, *answers, **entries;
    Py_ssize_t total, count;
    if (nargs != 4 || names != NULL || !(PyList_CheckExact(args[0]) || PyTuple_CheckExact(args[0])))
        return decline(call, args, nargs, names);
    /* A copy: Python code, which runs for sockets in a special state, may change the list. */
    handles = PySequence_Tuple(args[0]);
    if (handles == NULL)
        return NULL;
    total = PyTuple_GET_SIZE(handles);
    entries = PyMem_New(PyObject *, (size_t)total + 1);
    if (entries == NULL) {
        Py_DECREF(handles);
        return PyErr_NoMemory();
    }
    count = send_to_each(call, handles, args, entries);
    answers = count < total ? NULL : PyList_New(total);
    for (Py_ssize_t place = 0; place < count; place++) {
        if (answers == NULL)
            Py_DECREF(entries[place]);
        else
            PyList_SET_ITEM(answers, place, entries[place]);
    }
    PyMem_Free(entries);
    Py_DECREF(handles);
    return answers;
}

/* accept, closesocket, ioctlsocket, WSAGetLastError */

/* A connected socket with what the listener passes on. It owns `fd`. */
static SocketCore *new_connection(const SocketCore *listener, int fd, const char *name)
{
    PyTypeObject *type = Py_TYPE(listener);
    SocketCore *sock = (SocketCore *)type->tp_alloc(type, 0);
    struct timespec now;
    if (sock == NULL) {
        close(fd);
        return NULL;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    sock->fd = fd;
    sock->family = listener->family;
    sock->type = listener->type;
    sock->protocol = listener->protocol;
    sock->state = STATE_CONNECTED;
    sock->capabilities = CONNECTED_STREAM;
    sock->poll_kind = POLL_STREAM;
    sock->nonblocking = listener->nonblocking;
    sock->bound = 1;
    sock->connected_at = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
    sock->options = Py_XNewRef(listener->options);
    sock->peer = PyBytes_FromStringAndSize(name, NAME_SIZE);
    if (sock->peer == NULL)
        Py_CLEAR(sock);
    return sock;
}

/* Opens the memory for the peer's address; `name_length` is NULL where the caller wants none. */
static int open_peer_name(const Call *call, PyObject *const *args, Memory *name, int **name_length)
{
    int room;
    *name_length = NULL;
    name->exported = 0;
    if (args[1] == Py_None)
        return args[2] == Py_None;
    *name_length = integer_argument(call, args[2]);
    if (*name_length == NULL || !open_memory(call, args[1], WRITE | FOLLOW, name))
        return 0;
    room = **name_length;
    if (room >= NAME_SIZE && room <= name->size)
        return 1;
    close_memory(name);
    return 0;
}

/* Enters a connection, whose descriptor is `fd`, into the table: the socket's handle, NULL with an exception, or the
 * reference's answer where the listener was closed meanwhile: allocating a socket may run Python code. */
static PyObject *enter_connection(Call *call, SocketCore *listener, int fd, const char *name, PyObject *const *args)
{
    SocketCore *sock;
    PyObject *answer = NULL;
    Py_INCREF((PyObject *)listener);
    sock = new_connection(listener, fd, name);
    if (sock != NULL && table_find(call->table, listener->handle) != listener) {
        Py_CLEAR(sock); /* this ends the connection */
        answer = decline(call, args, 3, NULL);
    } else if (sock != NULL && table_enter(call->table, sock) == 0) {
        answer = PyLong_FromUnsignedLong(sock->handle);
    }
    Py_XDECREF((PyObject *)sock);
    Py_DECREF((PyObject *)listener);
    return answer;
}

static PyObject *fast_accept(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    Call *call = call_of(self);
    SocketCore *listener;
    Memory memory;
    char name[NAME_SIZE] = {0};
    socklen_t size = NAME_SIZE;
    int *name_length, fd, number;
    if (nargs != 3 || names != NULL || (listener = find_socket(call, args[0], CAN_ACCEPT)) == NULL ||
        !open_peer_name(call, args, &memory, &name_length))
        return decline(call, args, nargs, names);
    fd = accept4(listener->fd, (struct sockaddr *)name, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    number = errno;
    if (fd >= 0 && name_length != NULL) {
        memcpy(memory.data, name, NAME_SIZE);
        *name_length = NAME_SIZE;
    }
    close_memory(&memory);
    if (fd >= 0)
        return enter_connection(call, listener, fd, name, args);
    if (number == EAGAIN && listener->nonblocking) {
        last_error = WSAEWOULDBLOCK;
        return PyLong_FromUnsignedLongLong(INVALID_SOCKET);
    }
    /* Nothing was taken from the queue that a second attempt would miss. */
    return decline(call, args, nargs, names);
}

static PyObject *fast_closesocket(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    Call *call = call_of(self);
    SocketCore *sock = nargs == 1 && names == NULL ? find_socket(call, args[0], CAN_CLOSE) : NULL;
    if (sock == NULL || sock->from_parent || (sock->waiters != NULL && sock->waiters != Py_None) || Py_REFCNT(sock) > 1)
        return decline(call, args, nargs, names);
    table_take(call->table, sock->handle);
    sock->closed = 1;
    sock->capabilities = 0;
    sock->poll_kind = POLL_REFERENCE;
    /* The last reference closes the descriptor. */
    Py_DECREF((PyObject *)sock);
    return PyLong_FromLong(0);
}

static PyObject *fast_ioctlsocket(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    Call *call = call_of(self);
    SocketCore *sock;
    long long command;
    const int *value;
    if (nargs != 3 || names != NULL || (sock = find_socket(call, args[0], 0)) == NULL ||
        !int_argument(args[1], INT_MIN, UINT_MAX, &command) || (unsigned int)command != FIONBIO_COMMAND ||
        (value = integer_argument(call, args[2])) == NULL)
        return decline(call, args, nargs, names);
    sock->nonblocking = *value != 0;
    return PyLong_FromLong(0);
}

static PyObject *fast_get_last_error(PyObject *self, PyObject *nothing)
{
    (void)self, (void)nothing;
    return PyLong_FromLong(last_error);
}

/* What WSAPoll and select share. Both only look, without waiting; where nothing is ready yet, the reference waits. */

/* What a call asks about one socket, and the answer: a member of one of select's sets, or an entry of WSAPoll's array */
typedef struct {
    SocketCore *sock; /* NULL for an invalid handle in WSAPoll's array, which has its results from the beginning */
    int wants;        /* the events of WSAPoll, or the bits of select's sets */
    int results;      /* likewise */
    int entry;        /* its place in Poll.entries; -1 where the kernel is not asked */
    char special;     /* the reference answers; decided once, as an answer may change the socket's poll kind */
} Question;

typedef struct {
    Question *questions;
    struct pollfd *entries; /* one for each socket: poll refuses more entries than RLIMIT_NOFILE */
    Py_ssize_t count;       /* of the questions */
    int entry_count;
    char kept;               /* the questions hold references to their sockets, because Python code may run */
    unsigned long long mark; /* of the sockets that have an entry */
    Question few_questions[FEW];
    struct pollfd few_entries[FEW];
} Poll;

static int open_poll(HandleTable *table, Poll *poll, Py_ssize_t count)
{
    poll->count = poll->entry_count = poll->kept = 0;
    poll->mark = next_mark(table);
    poll->questions = poll->few_questions;
    poll->entries = poll->few_entries;
    if (count <= FEW)
        return 0;
    poll->questions = PyMem_New(Question, (size_t)count);
    poll->entries = PyMem_New(struct pollfd, (size_t)count);
    if (poll->questions != NULL && poll->entries != NULL)
        return 0;
    PyMem_Free(poll->questions);
    PyMem_Free(poll->entries);
    PyErr_NoMemory();
    return -1;
}

static void close_poll(Poll *poll)
{
    for (Py_ssize_t at = 0; poll->kept && at < poll->count; at++)
        Py_XDECREF(poll->questions[at].sock);
    if (poll->questions != poll->few_questions) {
        PyMem_Free(poll->questions);
        PyMem_Free(poll->entries);
    }
}

static void ask_about(Poll *poll, SocketCore *sock, int wants, short events)
{
    Question *question = &poll->questions[poll->count++];
    question->sock = sock;
    question->wants = wants;
    question->results = 0;
    question->special = sock->poll_kind == POLL_REFERENCE;
    question->entry = -1;
    if (question->special || sock->poll_kind == POLL_NEVER)
        return;
    if (sock->mark != poll->mark) {
        sock->mark = poll->mark;
        sock->entry = poll->entry_count++;
        poll->entries[sock->entry] = (struct pollfd){.fd = sock->fd};
    }
    question->entry = sock->entry;
    poll->entries[sock->entry].events |= events;
}

/* The reference's answer for one socket in a state that only it understands, or about which the kernel reports an
 * error: -1 with an exception. It may run any Python code, so from now on all questions hold references. */
static int examine(Call *call, Poll *poll, Question *question)
{
    PyObject *args[2], *answer;
    long bits;
    if (!poll->kept) {
        for (Py_ssize_t at = 0; at < poll->count; at++)
            Py_XINCREF(poll->questions[at].sock);
        poll->kept = 1;
    }
    args[0] = (PyObject *)question->sock;
    args[1] = PyLong_FromLong(question->wants);
    answer = args[1] == NULL ? NULL : PyObject_Vectorcall(call->examine, args, 2, NULL);
    Py_XDECREF(args[1]);
    if (answer == NULL)
        return -1;
    bits = PyLong_AsLong(answer);
    Py_DECREF(answer);
    if (bits == -1 && PyErr_Occurred())
        return -1;
    question->results = (int)bits;
    return 0;
}

/* Asks the kernel about all sockets and the reference about some: how many sockets have a result, -1 with an exception,
 * or DECLINE where a socket was closed meanwhile or poll fails. `interpret` gives the result of a question from the
 * kernel's revents, except of sockets with one of the events `to_examine`. */
#define DECLINE (-2)
static Py_ssize_t ask(Call *call, Poll *asked, short to_examine, int (*interpret)(const Question *, short))
{
    Py_ssize_t ready = 0;
    int answered;
    do
        answered = poll(asked->entries, (nfds_t)asked->entry_count, 0);
    while (answered < 0 && errno == EINTR);
    if (answered < 0)
        return DECLINE;
    for (Py_ssize_t at = 0; at < asked->count; at++) {
        Question *question = &asked->questions[at];
        if (question->sock == NULL)
            continue;
        short revents = question->entry >= 0 ? asked->entries[question->entry].revents : 0;
        if (question->special || (revents & to_examine)) {
            if (examine(call, asked, question) < 0)
                return -1;
        } else if (revents) {
            question->results = interpret(question, revents);
        }
        if (question->results < 0)
            return DECLINE;
        ready += question->results != 0;
    }
    return ready;
}

/* WSAPoll */

static int interpret_for_poll(const Question *question, short revents)
{
    int results = 0;
    if (revents & POLLIN)
        results |= question->wants & WSA_POLLRDNORM;
    if (revents & POLLOUT)
        results |= question->wants & WSA_POLLWRNORM;
    if (revents & POLLPRI)
        results |= question->wants & WSA_POLLRDBAND;
    return results;
}

static short poll_events(const SocketCore *sock, int wants)
{
    short events = wants & WSA_POLLRDNORM ? POLLIN : 0;
    if (sock->poll_kind == POLL_LISTENER)
        return events;
    if (wants & WSA_POLLWRNORM)
        events |= POLLOUT;
    if (sock->poll_kind == POLL_STREAM) {
        events |= POLLRDHUP;
        if (wants & WSA_POLLRDBAND)
            events |= POLLPRI;
    }
    return events;
}

typedef struct {
    uint64_t fd;
    int16_t events, revents;
    uint32_t padding;
} PollEntry; /* WSAPOLLFD of 64 bits */

/* Adds a question for each entry of an array. 0 where the reference must report an error: for events that WSAPoll does
 * not take, or an array without a valid handle. */
static int ask_entries(const Call *call, Poll *asked, volatile const PollEntry *array, Py_ssize_t count)
{
    int valid = 0;
    for (Py_ssize_t at = 0; at < count; at++) {
        SocketCore *sock = table_find(call->table, array[at].fd);
        int wants = array[at].events;
        if ((sock != NULL || valid) && (wants & ~(WSA_POLLRDNORM | WSA_POLLRDBAND | WSA_POLLWRNORM))) {
            return 0;
        } else if (sock == NULL) {
            asked->questions[asked->count++] = (Question){.results = WSA_POLLNVAL};
        } else {
            ask_about(asked, sock, wants, poll_events(sock, wants));
            valid = 1;
        }
    }
    return valid;
}

/* As ask, about the sockets of an array; writes the results unless the reference must handle the call. */
static Py_ssize_t poll_array(Call *call, PyObject *given, const Memory *memory, Py_ssize_t count, int wait)
{
    volatile PollEntry *array = (PollEntry *)memory->data; /* each field is read once */
    Poll asked;
    Py_ssize_t ready = DECLINE;
    if (open_poll(call->table, &asked, count) < 0)
        return -1;
    if (ask_entries(call, &asked, array, count))
        ready = ask(call, &asked, POLLERR | POLLHUP | POLLRDHUP | POLLNVAL, interpret_for_poll);
    if ((ready == 0 && wait) || (ready >= 0 && !is_same_memory(given, memory)))
        ready = DECLINE;
    for (Py_ssize_t at = 0; ready >= 0 && at < count; at++)
        array[at].revents = (int16_t)asked.questions[at].results;
    close_poll(&asked);
    return ready;
}

static PyObject *fast_poll(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    Call *call = call_of(self);
    Memory memory;
    long long count, timeout;
    Py_ssize_t ready = DECLINE;
    if (nargs != 3 || names != NULL || !int_argument(args[1], 1, INT_MAX, &count) ||
        !int_argument(args[2], INT_MIN, INT_MAX, &timeout) ||
        !open_memory(call, args[0], WRITE | FOLLOW | PIN, &memory))
        return decline(call, args, nargs, names);
    if (count <= memory.size / (Py_ssize_t)sizeof(PollEntry) && (uintptr_t)memory.data % sizeof(uint64_t) == 0)
        ready = poll_array(call, args[0], &memory, (Py_ssize_t)count, timeout != 0);
    close_memory(&memory);
    if (ready == DECLINE)
        return decline(call, args, nargs, names);
    return ready < 0 ? NULL : PyLong_FromSsize_t(ready);
}

/* fd_set: a count, padding up to the width of a SOCKET, then the handles */

typedef struct {
    Memory memory;
    uint32_t *count;
    uint64_t *handles;
    uint32_t capacity, members; /* both read once */
} Set;

/* The types of fd_set_sized derive from sets[1] and are never too small; a bytearray may be. */
static int open_set(const Call *call, PyObject *object, int how, Set *set)
{
    PyTypeObject *type = Py_TYPE(object);
    if ((type != call->sets[0] && type->tp_base != call->sets[1] && !PyByteArray_CheckExact(object)) ||
        !open_memory(call, object, WRITE | FOLLOW | how, &set->memory))
        return 0;
    if ((PyByteArray_CheckExact(object) && set->memory.size < FD_SET_SIZE) ||
        (uintptr_t)set->memory.data % sizeof(uint64_t)) {
        close_memory(&set->memory);
        return 0;
    }
    set->count = (uint32_t *)set->memory.data;
    set->handles = (uint64_t *)set->memory.data + 1;
    set->capacity = (uint32_t)Py_MIN(set->memory.size / (Py_ssize_t)sizeof(uint64_t) - 1, INT_MAX);
    set->members = *(volatile uint32_t *)set->count;
    return 1;
}

static Py_ssize_t place_in(const Set *set, uint64_t handle)
{
    uint32_t members = Py_MIN(set->members, set->capacity);
    for (uint32_t at = 0; at < members; at++)
        if (set->handles[at] == handle)
            return at;
    return -1;
}

/* What FD_SET, FD_CLR and FD_ISSET do with a set, a handle, and the handle's place in the set; -1 if it is not there. */
typedef PyObject *(*SetOperation)(const Set *set, uint64_t handle, Py_ssize_t place);

static PyObject *with_set(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names, SetOperation operate)
{
    Call *call = call_of(self);
    unsigned long long handle;
    PyObject *answer;
    Set set;
    if (nargs != 2 || names != NULL || !handle_argument(args[0], &handle) || !open_set(call, args[1], 0, &set))
        return decline(call, args, nargs, names);
    answer = operate(&set, handle, place_in(&set, handle));
    close_memory(&set.memory);
    return answer;
}

static PyObject *add_to_set(const Set *set, uint64_t handle, Py_ssize_t place)
{
    if (set->members < set->capacity && place < 0) {
        set->handles[set->members] = handle;
        *set->count = set->members + 1;
    }
    Py_RETURN_NONE;
}

static PyObject *remove_from_set(const Set *set, uint64_t handle, Py_ssize_t place)
{
    uint32_t members = Py_MIN(set->members, set->capacity);
    (void)handle;
    if (place >= 0) {
        memmove(set->handles + place, set->handles + place + 1, (members - (uint32_t)place - 1) * sizeof *set->handles);
        *set->count = members - 1;
    }
    Py_RETURN_NONE;
}

static PyObject *is_in_set(const Set *set, uint64_t handle, Py_ssize_t place)
{
    (void)set, (void)handle;
    return PyBool_FromLong(place >= 0);
}

static PyObject *fast_fd_set(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    return with_set(self, args, nargs, names, add_to_set);
}

static PyObject *fast_fd_clr(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    return with_set(self, args, nargs, names, remove_from_set);
}

static PyObject *fast_fd_isset(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    return with_set(self, args, nargs, names, is_in_set);
}

static PyObject *fast_fd_zero(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    Call *call = call_of(self);
    Set set;
    if (nargs != 1 || names != NULL || !open_set(call, args[0], 0, &set))
        return decline(call, args, nargs, names);
    *set.count = 0;
    close_memory(&set.memory);
    Py_RETURN_NONE;
}

/* select */

static int interpret_for_select(const Question *question, short revents)
{
    int results = 0;
    if (revents & (POLLIN | POLLRDHUP))
        results |= question->wants & SELECT_READ;
    if (revents & POLLOUT)
        results |= question->wants & SELECT_WRITE;
    if (revents & POLLPRI)
        results |= question->wants & SELECT_EXCEPT;
    return results;
}

static short select_events(const SocketCore *sock, int wants)
{
    if (sock->poll_kind == POLL_LISTENER || sock->poll_kind == POLL_DATAGRAM)
        wants &= sock->poll_kind == POLL_LISTENER ? SELECT_READ : SELECT_READ | SELECT_WRITE;
    return (short)((wants & SELECT_READ ? POLLIN : 0) | (wants & SELECT_WRITE ? POLLOUT : 0) |
                   (wants & SELECT_EXCEPT ? POLLPRI : 0));
}

/* Whether a timeval is 0, or -1 where the reference must check it; 0 for NULL, which waits without a limit. */
static int is_immediate(const Call *call, PyObject *timeout)
{
    Memory memory;
    int32_t parts[2];
    if (timeout == Py_None)
        return 0;
    if (!open_memory(call, timeout, FOLLOW, &memory))
        return -1;
    if (memory.size < (Py_ssize_t)sizeof parts) {
        close_memory(&memory);
        return -1;
    }
    memcpy(parts, memory.data, sizeof parts);
    close_memory(&memory);
    return parts[0] < 0 || parts[1] < 0 ? -1 : !parts[0] && !parts[1];
}

/* Empties the set and puts in what is ready, each socket once. */
static Py_ssize_t fill_set(HandleTable *table, Set *set, const Question *questions, Py_ssize_t count, int bit)
{
    unsigned long long mark = next_mark(table);
    uint32_t kept = 0;
    for (Py_ssize_t at = 0; at < count; at++) {
        SocketCore *sock = questions[at].sock;
        if ((questions[at].results & bit) && sock->mark != mark && kept < set->capacity) {
            sock->mark = mark;
            set->handles[kept++] = sock->handle;
        }
    }
    *set->count = kept;
    return kept;
}

/* Opens the sets of select that are not None; the number of members of all, or -1 for the reference. */
static Py_ssize_t open_sets(const Call *call, PyObject *const *sets_given, Set *sets)
{
    Py_ssize_t total = 0;
    for (int set = 0; set < 3; set++)
        sets[set] = (Set){.members = 0};
    for (int set = 0; set < 3; set++) {
        PyObject *given = sets_given[set];
        if (given == Py_None)
            continue;
        for (int earlier = 0; earlier < set; earlier++)
            if (sets_given[earlier] == given)
                return -1;
        if (!open_set(call, given, PIN, &sets[set]) || sets[set].members > sets[set].capacity)
            return -1;
        total += sets[set].members;
    }
    return total;
}

static const int set_bits[3] = {SELECT_READ, SELECT_WRITE, SELECT_EXCEPT};

/* As ask, about the members of the sets; `starts` receives where the questions of each set begin. */
static Py_ssize_t ask_sets(Call *call, PyObject *const *sets_given, Set *sets, Py_ssize_t total, Poll *asked,
                           Py_ssize_t *starts)
{
    Py_ssize_t ready;
    for (int set = 0; set < 3; set++) {
        starts[set] = asked->count;
        for (uint32_t at = 0; at < sets[set].members; at++) {
            SocketCore *sock = table_find(call->table, sets[set].handles[at]);
            if (sock != NULL)
                ask_about(asked, sock, set_bits[set], select_events(sock, set_bits[set]));
        }
    }
    if (asked->count != total)
        return DECLINE;
    ready = ask(call, asked, POLLERR | POLLHUP | POLLNVAL, interpret_for_select);
    for (int set = 0; set < 3 && ready >= 0; set++)
        if (sets[set].handles != NULL && !is_same_memory(sets_given[set], &sets[set].memory))
            return DECLINE;
    return ready;
}

static PyObject *fast_select(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    Call *call = call_of(self);
    Set sets[3];
    Poll asked;
    Py_ssize_t total, ready = DECLINE, starts[3];
    long long nfds;
    int immediate;
    if (nargs != 5 || names != NULL || !int_argument(args[0], INT_MIN, UINT_MAX, &nfds) ||
        (immediate = is_immediate(call, args[4])) < 0)
        return decline(call, args, nargs, names);
    total = open_sets(call, args + 1, sets);
    if (total > 0 && open_poll(call->table, &asked, total) < 0) {
        ready = -1;
    } else if (total > 0) {
        ready = ask_sets(call, args + 1, sets, total, &asked, starts);
        if (ready == 0 && !immediate)
            ready = DECLINE; /* the reference waits */
        if (ready >= 0) {
            ready = 0;
            for (int set = 0; set < 3; set++)
                if (sets[set].handles != NULL)
                    ready += fill_set(call->table, &sets[set], asked.questions + starts[set], sets[set].members,
                                      set_bits[set]);
        }
        close_poll(&asked);
    }
    for (int set = 0; set < 3; set++)
        close_memory(&sets[set].memory);
    if (ready == DECLINE)
        return decline(call, args, nargs, names);
    return ready < 0 ? NULL : PyLong_FromSsize_t(ready);
}

/* The module */

typedef struct {
    PyTypeObject *socket_type, *table_type;
} State;

#define FAST(name, function) {name, (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS, NULL}

static const PyMethodDef fast_calls[] = {
    FAST("send", fast_send),
    FAST("recv", fast_recv),
    FAST("sendto", fast_sendto),
    FAST("recvfrom", fast_recvfrom),
    FAST("send_many", fast_send_many),
    FAST("accept", fast_accept),
    FAST("closesocket", fast_closesocket),
    FAST("ioctlsocket", fast_ioctlsocket),
    FAST("WSAPoll", fast_poll),
    FAST("select", fast_select),
    FAST("FD_SET", fast_fd_set),
    FAST("FD_CLR", fast_fd_clr),
    FAST("FD_ISSET", fast_fd_isset),
    FAST("FD_ZERO", fast_fd_zero),
    {"WSAGetLastError", fast_get_last_error, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyObject *table_add(PyObject *self, PyObject *value)
{
    State *state = PyType_GetModuleState(Py_TYPE(self));
    if (state == NULL)
        return NULL;
    if (!PyObject_TypeCheck(value, state->socket_type))
        return PyErr_Format(PyExc_TypeError, "a SocketCore is required, not '%.100s'", Py_TYPE(value)->tp_name);
    if (table_enter((HandleTable *)self, (SocketCore *)value) < 0)
        return NULL;
    return PyLong_FromUnsignedLong(((SocketCore *)value)->handle);
}

static PyObject *set_last_error(PyObject *module, PyObject *value)
{
    long number = PyLong_AsLong(value);
    (void)module;
    if (number == -1 && PyErr_Occurred())
        return NULL;
    last_error = (int)number;
    Py_RETURN_NONE;
}

/* Takes a type of ctypes; None where the objects of ctypes have another layout, and none of them is understood. */
static PyTypeObject *type_or_none(PyObject *value)
{
    return PyType_Check(value) ? (PyTypeObject *)Py_NewRef(value) : NULL;
}

static int fill_call(Call *call, const PyMethodDef *found, const char *text, PyObject *types)
{
    PyTypeObject **places[] = {&call->structure,   &call->array,   &call->integers[0],
                               &call->integers[1], &call->sets[0], &call->sets[1]};
    for (Py_ssize_t place = 0; place < 6; place++)
        *places[place] = type_or_none(PyTuple_GET_ITEM(types, place));
    call->text = PyMem_Malloc(strlen(text) + 1);
    if (call->text == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    strcpy(call->text, text);
    call->definition = *found;
    call->definition.ml_doc = call->text;
    return 0;
}

/* make(name, text, table, decline, resume, examine, types): the function of that name. `text` is its signature and
 * docstring in the form that CPython takes for both; `types` are ctypes' Structure, Array, c_int and c_uint, and the
 * two types of fd_set. */
static PyObject *make(PyObject *module, PyObject *args)
{
    State *state = PyModule_GetState(module);
    const char *name, *text;
    PyObject *table, *declining, *resuming, *examining, *types, *owner, *function = NULL, *module_name;
    const PyMethodDef *found = fast_calls;
    Call *call;
    if (!PyArg_ParseTuple(args, "ssO!OOOO!", &name, &text, state->table_type, &table, &declining, &resuming, &examining,
                          &PyTuple_Type, &types))
        return NULL;
    while (found->ml_name != NULL && strcmp(found->ml_name, name) != 0)
        found++;
    if (found->ml_name == NULL || PyTuple_GET_SIZE(types) != 6)
        return PyErr_Format(PyExc_ValueError, "make() argument 'name' or 'types' is wrong: '%s'", name);
    owner = PyModule_Create(&call_definition);
    if (owner == NULL)
        return NULL;
    call = call_of(owner);
    call->decline = Py_NewRef(declining);
    call->resume = Py_NewRef(resuming);
    call->examine = Py_NewRef(examining);
    call->table = (HandleTable *)Py_NewRef(table);
    module_name = PyUnicode_FromString("winsock_compat");
    if (module_name != NULL && fill_call(call, found, text, types) == 0)
        function = PyCFunction_NewEx(&call->definition, owner, module_name);
    Py_XDECREF(module_name);
    Py_DECREF(owner);
    return function;
}

/* knows_layout(object, address, size, owned): whether a ctypes object begins as CData says. */
static PyObject *knows_layout(PyObject *module, PyObject *args)
{
    PyObject *object;
    unsigned long long address;
    Py_ssize_t size;
    int owned;
    const CData *data;
    (void)module;
    if (!PyArg_ParseTuple(args, "OKnp", &object, &address, &size, &owned))
        return NULL;
    data = (const CData *)object;
    return PyBool_FromLong(Py_TYPE(object)->tp_basicsize >= (Py_ssize_t)sizeof *data &&
                           data->data == (const char *)(uintptr_t)address && data->size == size &&
                           owns_memory(object) == owned);
}

static PyMethodDef module_methods[] = {
    {"make", make, METH_VARARGS, NULL},
    {"knows_layout", knows_layout, METH_VARARGS, NULL},
    {"get_last_error", fast_get_last_error, METH_NOARGS, NULL},
    {"set_last_error", set_last_error, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static int add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **type, const char *name)
{
    *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    if (*type == NULL)
        return -1;
    return PyModule_AddObjectRef(module, name, (PyObject *)*type);
}

static int module_exec(PyObject *module)
{
    State *state = PyModule_GetState(module);
    /* posix/compiled.py compares it with the present sources. */
    if (PyModule_AddIntConstant(module, "SOURCES_CHECKSUM", SOURCES_CHECKSUM) < 0)
        return -1;
    if (add_type(module, &socket_spec, &state->socket_type, "SocketCore") < 0)
        return -1;
    return add_type(module, &table_spec, &state->table_type, "HandleTable");
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->socket_type);
    Py_VISIT(state->table_type);
    return 0;
}

static int module_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->socket_type);
    Py_CLEAR(state->table_type);
    return 0;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_accelerator",
    .m_doc = "The common case of the calls that programs make most.",
    .m_size = sizeof(State),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC PyInit__accelerator(void)
{
    return PyModuleDef_Init(&module_definition);
}
