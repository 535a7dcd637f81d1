// One name resolution off the loop's thread. Destroying it abandons the answer; a resolver that hangs then holds a
// thread of libuv's pool, never the loop.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "loop/loop.h"
#include "loop/timer.h"

namespace dormouse::loop {

class Resolve {
  public:
    /// Numeric addresses of both families, in the system's order of preference.
    using Done = std::function<void(Result<std::vector<std::string>>)>;

    /// Starts resolving; `done` is called once, from the loop, unless this object is destroyed before.
    /// Errors: transient, naming the host. Source: uv_getaddrinfo, getaddrinfo(3).
    Resolve(Loop& loop, const std::string& host, Done done);
    ~Resolve();
    Resolve(const Resolve&) = delete;
    Resolve& operator=(const Resolve&) = delete;

  private:
    struct Request;
    Turns& turns_;
    Request* request_;
    std::optional<Timer> refused_;  ///< when libuv would not even try
};

}  // namespace dormouse::loop
