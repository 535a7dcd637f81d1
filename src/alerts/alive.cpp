#include "alerts/alive.h"

#include <algorithm>

namespace dormouse::alerts {
namespace {

constexpr Millis between_those_of_a_task{30'000};
constexpr Millis gather{1'000};  ///< several tasks whose runs complete at about the same time are one call

}  // namespace

AliveUrls alive_urls(const config::Config& config) {
    AliveUrls urls;
    const auto add = [&](const std::string& name, const std::string& url, const std::string& file) {
        if (!url.empty() || !file.empty()) urls[name] = {url, file};
    };
    add("", config.alerts.alive_url, config.alerts.alive_url_file);
    for (const auto& [name, task] : config.tasks) add(name, task.alive_url, task.alive_url_file);
    return urls;
}

Alive::Alive(const config::Config& config) {
    for (const auto& [name, url] : alive_urls(config))
        places_[name].apart = name.empty() ? config.alerts.alive_every : between_those_of_a_task;
}

bool Alive::observe(std::string_view event, std::initializer_list<log::Field> fields, Time now) {
    if (places_.empty()) return false;
    std::string_view name;
    if (event == "database_lost") {
        outage_ = true;
        if (const auto own = places_.find(name); own != places_.end()) own->second.owed = false;
        return false;
    }
    if (event == "listening" || event == "database_back") {
        (event == "listening" ? listening_ : outage_) = event == "listening";
        if (!keeps_owing()) return false;
    } else if (event == "run_completed") {
        for (const log::Field& one : fields)
            if (one.name == "task") name = one.value;
        if (name.empty()) return false;
    } else {
        return false;
    }
    const auto place = places_.find(name);
    if (place == places_.end() || place->second.owed) return false;
    place->second.owed = true;
    place->second.next = std::max(place->second.next, now + gather);
    return true;
}

std::optional<Millis> Alive::wait(Time now) const {
    std::optional<Millis> shortest;
    for (const auto& [name, place] : places_) {
        if (!place.owed && !(name.empty() && keeps_owing())) continue;
        const Millis left = std::max(Millis{0}, std::chrono::ceil<Millis>(place.next - now));
        shortest = std::min(shortest.value_or(left), left);
    }
    return shortest;
}

std::vector<Notice> Alive::take(Time now, bool all) {
    std::vector<Notice> notices;
    for (auto& [name, place] : places_) {
        const bool due = place.next <= now && (place.owed || (name.empty() && keeps_owing()));
        if (!due && !(all && place.owed)) continue;
        place.owed = false;
        place.next = now + place.apart;
        Notice notice{fingerprint("alive", name), "alive", name, "", ""};
        notice.first = notice.last = now_s();
        notices.push_back(std::move(notice));
    }
    return notices;
}

void Alive::put_back(const std::vector<Notice>& notices, Time now, Millis pause) {
    for (const Notice& notice : notices) {
        const auto place = places_.find(notice.task);
        if (place == places_.end()) continue;
        place->second.owed = true;
        place->second.next = now + pause;
    }
}

bool Alive::owes() const {
    return std::any_of(places_.begin(), places_.end(), [](const auto& entry) { return entry.second.owed; });
}

}  // namespace dormouse::alerts
