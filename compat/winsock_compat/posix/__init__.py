"""The operating system: the only part of the package that knows it, and the only one that uses cffi.

The other folders (calls/, state/) know Winsock's rules and reach the kernel through six modules:

- `system`: system calls on descriptors (socket, bind, accept, recv, send, close, options)
- `waiting`: poll, the descriptors that wake a poll in another thread, and the clock of all deadlines
- `resolver`: host names and addresses as text
- `listen_queues`: whether the queue of a listener on this machine is full
- `port_sharing`: makes the kernel forget that a port was shared
- `interfaces`: the addresses of this machine

`sockaddr_layout` (reading and converting addresses), `errnos` (errno to Winsock error) and `declarations` (the kernel's
numbers) are plain Python and use no descriptor. So is `packet_filter`, which makes the programs for
`system.set_filter`. `loading` loads the C library for the modules above; `compiled` loads compiled modules and refuses
one that was built from other sources.

The seam
--------
Something else can take the place of the kernel, as the network in memory of winsock.simulation does: it provides
`system`, `waiting`, `resolver`, `listen_queues`, `port_sharing`, `interfaces` and `packet_filter` with the functions of
the same names, and the numbers in `declarations` that others use. It needs no cffi, because only plain Python values
cross the seam:

- A descriptor is an int >= 0. Every descriptor from `system.socket` and `system.accept` is non-blocking and
  close-on-exec; blocking is done above, with `waiting.poll`. The call stores a new descriptor in the attribute `fd` of
  the object that owns it, so that a signal handler that raises never finds a descriptor that nobody owns.
- A function that makes a system call returns the call's result, or minus the errno in the same int:
  `recv(fd, buffer, flags)` returns a byte count or `-errno.EAGAIN`. The errno numbers are those of the standard module
  `errno`. A caller never reads errno from elsewhere, so it cannot read an older one. A function never retries EINTR:
  signal handlers run in the caller, which then calls again with the remaining time.
- A call that also yields an address returns a pair of that int and the address. Addresses are Winsock's sockaddr bytes
  in both directions: 16 bytes for AF_INET, 28 for AF_INET6, b"" where there is none.
- Families, socket types, protocols, option levels, options, MSG_PEEK, MSG_OOB and MSG_DONTROUTE have Winsock's numbers.
  Two kinds of numbers are the kernel's, from `declarations`: the events of poll (POLLIN, POLLRDHUP …), and MSG_TRUNC,
  which makes recv return a datagram's full size although the buffer was smaller.
- Data to send is any contiguous buffer of bytes; data to receive goes into a writable one. The function keeps no
  reference to it after its return.
- Every function can be called from any thread. Only `waiting.poll` waits; the others return at once, except for the
  lookups of `resolver`.

Errors as a kernel reports them, not as Winsock does: a datagram socket reports a closed port (ECONNREFUSED) on a later
call, a stream its SO_ERROR once. state/ and calls/ turn them into Winsock's answers.
"""
