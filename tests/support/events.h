// Waiting for what the kernel tells by itself, with a deadline of 20 s. Used by tests from any thread.
#pragma once

#include <functional>
#include <string>

namespace dormouse::testing {

/// Until `happened`, which is asked now and whenever something in `directory` is made or written. Source: inotify(7).
bool until_changed(const std::string& directory, const std::function<bool()>& happened);
/// Until there is no process of that id, or a zombie. It need not be a child. Source: pidfd_open(2).
bool until_ended(int pid);

}  // namespace dormouse::testing
