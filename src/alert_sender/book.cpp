#include "alert_sender/book.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace dormouse::alert_sender {
namespace {

using nlohmann::json;

constexpr std::size_t most_troubles = 200;
constexpr std::size_t most_waiting = 50;
constexpr std::int64_t hour = 3'600;
constexpr std::size_t most_in_an_hour = 20;
constexpr std::size_t most_of_a_task = 10;

json to_json(const alerts::Notice& notice) {
    return json::parse(alerts::to_json({notice})).front();
}

alerts::Notice notice_of(const json& one) {
    return alerts::notices_from(json::array({one}).dump()).at(0);
}

}  // namespace

void Book::read(const std::string& text) {
    const json all = json::parse(text, nullptr, false);
    if (!all.is_object()) return;
    try {
        for (const json& one : all.at("troubles")) {
            Trouble trouble{notice_of(one.at("notice")), one.at("told"), one.at("open"), one.at("among")};
            troubles_[trouble.notice.fingerprint] = std::move(trouble);
        }
        for (const json& one : all.at("waiting"))
            waiting_.push_back(
                {{pool_, notice_of(one.at("notice")), one.at("subject"), one.at("body")}, one.at("ways")});
        for (const json& one : all.at("others"))
            others_[one.at("task")] = {one.at("kinds"), notice_of(one.at("latest")), one.at("told")};
        for (const json& one : all.at("told")) told_.push_back({one.at("at"), one.at("task")});
        failures_ = all.at("failures");
        next_try_ = all.at("next_try");
    } catch (const std::exception&) {  // of another release, or broken: what was told is told once more
        troubles_.clear();
        waiting_.clear();
        others_.clear();
        told_.clear();
    }
}

std::string Book::text() const {
    json all{{"troubles", json::array()}, {"waiting", json::array()}, {"others", json::array()},
             {"told", json::array()},     {"failures", failures_},    {"next_try", next_try_}};
    for (const auto& [name, one] : troubles_)
        all["troubles"].push_back(
            {{"notice", to_json(one.notice)}, {"told", one.told}, {"open", one.open}, {"among", one.among}});
    for (const auto& [task, one] : others_)
        all["others"].push_back(
            {{"task", task}, {"kinds", one.kinds}, {"latest", to_json(one.latest)}, {"told", one.told}});
    for (const Told& one : told_) all["told"].push_back({{"at", one.at}, {"task", one.task}});
    for (const Waiting& one : waiting_)
        all["waiting"].push_back({{"notice", to_json(one.message.notice)},
                                  {"subject", one.message.subject},
                                  {"body", one.message.body},
                                  {"ways", one.ways}});
    return all.dump(-1, ' ', false, json::error_handler_t::replace);
}

void Book::take(const std::vector<alerts::Notice>& notices, const std::set<std::string>& ways, std::int64_t now) {
    for (const alerts::Notice& notice : notices) {
        const auto known = troubles_.find(notice.fingerprint);
        if (notice.over) {
            if (known == troubles_.end() || !known->second.open) continue;
            alerts::Notice well = known->second.notice;
            well.over = true;
            well.last = notice.last;
            known->second.open = false;
            known->second.notice.count = 0;
            add(compose(pool_, well, known->second.told), ways);
            continue;
        }
        Trouble& trouble = troubles_[notice.fingerprint];
        const std::int64_t before = trouble.notice.fingerprint.empty() ? 0 : trouble.notice.count;
        const std::int64_t first = before > 0 ? trouble.notice.first : notice.first;
        trouble.notice = notice;
        trouble.notice.count += before;
        trouble.notice.first = first;
    }
    std::erase_if(told_, [&](const Told& one) { return now - one.at >= hour || one.at > now; });
    for (auto& [name, trouble] : troubles_) {
        const bool may = trouble.told == 0 || now - trouble.told >= repeat_ || trouble.told > now;  // a clock set back
        if (trouble.notice.count == 0 || !may) continue;
        const std::string& task = trouble.notice.task;
        if (told_lately(&task) >= most_of_a_task) {
            put_among_others(trouble, task, now);
        } else if (told_lately(nullptr) >= most_in_an_hour) {
            put_among_others(trouble, "", now);
        } else {
            told_.push_back({now, task});
            tell(trouble, ways, now);
        }
    }
    tell_others(ways, now);
    forget_old(now);
}

