#include "alerts/observer.h"

#include <algorithm>
#include <utility>

namespace dormouse::alerts {
namespace {

constexpr std::size_t longest_text = 2'000;

std::string field(std::initializer_list<log::Field> fields, std::string_view name) {
    for (const log::Field& one : fields)
        if (one.name == name) return one.value;
    return {};
}

/// Of each queue by itself: one that is late for a day hides no other.
std::string backlog_of(const std::string& queue) {
    return fingerprint("backlog", queue);
}

void join(Notice& into, const Notice& later) {
    into.count = later.over || into.over ? later.count : into.count + later.count;
    into.over = later.over;
    into.text = later.text;
    into.run = later.run;
    into.last = later.last;
}

}  // namespace

void Observer::observe(std::string_view event, std::string_view text, std::initializer_list<log::Field> fields) {
    if (event == "run_completed") {
        if (!open_.empty() || !notices_.empty()) on_completed(field(fields, "task"));
    } else if (event == "run_failed") {
        const std::string task = field(fields, "task");
        const std::string error_class = field(fields, "error_class");
        const std::string prefix = task + ": ";
        std::string message(text.starts_with(prefix) && !task.empty() ? text.substr(prefix.size()) : text);
        if (!error_class.empty() && !message.starts_with(error_class)) message = error_class + ": " + message;
        add({fingerprint("failed", task, message), "failed", task, message, field(fields, "run_id")});
    } else if (event == "not_started") {
        const std::string task = field(fields, "task");
        add({fingerprint("start", task), "start", task, std::string(text), field(fields, "run_id")});
    } else if (event == "runs_rescued") {
        add({fingerprint("lost"), "lost", "", std::string(text), ""});
    } else if (event == "backlog") {
        add({backlog_of(field(fields, "queue")), "backlog", "", std::string(text), ""});
    } else if (event == "backlog_over") {
        over(backlog_of(field(fields, "queue")));
    } else if (event == "database_lost") {
        outage_ = text;
        events_.on_database(true);
    } else if (event == "database_back") {
        outage_.clear();
        events_.on_database(false);
        over(fingerprint("database"));
    }
}

void Observer::on_completed(const std::string& task) {
    over(fingerprint("start", task));
    std::vector<std::string> well;
    for (const std::string& name : open_)
        if (name.starts_with(fingerprint("failed", task)) && now_s() - failed_at_[name] >= well_after_s)
            well.push_back(name);
    for (const std::string& name : well) over(name);
}

void Observer::set_open(std::set<std::string> open) {
    open_ = std::move(open);
    std::erase_if(failed_at_, [&](const auto& entry) { return !open_.contains(entry.first); });
    for (const std::string& name : open_) failed_at_.try_emplace(name, now_s());
}

void Observer::add(Notice notice) {
    notice.text.resize(std::min(notice.text.size(), longest_text));
    if (notice.last == 0) notice.first = notice.last = now_s();
    if (const auto open = failed_at_.find(notice.fingerprint); open != failed_at_.end()) open->second = notice.last;
    const bool known = notices_.contains(notice.fingerprint);
    if (!known && notices_.size() >= most) {
        notice.fingerprint = fingerprint("others");
        notice.kind = "others";
    }
    const auto [place, is_new] = notices_.try_emplace(notice.fingerprint, notice);
    if (!is_new) join(place->second, notice);
    events_.on_news();
}

void Observer::over(const std::string& fingerprint) {
    const auto waits = notices_.find(fingerprint);
    if (!open_.contains(fingerprint)) {
        if (waits != notices_.end()) notices_.erase(waits);  // not told yet: nobody need hear of it
        return;
    }
    open_.erase(fingerprint);
    Notice notice{fingerprint, fingerprint.substr(0, fingerprint.find('|')), "", "", ""};
    notice.over = true;
    add(std::move(notice));
}

std::vector<Notice> Observer::take() {
    std::vector<Notice> all;
    for (auto& [name, notice] : notices_) {
        if (!notice.over) {  // on its way: that it is well again may come before the answer
            open_.insert(name);
            failed_at_.try_emplace(name, notice.last);
        }
        all.push_back(std::move(notice));
    }
    notices_.clear();
    return all;
}

void Observer::put_back(std::vector<Notice> notices) {
    for (Notice& earlier : notices) {
        const auto [place, is_new] = notices_.try_emplace(earlier.fingerprint, earlier);
        if (!is_new && !place->second.over) {
            place->second.count += earlier.over ? 0 : earlier.count;
            place->second.first = std::min(place->second.first, earlier.first);
        }
    }
}

}  // namespace dormouse::alerts
