#include "support/proxy_tcp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <list>
#include <stdexcept>
#include <vector>

namespace dormouse::testing {
namespace {

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (count <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

/// False at the end.
bool read_some(int fd, std::string& into) {
    std::array<char, 65'536> chunk{};
    const ssize_t count = ::recv(fd, chunk.data(), chunk.size(), 0);
    if (count > 0) into.append(chunk.data(), static_cast<std::size_t>(count));
    return count > 0;
}

UniqueFd connect_to(const std::string& path) {
    UniqueFd server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) server.reset();
    return server;
}

}  // namespace

struct ProxyTcp::Pair {
    UniqueFd client;
    UniqueFd server;
    std::string held;
    bool over = false;
    bool says_its_last = false;
    std::uint64_t asked = 0;  ///< bytes since the last answer
    std::uint64_t told = 0;   ///< bytes since the last question
    bool is_stuck = false;
};

ProxyTcp::ProxyTcp(const std::string& socket_directory, int port, std::function<void()> before_connect)
    : before_connect_(std::move(before_connect)),
      server_path_(socket_directory + "/.s.PGSQL." + std::to_string(port)),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      nudge_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        ::listen(listener_.get(), 64) != 0 ||
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
        throw std::runtime_error("no port for the proxy");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
}

ProxyTcp::~ProxyTcp() {
    over_ = true;
    nudge();
    thread_.join();
}

std::string ProxyTcp::url(const std::string& database) const {
    return "postgresql://postgres@127.0.0.1:" + std::to_string(port_) + "/" + database + "?sslmode=disable";
}

void ProxyTcp::nudge() const {
    const std::uint64_t one = 1;
    static_cast<void>(::write(nudge_.get(), &one, sizeof one) == sizeof one);
}

void ProxyTcp::hold_answers() {
    holding_ = true;
    nudge();
}

void ProxyTcp::let_go() {
    holding_ = false;
    nudge();
}

void ProxyTcp::cut() {
    ++cuts_;
    nudge();
}

void ProxyTcp::cut_at(int nth, bool heard) {
    cut_is_heard_ = heard;
    cut_at_ = questions_ + nth;
}

bool ProxyTcp::is_cut(Pair& pair, const std::string& question, const std::string& answer) {
    if (pair.says_its_last && !answer.empty()) return true;
    if (question.empty() || ++questions_ != cut_at_) return false;
    pair.says_its_last = true;
    return !cut_is_heard_;
}

bool ProxyTcp::is_stuck(Pair& pair, std::size_t said, std::size_t answered) const {
    if (said > 0) pair.told = 0;
    if (answered > 0) pair.asked = 0;
    pair.asked += said;
    pair.told += answered;
    return pair.is_stuck = pair.is_stuck || std::max(pair.asked, pair.told) > at_most_;
}

void ProxyTcp::turn(Mode mode) {
    const Mode before = mode_.exchange(mode);
    if (mode == Mode::refuse || before == Mode::swallow) ++cuts_;
    nudge();
}

void ProxyTcp::swallow() {
    turn(Mode::swallow);
}

void ProxyTcp::refuse() {
    turn(Mode::refuse);
}

void ProxyTcp::pass() {
    turn(Mode::pass);
}

void ProxyTcp::passed(std::size_t bytes) {
    if (bytes == 0) return;
    bytes_ += bytes;
    last_passed_ = BootClock::now().time_since_epoch().count();
}

void ProxyTcp::run() {
    std::list<Pair> pairs;
    int cuts = 0;
    while (!over_) {
        if (cuts != cuts_) {
            cuts = cuts_;
            pairs.clear();
            held_ = 0;
        }
        std::vector<pollfd> fds{{listener_.get(), POLLIN, 0}, {nudge_.get(), POLLIN, 0}};
        for (const Pair& pair : pairs) {
            fds.push_back({pair.client.get(), POLLIN, 0});
            fds.push_back({pair.server.get(), POLLIN, 0});
        }
        if (::poll(fds.data(), fds.size(), -1) < 0) continue;
        std::uint64_t ignored = 0;
        static_cast<void>(::read(nudge_.get(), &ignored, sizeof ignored) > 0);
        if (cuts != cuts_) continue;  // first of all, so that nothing that was held back slips through
        std::size_t at = 2;
        for (Pair& pair : pairs) {
            const bool lost = mode_ == Mode::swallow;
            std::string said;
            if (fds[at++].revents != 0) pair.over = !read_some(pair.client.get(), said);
            std::string answer;
            if (fds[at++].revents != 0 && !read_some(pair.server.get(), answer)) pair.over = true;
            if (is_cut(pair, said, answer)) {
                cut();
                break;
            }
            if (is_stuck(pair, said.size(), answer.size())) continue;
            if (!said.empty() && !lost && !write_all(pair.server.get(), said)) pair.over = true;
            if (const auto at_it = answer.find(said_.first); !said_.first.empty() && at_it != std::string::npos)
                answer.replace(at_it, said_.first.size(), said_.second);
            if (lost) continue;
            passed(said.size());
            pair.held += answer;
            held_ += answer.size();
            if (holding_ || pair.held.empty()) continue;
            held_ -= pair.held.size();
            passed(pair.held.size());
            if (!write_all(pair.client.get(), pair.held)) pair.over = true;
            pair.held.clear();
        }
        std::erase_if(pairs, [](const Pair& pair) { return pair.over; });
        if (fds[0].revents != 0) {
            UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (mode_ == Mode::refuse) continue;
            if (before_connect_) before_connect_();
            UniqueFd server = connect_to(server_path_);
            ++connections_;
            if (client.valid() && server.valid()) pairs.push_back({std::move(client), std::move(server), {}});
        }
    }
}

}  // namespace dormouse::testing
