#include "alert_sender/book.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace dormouse::alert_sender {
namespace {

using nlohmann::json;

constexpr std::size_t most_troubles = 200;
constexpr std::size_t most_waiting = 50;
constexpr int most_new = 20;
constexpr std::int64_t first_pause = 10;
constexpr std::int64_t longest_pause = 600;

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
            Trouble trouble{notice_of(one.at("notice")), one.at("told"), one.at("open")};
            troubles_[trouble.notice.fingerprint] = std::move(trouble);
        }
        for (const json& one : all.at("waiting"))
            waiting_.push_back(
                {{pool_, notice_of(one.at("notice")), one.at("subject"), one.at("body")}, one.at("ways")});
        failures_ = all.at("failures");
        next_try_ = all.at("next_try");
    } catch (const std::exception&) {  // of another release, or broken: what was told is told once more
        troubles_.clear();
        waiting_.clear();
    }
}

std::string Book::text() const {
    json all{{"troubles", json::array()}, {"waiting", json::array()}, {"failures", failures_}, {"next_try", next_try_}};
    for (const auto& [name, one] : troubles_)
        all["troubles"].push_back({{"notice", to_json(one.notice)}, {"told", one.told}, {"open", one.open}});
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
    int told = 0;
    for (auto& [name, trouble] : troubles_) {
        const bool may = trouble.told == 0 || now - trouble.told >= repeat_ || trouble.told > now;  // a clock set back
        if (trouble.notice.count == 0 || !may || told >= most_new) continue;
        ++told;
        tell(trouble, ways, now);
    }
    forget_old(now);
}

void Book::tell(Trouble& trouble, const std::set<std::string>& ways, std::int64_t now) {
    add(compose(pool_, trouble.notice, trouble.told), ways);
    trouble.told = now;
    trouble.open = true;
    trouble.notice.count = 0;
}

void Book::add(Message message, const std::set<std::string>& ways) {
    waiting_.push_back({std::move(message), ways});
    if (waiting_.size() > most_waiting) waiting_.pop_front();
}

/// What has been quiet for a day, and the oldest of too many.
void Book::forget_old(std::int64_t now) {
    const std::int64_t quiet = std::max<std::int64_t>(repeat_, 86'400);
    std::erase_if(troubles_,
                  [&](const auto& entry) { return now - entry.second.notice.last > quiet && !entry.second.open; });
    while (troubles_.size() > most_troubles)
        troubles_.erase(std::min_element(troubles_.begin(), troubles_.end(), [](const auto& one, const auto& other) {
            return one.second.notice.last < other.second.notice.last;
        }));
}

void Book::tried(std::int64_t now) {
    std::erase_if(waiting_, [](const Waiting& one) { return one.ways.empty(); });
    failures_ = waiting_.empty() ? 0 : failures_ + 1;
    next_try_ = waiting_.empty() ? 0 : now + std::min(longest_pause, first_pause << std::min(failures_ - 1, 10));
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
    if (!at) return std::nullopt;
    return std::clamp<std::int64_t>(*at - now, 1, repeat_ + longest_pause);
}

}  // namespace dormouse::alert_sender
