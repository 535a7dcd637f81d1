// Reads the log's events and keeps what a person may have to see to, like things together. Driven by Desk; no loop, no
// clock but the time of day. Memory: 100 kinds of trouble; what comes beyond them is counted as one more.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "alerts/notice.h"
#include "base/log.h"

namespace dormouse::alerts {

class Observer {
  public:
    struct Events {
        std::function<void()> on_news;          ///< there is something to be taken
        std::function<void(bool)> on_database;  ///< it is away, or back
    };
    explicit Observer(Events events) : events_(std::move(events)) {}

    void observe(std::string_view event, std::string_view text, std::initializer_list<log::Field> fields);
    /// Something that no event says.
    void add(Notice notice);
    /// The fingerprints of what has been told and not been taken back: only of those is it told that they are well.
    void set_open(std::set<std::string> open);
    [[nodiscard]] const std::set<std::string>& open() const { return open_; }
    /// It is well again, if it was told that it is not, or is about to be.
    void over(const std::string& fingerprint);

    [[nodiscard]] bool empty() const { return notices_.empty(); }
    /// All there is; nothing is left.
    std::vector<Notice> take();
    /// What was taken could not be handed on.
    void put_back(std::vector<Notice> notices);
    /// Why the database is away.
    [[nodiscard]] const std::string& outage() const { return outage_; }

  private:
    static constexpr std::size_t most = 100;
    static constexpr std::int64_t well_after_s = 600;  ///< a task that completes, and has not failed in that way

    void on_completed(const std::string& task);

    Events events_;
    std::map<std::string, Notice> notices_;
    std::set<std::string> open_;
    std::map<std::string, std::int64_t> failed_at_;  ///< of what is open, as far as is known
    std::string outage_;
};

}  // namespace dormouse::alerts
