"""A host's network stack in memory. It never waits: calls, packets and timers drive it.

- `packets`, `addresses`: what travels between hosts
- `environment`: what a stack needs of the simulation
- `files`: the descriptors of a process, and the file that wakes its poll
- `ports`: which socket may bind which port
- `sockets`, `options`: what all sockets have
- `datagrams`, `groups`, `filters`: UDP, multicast and broadcast
- `streams`, `listeners`: TCP sockets, as calls see them
- `connections`, `handshake`, `transmission`, `sending`, `receiving`, `timers`, `tcp_tables`: TCP itself
- `ip_layer`: gives packets to the protocols, and to the network
- `stack`: the host that has all of them
"""
