#include "alerts/desk.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "alerts/program.h"
#include "base/log.h"
#include "base/log_tap.h"
#include "config/options.h"

namespace dormouse::alerts {
namespace {

constexpr Millis longest_at_exit{10'000};
constexpr Millis longest_sending{30'000};
constexpr Millis pause_after_failure{60'000};
constexpr Millis well_after{60'000};  ///< a worker that has lived so long does not die at its start

/// As variables, because they are nobody's to see in ps.
std::vector<std::string> environment_of(const config::Sources& sources) {
    config::Environment all = sources.environment;
    for (const std::string& set : sources.sets) {
        const std::size_t equals = set.find('=');
        const config::Option* const option = config::find_option(set.substr(0, equals));
        if (option == nullptr || equals == std::string::npos || !option->key.name.starts_with("alerts.")) continue;
        all[config::environment_name(*option)] = set.substr(equals + 1);
    }
    std::vector<std::string> list;
    for (const auto& [name, value] : all) list.push_back(name + "=" + value);
    return list;
}

}  // namespace

/// One call of dormouse-alert, on a thread made for it.
class Desk::Sending final : public loop::Job {
  public:
    Sending(Desk& desk, std::string input, std::vector<Notice> notices)
        : desk_(desk),
          command_(desk.command_),
          environment_(desk.environment_),
          input_(std::move(input)),
          notices_(std::move(notices)) {}
    void work() override { output_ = run_program(command_, environment_, input_, longest_sending); }
    void done() override { desk_.on_answer(output_, std::move(notices_)); }

  private:
    Desk& desk_;  ///< by done() alone
    std::vector<std::string> command_;
    std::vector<std::string> environment_;
    std::string input_;
    std::vector<Notice> notices_;
    std::string output_;
};

Desk::Desk(loop::Loop& loop, const config::Config& config, const config::Sources& sources, std::string state_directory)
    : terms_(config.alerts),
      urls_(alive_urls(config)),
      pool_(config.pool),
      command_{find_program(), config.pool},
      environment_(environment_of(sources)),
      remembers_(!state_directory.empty()),
      observer_({.on_news =
                     [this] {
                         if (!gather_.armed() && !on_told_) gather_.once(terms_.gather, [this] { send(true); });
                     },
                 .on_database = [this](bool away) { on_database(away); }}),
      alive_(config),
      background_(loop),
      gather_(loop, "alerts.gather"),
      again_(loop, "alerts.again"),
      fetch_(loop, "alerts.fetch"),
      database_(loop, "alerts.database"),
      well_(loop, "alerts.well"),
      limit_(loop, "alerts.limit") {
    if (sources.file) command_.insert(command_.end(), {"--config", *sources.file});
    if (remembers_) command_.insert(command_.end(), {"--state", state_directory});
    // What the log has said already is for debugging, and no news; but how long runs wait is judged again and again.
    log::tap([this](log::Level level, std::string_view event, std::string_view text,
                    std::initializer_list<log::Field> fields) {
        if (alive_.observe(event, fields, BootClock::now())) arm_alive();
        if (terms_.any() && (level >= log::Level::info || event.starts_with("backlog")))
            observer_.observe(event, text, fields);
    });
    if (!remembers_) return;
    // What the worker before has told, and could not tell.
    gather_.once(terms_.gather, [this] { send(true); });
    well_.once(well_after, [this] { observer_.over(fingerprint("worker")); });
}

Desk::~Desk() {
    log::tap({});
}

bool Desk::wanted(const config::Config& config) {
    return config.alerts.any() || !alive_urls(config).empty();
}

bool Desk::fits(const config::Config& config) const {
    return terms_ == config.alerts && urls_ == alive_urls(config);
}

std::vector<Notice> Desk::give_up() {
    std::vector<Notice> notices = alive_.take(BootClock::now(), true);
    for (Notice& one : observer_.take()) notices.push_back(std::move(one));
    return notices;
}

void Desk::take_over(std::vector<Notice> notices) {
    std::erase_if(notices, [&](const Notice& one) {
        if (one.kind == "alive") alive_.put_back({one}, BootClock::now(), Millis{0});
        return one.kind == "alive" || !terms_.any();
    });
    for (Notice& one : notices) observer_.add(std::move(one));
    arm_alive();
}

void Desk::arm_alive() {
    if (on_told_ || background_.at_work()) return;  // asked again with its answer
    if (const auto wait = alive_.wait(BootClock::now())) fetch_.once(*wait, [this] { send(false); });
}

void Desk::on_database(bool away) {
    if (!away) return database_.stop();
    if (terms_.database_lost == Millis{0} || database_.armed()) return;
    database_.once(terms_.database_lost,
                   [this] { observer_.add({fingerprint("database"), "database", "", observer_.outage(), ""}); });
}

void Desk::send(bool news) {
    if (background_.at_work()) return;  // its answer comes back to here
    if (news) gather_.stop(), again_.stop();
    std::vector<Notice> notices = alive_.take(BootClock::now(), static_cast<bool>(on_told_));
    if (news)
        for (Notice& one : observer_.take()) notices.push_back(std::move(one));
    if (!news && notices.empty()) return arm_alive();  // the database has gone meanwhile
    std::string input = to_json(notices) + "\n" + memory_;
    std::unique_ptr<loop::Job> job = std::make_unique<Sending>(*this, std::move(input), notices);
    if (background_.start(job)) return;
    on_answer("", std::move(notices));
}

void Desk::on_answer(const std::string& text, std::vector<Notice> notices) {
    const auto answer = nlohmann::json::parse(text, nullptr, false);
    if (!answer.is_object()) {
        const auto urls = std::stable_partition(notices.begin(), notices.end(),
                                                [](const Notice& one) { return one.kind != "alive"; });
        alive_.put_back({urls, notices.end()}, BootClock::now(), pause_after_failure);
        notices.erase(urls, notices.end());
        observer_.put_back(std::move(notices));
        tell_failure(text.empty() ? command_.front() + " gave no answer" : text);
        call_again(pause_after_failure);
        return finish();
    }
    memory_ = remembers_ ? "" : answer.value("state", nlohmann::json::object()).dump();
    std::set<std::string> open;
    for (const auto& one : answer.value("open", nlohmann::json::array())) open.insert(one.get<std::string>());
    observer_.set_open(std::move(open));
    for (const auto& one : answer.value("sent", nlohmann::json::array()))
        log::event(log::Level::info, "alert_sent", one.get<std::string>(), {{"pool", pool_}});
    tell_failure(answer.value("failed", ""));
    for (const auto& one : answer.value("unreachable", nlohmann::json::array()))
        if (const auto why = one.get<std::string>(); told_unreachable_.insert(normalised(why)).second)
            log::event(log::Level::warning, "alert_failed", why, {{"pool", pool_}});
    if (!answer.value("urls_wait", false)) told_unreachable_.clear();
    if (const std::int64_t again = answer.value("again_ms", std::int64_t{-1}); again >= 0) call_again(Millis{again});
    if (!observer_.empty() && !gather_.armed() && !on_told_)  // what came while this was on its way
        gather_.once(terms_.gather, [this] { send(true); });
    arm_alive();
    finish();
}

/// Once for each reason. curl's have times in them.
void Desk::tell_failure(const std::string& why) {
    const bool news = !why.empty() && normalised(why) != told_failure_;
    told_failure_ = normalised(why);
    if (news) log::event(log::Level::warning, "alert_failed", why, {{"pool", pool_}});
}

void Desk::call_again(Millis delay) {
    again_.once(delay, [this] { send(true); });
}

void Desk::leave(bool graceful, std::function<void()> on_told) {
    for (loop::Timer* timer : {&gather_, &again_, &fetch_, &database_, &well_}) timer->stop();
    if (graceful) observer_.over(fingerprint("worker"));
    on_told_ = std::move(on_told);
    limit_.once(longest_at_exit, [this] { hurry(); });
    if (!background_.at_work()) finish();
}

void Desk::hurry() {
    if (!on_told_) return;
    limit_.stop();
    background_.abandon();
    std::exchange(on_told_, nullptr)();
}

/// On the way out: what came since the last answer is told too, once. If that cannot be sent it is kept, where there is
/// a state directory.
void Desk::finish() {
    if (!on_told_ || background_.at_work()) return;
    again_.stop();
    if ((!observer_.empty() || alive_.owes()) && !std::exchange(told_last_, true)) return send(true);
    limit_.stop();
    std::exchange(on_told_, nullptr)();
}

}  // namespace dormouse::alerts