std::size_t Book::told_lately(const std::string* task) const {
    return static_cast<std::size_t>(std::count_if(
        told_.begin(), told_.end(), [task](const Told& one) { return task == nullptr || one.task == *task; }));
}

void Book::put_among_others(Trouble& trouble, const std::string& task, std::int64_t now) {
    Others& others = others_[task];
    const bool more = others.kinds > 0;
    const std::int64_t count = more ? others.latest.count : 0;
    const std::int64_t first = more ? std::min(others.latest.first, trouble.notice.first) : trouble.notice.first;
    ++others.kinds;
    others.latest = trouble.notice;
    others.latest.count += count;
    others.latest.first = first;
    trouble.told = now;
    trouble.among = true;
    trouble.open = false;
    trouble.notice.count = 0;
}

void Book::tell_others(const std::set<std::string>& ways, std::int64_t now) {
    for (auto& [task, others] : others_) {
        const bool told_just_now = others.told > 0 && now - others.told < hour && others.told <= now;
        if (others.kinds == 0 || told_just_now) continue;
        alerts::Notice notice = others.latest;
        notice.fingerprint = alerts::fingerprint("others", task);
        notice.kind = "others";
        notice.task = task;
        notice.text = std::to_string(others.kinds) + (others.kinds == 1 ? " other kind" : " other kinds") +
                      ", the last: " + others.latest.text;
        add(compose(pool_, notice, others.told), ways);
        others.told = now;
        others.kinds = 0;
    }
    std::erase_if(others_,
                  [&](const auto& entry) { return entry.second.kinds == 0 && now - entry.second.told >= hour; });
}

void Book::tell(Trouble& trouble, const std::set<std::string>& ways, std::int64_t now) {
    add(compose(pool_, trouble.notice, trouble.told), ways);
    trouble.told = now;
    trouble.among = false;
    trouble.open = true;
    trouble.notice.count = 0;
}

void Book::add(AlertMessage message, const std::set<std::string>& ways) {
    waiting_.push_back({std::move(message), ways});
    if (waiting_.size() > most_waiting) waiting_.pop_front();
}

/// What has been quiet for a day; of too many those first that were told among others, then the oldest.
void Book::forget_old(std::int64_t now) {
    const std::int64_t quiet = std::max<std::int64_t>(repeat_, 86'400);
    std::erase_if(troubles_,
                  [&](const auto& entry) { return now - entry.second.notice.last > quiet && !entry.second.open; });
    while (troubles_.size() > most_troubles)
        troubles_.erase(std::min_element(troubles_.begin(), troubles_.end(), [](const auto& one, const auto& other) {
            return std::pair(!one.second.among, one.second.notice.last) <
                   std::pair(!other.second.among, other.second.notice.last);
        }));
}

void Book::tried(std::int64_t now) {
    std::erase_if(waiting_, [](const Waiting& one) { return one.ways.empty(); });
    failures_ = waiting_.empty() ? 0 : failures_ + 1;
    next_try_ = waiting_.empty() ? 0 : now + pause_after(failures_);
}

std::set<std::string> Book::open() const {
    std::set<std::string> names;
    for (const auto& [name, trouble] : troubles_)
        if (trouble.open) names.insert(name);
    return names;
}

std::optional<std::int64_t> Book::again_in(std::int64_t now) const {
    std::optional<std::int64_t> at;
    if (next_try_ > 0) at = next_try_;
    for (const auto& [name, trouble] : troubles_)
        if (trouble.notice.count > 0) at = std::min(at.value_or(trouble.told + repeat_), trouble.told + repeat_);
    for (const auto& [task, others] : others_)
        if (others.kinds > 0) at = std::min(at.value_or(others.told + hour), others.told + hour);
    if (!at) return std::nullopt;
    return std::clamp<std::int64_t>(*at - now, 1, std::max(repeat_, hour) + longest_pause);
}

}  // namespace dormouse::alert_sender
