// One end of the connection between a worker's process and the one that takes over from it with another program. Whole
// messages in their order, and the end of the other process as the last of them.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "loop/loop.h"
#include "loop/poll.h"

namespace dormouse::worker {

class SideChannel {
  public:
    /// What the other process says; none: it has ended, and nothing more comes. It may destroy this.
    using OnMessage = std::function<void(const std::optional<std::string>& message)>;

    /// Takes a connected SOCK_SEQPACKET over.
    SideChannel(loop::Loop& loop, UniqueFd socket, OnMessage on_message);

    /// A message that cannot be sent is lost: the other process has ended, or does not read, and is found out by its
    /// end.
    void say(const std::string& message) const;

  private:
    loop::Poll::Did read();

    UniqueFd socket_;
    OnMessage on_message_;
    loop::Poll poll_;
};

}  // namespace dormouse::worker
