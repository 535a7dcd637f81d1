#include "relay/relay.h"

#include <algorithm>
#include <csignal>

#include "base/backoff.h"
#include "base/log.h"
#include "postgres/hosts.h"
#include "postgres/tls.h"
#include "systemd/local_rings.h"
#include "systemd/notify.h"

namespace dormouse::relay {
namespace {

constexpr Millis first_retry{500};
constexpr Millis first_reload{1'000};
constexpr Millis longest_reload{300'000};
/// A session that lived longer than this was a good one: its loss is a new trouble and no part of the last.
constexpr Millis good_session{60'000};

constexpr const char* instead =
    "a relay would be deaf from then on, or wake it again and again. Let producers ring after their commit (dormouse "
    "wake, clients/), or set wake.max_sleep, and disable this relay";

std::string bell_of(const config::Config& config) {
    return config.paths.runtime_directory + "/" + config.pool + ".sock";
}

bool same_session(const config::Config& one, const config::Config& other) {
    return one.database.url == other.database.url && one.database.passfile == other.database.passfile &&
           one.database.close_after == other.database.close_after && one.worker.queues == other.worker.queues;
}

}  // namespace

std::string why_refused(const postgres::Target& target) {
    const auto sleeper = std::find_if(target.places.begin(), target.places.end(), [](const postgres::Endpoint& place) {
        return postgres::known_to_suspend(place.host);
    });
    if (sleeper == target.places.end()) return {};
    return "the database at " + sleeper->host + " suspends itself when idle; " + instead;
}

Relay::Relay(loop::Loop& loop, config::Sources sources)
    : sources_(std::move(sources)),
      ringer_(loop, [this](const Status& rung) { on_rung(rung); }),
      listener_(loop, {[this] { on_listening(); }, [this] { ringer_.ring(); }, [this](Error e) { on_trouble(e); },
                       [this](const std::string& by) { on_kept_out(by); }}),
      on_sigterm_(loop, SIGTERM, [this] { on_signal(); }),
      on_sigint_(loop, SIGINT, [this] { on_signal(); }),
      log_drain_(loop),
      watchdog_(loop, "relay.watchdog"),
      retry_(loop, "relay.retry"),
      reload_(loop, "relay.reload"),
      loop_(loop) {}

void Relay::start() {
    log::event(log::Level::info, "relay_starting", "pool " + sources_.pool, {{"pool", sources_.pool}});
    if (const auto period = systemd::watchdog_period())
        watchdog_.every(*period / 2, [this] {
            if (!loop_.turns().are_idle()) systemd::notify_watchdog();
        });
    loop_.turns().on_idle([this](const std::string& names) {
        log::event(log::Level::error, "loop_turns",
                   "100 turns of the loop have changed nothing; it now pauses before what it was about to do: " + names,
                   {{"pool", sources_.pool}, {"names", names}});
    });
    watch_ = std::make_unique<loop::Watch>(loop_, config::file_of(sources_), [this] {
        tries_ = 0;
        reload_.once(Millis{50}, [this] { load(); });  // an editor writes in several steps
    });
    reload_.once(Millis{0}, [this] {
        systemd::notify_ready();  // the loop runs
        load();
    });
}

// At the start and at each change of the file. What was read before goes on while the file cannot be used.
void Relay::load() {
    auto loaded = config::load(sources_);
    if (!loaded) {
        const bool news = file_trouble_ != loaded.error().message;
        file_trouble_ = loaded.error().message;
        log::event(news ? log::Level::error : log::Level::debug, "configuration", file_trouble_);
        tell_status();
        reload_.once(half_jitter(first_reload, longest_reload, tries_++), [this] { load(); });
        return;
    }
    file_trouble_.clear();
    for (const std::string& warning : loaded->warnings) log::event(log::Level::warning, "configuration", warning);
    use(std::move(loaded->config));
}

void Relay::use(config::Config config) {
    const bool goes_on = config_ && listener_.is_open() && same_session(*config_, config);
    const bool moved = config_ && bell_of(*config_) != bell_of(config);
    config_ = std::move(config);
    ringer_.point_at(bell_of(*config_));
    if (!goes_on) return connect();
    if (moved) ringer_.ring();
    tell_status();
}

void Relay::connect() {
    retry_.stop();
    listener_.close();
    auto target = postgres::parse_target(config_->database.url, config_->database.passfile);
    if (!target) return on_trouble(target.error());
    std::string why = why_refused(*target);
    if (why.empty() && config_->database.close_after > Millis{0})
        why = "database.close_after says that the database suspends itself; " + std::string(instead);
    if (!why.empty()) {
        log::event(log::Level::error, "relay_refused", why, {{"pool", config_->pool}});
        trouble_ = "refused: " + why;
        return tell_status();  // only another configuration helps
    }
    if (const std::string warning = postgres::unproven(*target); !warning.empty() && warning != unproven_) {
        log::event(log::Level::warning, "configuration", warning);
        unproven_ = warning;
    }
    target->options["application_name"] = "dormouse relay " + config_->pool;
    target->options["client_encoding"] = "UTF8";
    listener_.open(std::move(*target), config_->worker.queues, config_->database.connect_timeout);
}

void Relay::on_listening() {
    if (!trouble_.empty()) log::event(log::Level::info, "database_back", "connected to " + listener_.where());
    log::event(log::Level::info, "listening",
               "connected to " + listener_.where() + ", rings " + bell_of(*config_) + " from now on",
               {{"pool", config_->pool}});
    if (const std::string warning = listener_.untested_server(); warning != untested_) {
        untested_ = warning;
        if (!warning.empty()) log::event(log::Level::warning, "configuration", warning);
    }
    trouble_.clear();
    listening_since_ = BootClock::now();
    tell_status();
    ringer_.ring();  // for what was committed while nobody listened
}

void Relay::on_trouble(const Error& error) {
    if (listening_since_ != BootClock::time_point{} && since(listening_since_) > good_session) tries_ = 0;
    listening_since_ = {};
    log::event(trouble_.empty() ? log::Level::warning : log::Level::debug, "database_lost", error.message,
               {{"kind", to_string(error.kind)}});
    trouble_ = "no database (tries again by itself): " + error.message;
    tell_status();
    if (tries_ == 0) lost_at_ = BootClock::now();
    const Millis longest = longest_pause(config_->database.retry_max, since(lost_at_), false);
    retry_.once(half_jitter(first_retry, longest, tries_++), [this] { connect(); });
}

void Relay::on_kept_out(const std::string& by) {
    const std::string trouble =
        by.empty()
            ? ""
            : "cannot register for queue " + by +
                  " holds its lock (tries again by itself; notifications may be a second late): end that session";
    if (trouble == kept_out_) return;
    log::event(by.empty() ? log::Level::info : log::Level::warning, "kept_out",
               by.empty() ? "registered for all queues" : trouble, {{"pool", config_->pool}});
    kept_out_ = trouble;
    tell_status();
}

void Relay::on_rung(const Status& rung) {
    const std::string trouble = rung ? ""
                                     : "cannot ring (tries again by itself): " + rung.error().message + "; " +
                                           systemd::doorbell_remedy(config_->pool);
    log::event(log::Level::debug, "ring", rung ? bell_of(*config_) : trouble);
    if (trouble == bell_trouble_) return;
    log::event(rung ? log::Level::info : log::Level::warning, rung ? "ring_back" : "ring_failed",
               rung ? "rang " + bell_of(*config_) : trouble, {{"pool", config_->pool}});
    bell_trouble_ = trouble;
    tell_status();
}

void Relay::on_signal() {
    systemd::notify_stopping("leaving");
    log::event(log::Level::info, "relay_stopped", std::to_string(ringer_.rings()) + " rings",
               {{"pool", sources_.pool}});
    loop_.stop();
}

void Relay::tell_status() const {
    if (!config_) return systemd::notify_status("waits for a configuration it can use: " + file_trouble_);
    std::string text = trouble_;
    if (text.empty()) text = listener_.is_open() ? "listens at " + listener_.where() : "connects";
    if (trouble_.empty() && !kept_out_.empty()) text += "; " + kept_out_;
    if (!bell_trouble_.empty()) text += "; " + bell_trouble_;
    if (!file_trouble_.empty()) text += "; keeps its configuration, the file cannot be used: " + file_trouble_;
    systemd::notify_status(text);
}

}  // namespace dormouse::relay
