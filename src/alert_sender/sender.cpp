#include "alert_sender/sender.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>

#include "alert_sender/book.h"
#include "alert_sender/fetches.h"
#include "base/unique_fd.h"

namespace dormouse::alert_sender {
namespace {

/// The pool's state in its directory; held by one call at a time.
class Keeper {
  public:
    explicit Keeper(const std::string& directory) : directory_(directory) {}

    Status hold() {
        if (directory_.empty()) return {};
        lock_.reset(::open((directory_ + "/alerts.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!lock_.valid() || ::flock(lock_.get(), LOCK_EX) != 0) return tl::unexpected(from_errno(errno, directory_));
        return {};
    }
    [[nodiscard]] std::string read() const {
        clear_way(directory_ + "/alerts.json");
        std::ifstream file(directory_ + "/alerts.json");
        return {std::istreambuf_iterator<char>(file), {}};
    }
    Status write(const std::string& text) const {
        if (directory_.empty()) return {};
        const std::string path = directory_ + "/alerts.json";
        clear_way(path);
        clear_way(path + ".new");
        {
            std::ofstream file(path + ".new");
            file << text;
            file.flush();
            if (!file) return tl::unexpected(from_errno(errno, path + ".new"));
        }
        if (::rename((path + ".new").c_str(), path.c_str()) != 0) return tl::unexpected(from_errno(errno, path));
        return {};
    }
    /// For dormouse-due, which looks whether it is there.
    void mark(bool unsent) const {
        if (directory_.empty()) return;
        const std::string path = directory_ + "/alerts.unsent";
        if (!unsent) {
            ::unlink(path.c_str());
            return;
        }
        const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    }

  private:
    std::string directory_;
    UniqueFd lock_;
};

/// All that waits for one way, one after the other until one is not taken.
struct Trip {
    std::string name;
    std::vector<const AlertMessage*> messages;
    std::size_t sent = 0;
    std::string failure;

    void go(const Way& way) {
        const auto end = BootClock::now() + longest_try;
        for (const AlertMessage* message : messages) {
            const auto left = std::chrono::ceil<Millis>(end - BootClock::now());
            if (left <= Millis{0}) return;
            if (Status done = way(*message, left); !done) return void(failure = done.error().message);
            ++sent;
        }
    }
};

std::vector<alerts::Notice> troubles_of(std::vector<alerts::Notice> notices) {
    std::erase_if(notices, [](const alerts::Notice& one) { return one.kind == "alive"; });
    return notices;
}

std::string fetches_in(const std::string& text) {
    const auto all = nlohmann::json::parse(text, nullptr, false);
    return all.is_object() && all.contains("alive") ? all["alive"].dump() : "[]";
}

std::string text_of(const Book& book, const Fetches& fetches) {
    auto all = nlohmann::json::parse(book.text());
    all["alive"] = nlohmann::json::parse(fetches.text());
    return all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

void clear_way(const std::string& path) {
    std::error_code failed;
    if (std::filesystem::symlink_status(path, failed).type() != std::filesystem::file_type::regular)
        std::filesystem::remove(path, failed);
}

Result<Response> send(const config::Config& config, const Call& call) {
    const config::Alerts& alerts = config.alerts;
    const alerts::AliveUrls urls = alerts::alive_urls(config);
    Keeper keeper(call.state_directory);
    if (Status held = keeper.hold(); !held) return tl::unexpected(held.error());
    auto ways = ways_of(alerts);
    if (!ways) return tl::unexpected(ways.error());
    std::set<std::string> names;
    for (const auto& [name, way] : ways->all) names.insert(name);
    Book book(call.pool, std::chrono::ceil<std::chrono::seconds>(alerts.repeat).count());
    const std::string before = call.state_directory.empty() ? call.memory : keeper.read();
    book.read(before);
    book.take(troubles_of(call.notices), names, alerts::now_s());
    Fetches fetches;
    fetches.read(fetches_in(before));
    fetches.take(call.notices);
    if (call.worker_gone) fetches.drop_pool();
    fetches.forget(urls, alerts::now_s());
    const auto keep = [&]() -> Status {
        if (Status kept = keeper.write(text_of(book, fetches)); !kept) return kept;
        keeper.mark(!book.waiting().empty() || fetches.of_tasks());
        return {};
    };
    // Before anything is sent: whoever dies here tells it later.
    if (Status kept = keep(); !kept) return tl::unexpected(kept.error());

    std::vector<Trip> trips;
    for (const std::string& name : names) {
        Trip trip{name, {}, 0, ""};
        for (const Book::Waiting& one : book.waiting())
            if (one.ways.contains(name)) trip.messages.push_back(&one.message);
        if (!trip.messages.empty()) trips.push_back(std::move(trip));
    }
    const std::vector<std::string> due = fetches.due(alerts::now_s());
    std::map<std::string, Status> fetched;
    {
        std::vector<std::jthread> threads;
        for (Trip& trip : trips) threads.emplace_back([&trip, &way = ways->all.at(trip.name)] { trip.go(way); });
        if (!due.empty()) fetched = fetch_all(alerts, urls, due);
    }
    nlohmann::json answer{{"sent", nlohmann::json::array()}, {"failed", ""}};
    std::string failed;
    for (const Trip& trip : trips) {
        std::size_t sent = 0;
        for (Book::Waiting& one : book.waiting())
            if (one.ways.contains(trip.name) && sent < trip.sent) {
                one.ways.erase(trip.name);
                answer["sent"].push_back(trip.name + ": " + one.message.subject);
                ++sent;
            }
        if (!trip.failure.empty())
            failed += (failed.empty() ? "" : "; ") + ways->where.at(trip.name) + ": " + trip.failure;
    }
    // A way that is no longer in the configuration is nobody's.
    for (Book::Waiting& one : book.waiting())
        std::erase_if(one.ways, [&](const std::string& name) { return !names.contains(name); });
    const std::int64_t now = alerts::now_s();
    book.tried(now);
    std::set<std::string> unreachable;
    for (const auto& [name, outcome] : fetched) {
        fetches.tried(name, outcome.has_value(), now);
        if (!outcome) unreachable.insert(outcome.error().message);
    }
    if (Status kept = keep(); !kept) return tl::unexpected(kept.error());
    answer["failed"] = failed;
    answer["open"] = book.open();
    answer["unreachable"] = unreachable;
    answer["urls_wait"] = !fetches.empty();
    const auto again = book.again_in(now);
    const auto fetch_again = fetches.again_in(now);
    constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max() / 1'000;
    const std::int64_t next = std::min(again.value_or(never), fetch_again.value_or(never));
    if (next < never) answer["again_ms"] = next * 1'000;
    if (call.state_directory.empty()) answer["state"] = nlohmann::json::parse(text_of(book, fetches));
    return Response{answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                    book.waiting().empty() && fetches.empty()};
}

}  // namespace dormouse::alert_sender
