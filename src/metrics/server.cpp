#include "metrics/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "metrics/exposition.h"

namespace dormouse::metrics {
namespace {

constexpr Millis pause_without_descriptors{1'000};

struct Address {
    sockaddr_storage storage{};
    socklen_t size = 0;
    [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }  // NOLINT
};

Address unix_address(const std::string& path) {
    Address address;
    sockaddr_un socket{};
    socket.sun_family = AF_UNIX;
    path.copy(socket.sun_path, sizeof socket.sun_path - 1);
    std::memcpy(&address.storage, &socket, sizeof socket);
    address.size = sizeof socket;
    return address;
}

Address loopback_address(const std::string& text) {
    Address address;
    const auto port = static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));  // as was configured
    if (text.starts_with('[')) {
        sockaddr_in6 socket{};
        socket.sin6_family = AF_INET6;
        socket.sin6_addr = in6addr_loopback;
        socket.sin6_port = htons(port);
        std::memcpy(&address.storage, &socket, sizeof socket);
        address.size = sizeof socket;
    } else {
        sockaddr_in socket{};
        socket.sin_family = AF_INET;
        socket.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socket.sin_port = htons(port);
        std::memcpy(&address.storage, &socket, sizeof socket);
        address.size = sizeof socket;
    }
    return address;
}

UniqueFd new_socket(const Address& address) {
    return UniqueFd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

/// Of a worker that was killed. One that is alive answers, or is too busy to.
bool remove_left_socket(const std::string& path) {
    struct stat about{};
    if (::lstat(path.c_str(), &about) != 0) return true;
    if (!S_ISSOCK(about.st_mode)) return false;
    const Address address = unix_address(path);
    const UniqueFd client = new_socket(address);
    if (::connect(client.get(), address.get(), address.size) == 0 || errno != ECONNREFUSED) return false;
    return ::unlink(path.c_str()) == 0;
}

std::string response(const char* status, const std::string& text, bool with_body = true, const char* more = "") {
    return std::string("HTTP/1.0 ") + status + "\r\nContent-Type: " + content_type +
           "\r\nContent-Length: " + std::to_string(text.size()) + "\r\nConnection: close\r\n" + more + "\r\n" +
           (with_body ? text : "");
}

bool is_whole(const std::string& head) {
    return head.find("\r\n\r\n") != std::string::npos || head.find("\n\n") != std::string::npos;
}

}  // namespace

std::string answer_to(const std::string& head, const std::function<std::string()>& body) {
    const std::string line = head.substr(0, head.find_first_of("\r\n"));
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string::npos || first == last || line.compare(last + 1, 7, "HTTP/1.") != 0)
        return response("400 Bad Request", "not a request of HTTP/1\n");
    const std::string method = line.substr(0, first);
    const std::string target = line.substr(first + 1, last - first - 1);
    if (method != "GET" && method != "HEAD")
        return response("405 Method Not Allowed", "GET only\n", true, "Allow: GET, HEAD\r\n");
    if (target.substr(0, target.find('?')) != "/metrics") return response("404 Not Found", "see /metrics\n");
    return response("200 OK", body(), method == "GET");
}

Server::Connection::Connection(loop::Loop& loop, UniqueFd of)
    : socket(std::move(of)), poll(loop, socket.get(), "metrics.client"), deadline(loop, "metrics.client") {}

Server::Server(loop::Loop& loop, std::function<std::string()> body)
    : loop_(loop), body_(std::move(body)), pause_(loop, "metrics.pause") {}

Server::~Server() {
    if (!path_.empty()) ::unlink(path_.c_str());
}

Status Server::listen(const std::string& address) {
    constexpr int backlog = 16;
    constexpr mode_t for_all = 0666;  // who may reach the directory; a loopback port is open to more
    const bool is_path = address.starts_with('/');
    if (is_path && !remove_left_socket(address))
        return fail(ErrorKind::invalid, address + " is something else, or another program listens there");
    const Address place = is_path ? unix_address(address) : loopback_address(address);
    UniqueFd listener = new_socket(place);
    const int on = 1;
    if (!is_path) ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!listener.valid() || ::bind(listener.get(), place.get(), place.size) != 0)
        return tl::unexpected(from_errno(errno, address));
    if (is_path) {
        path_ = address;
        ::chmod(address.c_str(), for_all);
    }
    if (::listen(listener.get(), backlog) != 0) return tl::unexpected(from_errno(errno, address));
    listener_ = std::move(listener);
    poll_ = std::make_unique<loop::Poll>(loop_, listener_.get(), "metrics.listener");
    poll_->watch(loop::Poll::readable, [this](int) { return accept(); });
    return {};
}

/// While there are as many connections as may be, others wait in the kernel's queue, which is bounded.
void Server::watch() {
    const bool room = connections_.size() < most_connections && !pause_.armed();
    poll_->change(room ? loop::Poll::readable : loop::Poll::none);
}

loop::Poll::Did Server::accept() {
    UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) {
        const bool gone = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
        if (!gone) pause_.once(pause_without_descriptors, [this] { watch(); });
        watch();
        return loop::Poll::Did::nothing;
    }
    Connection& connection = *connections_.emplace_back(std::make_unique<Connection>(loop_, std::move(socket)));
    connection.deadline.once(longest_connection, [this, &connection] { drop(connection); });
    connection.poll.watch(loop::Poll::readable, [this, &connection](int) {
        return connection.out.empty() ? on_readable(connection) : on_writable(connection);
    });
    watch();
    return loop::Poll::Did::something;
}

loop::Poll::Did Server::on_readable(Connection& connection) {
    std::array<char, most_request_bytes> some{};
    const ssize_t count = ::recv(connection.socket.get(), some.data(), some.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return loop::Poll::Did::nothing;
    if (count <= 0) return drop(connection);
    connection.in.append(some.data(), static_cast<std::size_t>(count));
    if (is_whole(connection.in)) {
        connection.out = answer_to(connection.in, body_);
    } else if (connection.in.size() >= most_request_bytes) {
        connection.out = response("413 Content Too Large", "too long a request\n");
    } else {
        return loop::Poll::Did::something;
    }
    connection.poll.change(loop::Poll::writable);
    return loop::Poll::Did::something;
}

loop::Poll::Did Server::on_writable(Connection& connection) {
    const ssize_t count = ::send(connection.socket.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return loop::Poll::Did::nothing;
    if (count <= 0) return drop(connection);
    connection.out.erase(0, static_cast<std::size_t>(count));
    return connection.out.empty() ? drop(connection) : loop::Poll::Did::something;
}

/// May be called by what it destroys: Poll and Timer allow that.
loop::Poll::Did Server::drop(Connection& connection) {
    std::erase_if(connections_, [&](const auto& one) { return one.get() == &connection; });
    watch();
    return loop::Poll::Did::something;
}

}  // namespace dormouse::metrics
