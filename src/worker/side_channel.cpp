#include "worker/side_channel.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <utility>

namespace dormouse::worker {
namespace {

constexpr std::size_t most_bytes = 192 << 10;

UniqueFd made_ours(UniqueFd socket) {
    ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC);
    ::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) | O_NONBLOCK);
    return socket;
}

}  // namespace

SideChannel::SideChannel(loop::Loop& loop, UniqueFd socket, OnMessage on_message)
    : socket_(made_ours(std::move(socket))),
      on_message_(std::move(on_message)),
      poll_(loop, socket_.get(), "side_channel") {
    poll_.watch(loop::Poll::readable, [this](int) { return read(); });
}

void SideChannel::say(const std::string& message) const {
    static_cast<void>(::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL));
}

/// One message in each turn of the loop.
loop::Poll::Did SideChannel::read() {
    std::string text(most_bytes, '\0');
    const ssize_t got = ::recv(socket_.get(), text.data(), text.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return loop::Poll::Did::nothing;
    const auto call = on_message_;
    if (got <= 0) {
        poll_.stop();
        call(std::nullopt);
    } else {
        text.resize(static_cast<std::size_t>(got));
        call(text);
    }
    return loop::Poll::Did::something;
}

}  // namespace dormouse::worker
