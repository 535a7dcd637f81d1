#include "systemd/ring_tcp.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "base/unique_fd.h"

namespace dormouse::systemd {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;
using Time = BootClock::time_point;

Millis left_until(Time end) {
    return std::max(Millis{0}, std::chrono::duration_cast<Millis>(end - BootClock::now()));
}

timespec to_timespec(Millis time) {
    return {time.count() / 1'000, time.count() % 1'000 * 1'000'000};
}

/// What the resolver reads and writes, also after we have given up on it: then it is never freed.
struct Lookup {
    RingAddress endpoint;
    addrinfo hints{};
    gaicb request{};
};

Result<Addresses> resolve(const RingAddress& endpoint, Time end) {
    auto question = std::make_unique<Lookup>();
    question->endpoint = endpoint;
    question->hints.ai_socktype = SOCK_STREAM;
    question->hints.ai_flags = AI_NUMERICSERV;
    question->request.ar_name = question->endpoint.host.c_str();
    question->request.ar_service = question->endpoint.port.c_str();
    question->request.ar_request = &question->hints;
    std::array<gaicb*, 1> list{&question->request};
    int code = getaddrinfo_a(GAI_NOWAIT, list.data(), 1, nullptr);
    while (code == 0 && (code = gai_error(&question->request)) == EAI_INPROGRESS) {
        const timespec wait = to_timespec(left_until(end));
        if (gai_suspend(list.data(), 1, &wait) == EAI_AGAIN && gai_cancel(&question->request) != EAI_CANCELED &&
            gai_error(&question->request) == EAI_INPROGRESS) {
            (void)question.release();
            return fail(ErrorKind::transient, to_string(endpoint) + ": the name could not be resolved in time");
        }
        code = 0;
    }
    if (code != 0)
        return fail(ErrorKind::transient,
                    to_string(endpoint) + ": " +
                        (code == EAI_CANCELED ? "the name could not be resolved in time" : gai_strerror(code)));
    return Addresses(question->request.ar_result, freeaddrinfo);
}

/// Why it did not connect; 0: it did.
int connect_within(const addrinfo& address, Millis time) {
    const UniqueFd socket(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return errno;
    if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    pollfd ready{socket.get(), POLLOUT, 0};
    const auto end = BootClock::now() + time;
    int answered = 0;
    do answered = ::poll(&ready, 1, static_cast<int>(left_until(end).count()));
    while (answered < 0 && errno == EINTR);
    if (answered <= 0) return answered == 0 ? ETIMEDOUT : errno;
    int reason = 0;
    socklen_t size = sizeof reason;
    return getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &reason, &size) == 0 ? reason : errno;
}

std::string numeric(const addrinfo& address) {
    std::array<char, NI_MAXHOST> text{};
    getnameinfo(address.ai_addr, address.ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
    return text.data();
}

}  // namespace

Result<RingAddress> parse_endpoint(std::string_view text) {
    const auto wrong = [&](const char* why) {
        return fail(ErrorKind::invalid, "\"" + std::string(text) + "\": " + why +
                                            "; expected HOST:PORT, such as db.example:7300 or [2001:db8::1]:7300");
    };
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return wrong("there is no port");
    std::string_view host = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);
    if (host.starts_with('[')) {
        if (!host.ends_with(']')) return wrong("a bracket is open");
        host = host.substr(1, host.size() - 2);
        if (host.find(':') == std::string_view::npos) return wrong("only an IPv6 address goes into brackets");
    } else if (host.find(':') != std::string_view::npos) {
        return wrong("an IPv6 address goes into brackets");
    }
    if (host.empty() || host.find_first_of("[]/@ \t\n") != std::string_view::npos) return wrong("that is no host");
    unsigned number = 0;
    const auto [end, code] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (code != std::errc{} || end != port.data() + port.size() || number < 1 || number > 65'535)
        return wrong("the port is not a number from 1 to 65535");
    return RingAddress{std::string(host), std::string(port)};
}

std::string to_string(const RingAddress& endpoint) {
    const bool six = endpoint.host.find(':') != std::string::npos;
    return (six ? "[" + endpoint.host + "]" : endpoint.host) + ":" + endpoint.port;
}

Status ring_tcp(const RingAddress& endpoint, Millis deadline) {
    const auto end = BootClock::now() + deadline;
    const auto addresses = resolve(endpoint, end);
    if (!addresses) return tl::unexpected(addresses.error());
    int left = 0;
    for (const addrinfo* one = addresses->get(); one != nullptr; one = one->ai_next) ++left;
    std::string reasons;
    for (const addrinfo* one = addresses->get(); one != nullptr; one = one->ai_next, --left) {
        // An address that swallows packets leaves its share of the time to those after it.
        const int reason = connect_within(*one, left_until(end) / left);
        if (reason == 0) return {};
        reasons += (reasons.empty() ? "" : ", ") + numeric(*one) + " " +
                   (reason == ETIMEDOUT ? "no answer in time" : std::strerror(reason));
    }
    return fail(ErrorKind::disconnected, to_string(endpoint) + " (" + reasons + ")");
}

}  // namespace dormouse::systemd
