#include "loop/resolve.h"

#include <netdb.h>
#include <sys/socket.h>

#include <array>

#include "base/limits.h"

namespace dormouse::loop {

/// Lives until libuv has answered, which may be after its owner has gone.
struct Resolve::Request {
    uv_getaddrinfo_t uv{};
    std::string host;
    Done done;
    Resolve* owner = nullptr;
};

namespace {

std::vector<std::string> addresses_of(const addrinfo* list) {
    std::vector<std::string> addresses;
    for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
        std::array<char, NI_MAXHOST> text{};
        if (getnameinfo(entry->ai_addr, entry->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0)
            addresses.emplace_back(text.data());
    }
    return addresses;
}

}  // namespace

Resolve::Resolve(Loop& loop, const std::string& host, Done done)
    : turns_(loop.turns()), request_(new Request{{}, host, std::move(done), this}) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    request_->uv.data = request_;
    const auto on_answer = [](uv_getaddrinfo_t* uv, int status, addrinfo* list) {
        auto* request = static_cast<Request*>(uv->data);
        auto addresses = addresses_of(list);
        uv_freeaddrinfo(list);
        Resolve* owner = request->owner;
        if (owner != nullptr) {
            owner->request_ = nullptr;
            if (!owner->refused_) owner->turns_.changed();
            const auto call = std::move(request->done);
            if (status != 0 || addresses.empty()) {
                // A resolver that gets no socket says that it has no answer.
                const Status room = room_for_files(1, "the name resolution");
                call(fail(ErrorKind::transient, "cannot resolve the database host \"" + request->host +
                                                    "\": " + (status != 0 ? uv_strerror(status) : "no address") +
                                                    (room ? "" : "; " + room.error().message)));
            } else {
                call(std::move(addresses));
            }
        }
        delete request;
    };
    const int status = uv_getaddrinfo(loop.get(), &request_->uv, on_answer, request_->host.c_str(), nullptr, &hints);
    if (status == 0) return;
    // A name that cannot be one. On a turn of its own, like every answer.
    refused_.emplace(loop, "resolve.refused");
    refused_->once(Millis{0}, [on_answer, status, request = request_] { on_answer(&request->uv, status, nullptr); });
}

Resolve::~Resolve() {
    if (request_ == nullptr) return;
    if (refused_) {
        delete request_;
        return;
    }
    request_->owner = nullptr;
    uv_cancel(reinterpret_cast<uv_req_t*>(&request_->uv));  // NOLINT: libuv's way of inheritance
}

}  // namespace dormouse::loop
