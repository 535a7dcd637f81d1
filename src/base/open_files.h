// How many files this process may have open. systemd and most shells give a soft limit of 1,024 and a hard one of half
// a million, because select(2) cannot deal with more; a worker uses up to six for each run in flight, and no select.
// Driven by the worker program at its start and by spawn(). A program that embeds a worker decides for itself.
#pragma once

#include <sys/resource.h>

#include <optional>

namespace dormouse {

/// Raises the soft limit of this process to its hard one. Once, before there are threads. Without effect, and no error,
/// where that is refused. Source: setrlimit(2), "Don't use select" in systemd.exec(5), LimitNOFILE=.
void raise_open_files();

/// What the limit was before raise_open_files() changed it, for programs that are started: they may use select. Nothing
/// if it was not changed.
[[nodiscard]] const std::optional<rlimit>& open_files_before();

}  // namespace dormouse
