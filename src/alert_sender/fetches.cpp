#include "alert_sender/fetches.h"

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "alert_sender/book.h"
#include "alert_sender/ways.h"

namespace dormouse::alert_sender {
namespace {

constexpr std::int64_t too_old = 3'600;
constexpr std::size_t side_by_side = 16;

}  // namespace

void Fetches::read(const std::string& text) {
    try {
        for (const nlohmann::json& one : nlohmann::json::parse(text))
            waiting_[one.at("name")] = {one.at("since"), one.at("next"), one.at("failures")};
    } catch (const nlohmann::json::exception&) {  // of another release, or broken
        waiting_.clear();
    }
}

std::string Fetches::text() const {
    auto list = nlohmann::json::array();
    for (const auto& [name, one] : waiting_)
        list.push_back({{"name", name}, {"since", one.since}, {"next", one.next}, {"failures", one.failures}});
    return list.dump();
}

void Fetches::take(const std::vector<alerts::Notice>& notices) {
    for (const alerts::Notice& notice : notices)
        if (notice.kind == "alive") waiting_[notice.task].since = notice.last;
}

void Fetches::forget(const alerts::AliveUrls& urls, std::int64_t now) {
    std::erase_if(waiting_, [&](const auto& entry) {
        const std::int64_t age = now - entry.second.since;
        return !urls.contains(entry.first) || age > too_old || age < -too_old;  // a clock set back
    });
}

std::vector<std::string> Fetches::due(std::int64_t now) const {
    std::vector<std::string> names;
    for (const auto& [name, one] : waiting_)
        if (one.next <= now || one.next > now + longest_pause) names.push_back(name);
    std::stable_sort(names.begin(), names.end(), [&](const std::string& one, const std::string& other) {
        return waiting_.at(one).next < waiting_.at(other).next;
    });
    return names;
}

void Fetches::tried(const std::string& name, bool taken, std::int64_t now) {
    if (taken) return void(waiting_.erase(name));
    Waiting& one = waiting_[name];
    one.next = now + pause_after(++one.failures);
}

bool Fetches::of_tasks() const {
    return std::any_of(waiting_.begin(), waiting_.end(), [](const auto& entry) { return !entry.first.empty(); });
}

std::optional<std::int64_t> Fetches::again_in(std::int64_t now) const {
    std::optional<std::int64_t> shortest;
    for (const auto& [name, one] : waiting_) {
        const std::int64_t left = std::clamp<std::int64_t>(one.next - now, 1, longest_pause);
        shortest = std::min(shortest.value_or(left), left);
    }
    return shortest;
}

std::map<std::string, Status> fetch_all(const config::Alerts& alerts, const alerts::AliveUrls& urls,
                                        const std::vector<std::string>& names) {
    std::map<std::string, Status> outcomes;
    std::mutex mutex;
    std::size_t next = 0;  // guarded by mutex, as outcomes are
    const auto end = BootClock::now() + longest_try;
    const auto work = [&] {
        while (true) {
            std::string name;
            {
                const std::scoped_lock lock(mutex);
                if (next == names.size()) return;
                name = names[next++];
            }
            const auto left = std::chrono::ceil<Millis>(end - BootClock::now());
            if (left <= Millis{0}) return;
            Status done = fetch(alerts, urls.at(name), left);
            const std::scoped_lock lock(mutex);
            outcomes.emplace(name, std::move(done));
        }
    };
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < std::min(side_by_side, names.size()); ++i) threads.emplace_back(work);
    threads.clear();
    return outcomes;
}

}  // namespace dormouse::alert_sender
