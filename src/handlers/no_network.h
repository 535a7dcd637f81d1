// Keeps a process from the network: it and what it starts can make no sockets but of the machine itself (AF_UNIX,
// AF_NETLINK). Used by spawn() between clone and execve. Sockets that it is given are not touched.
#pragma once

namespace dormouse::handlers {

/// Of the calling thread, for good. Sets no_new_privs, without which only root may do this. Async-signal-safe. False:
/// errno says why. Source: seccomp(2), SECCOMP_MODE_FILTER.
bool leave_network();

}  // namespace dormouse::handlers
