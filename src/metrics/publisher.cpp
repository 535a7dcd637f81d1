#include "metrics/publisher.h"

#include <chrono>
#include <limits>
#include <utility>
#include <vector>

#include "metrics/exposition.h"
#include "metrics/file.h"

namespace dormouse::metrics {
namespace {

double unix_now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// What was left by the last worker, or why there is nothing to go on from.
struct Left {
    std::optional<Tally> totals;
    std::string trouble;
};

Left read_left(const std::string& path, const std::string& pool) {
    const auto text = read_file(path);
    if (!text && text.error().kind != ErrorKind::invalid)
        return {{}, path + " cannot be read, the totals begin with 0: " + text.error().message};
    auto totals = text ? read_exposition(*text, pool) : tl::unexpected(text.error());
    if (totals) return {std::move(*totals), {}};
    const std::string aside = put_aside(path);
    return {{},
            path + " is broken, the totals begin with 0; " +
                (aside.empty() ? "it cannot be moved away: " : "it is kept as " + aside + ": ") +
                totals.error().message};
}

class Read : public loop::Job {
  public:
    Read(std::string path, std::string pool, std::function<void(Left)> done)
        : path_(std::move(path)), pool_(std::move(pool)), done_(std::move(done)) {}
    void work() override { left_ = read_left(path_, pool_); }
    void done() override { done_(std::move(left_)); }

  private:
    std::string path_;
    std::string pool_;
    std::function<void(Left)> done_;
    Left left_;
};

class Write : public loop::Job {
  public:
    using Results = std::vector<std::pair<std::string, Status>>;
    Write(const std::vector<std::string>& paths, std::string text, std::function<void(const Results&)> done)
        : text_(std::move(text)), done_(std::move(done)) {
        for (const std::string& path : paths) results_.emplace_back(path, Status{});
    }
    void work() override {
        for (auto& [path, status] : results_) status = replace_file(path, text_);
    }
    void done() override { done_(results_); }

  private:
    std::string text_;
    std::function<void(const Results&)> done_;
    Results results_;
};

}  // namespace

std::string textfile_of(const std::string& textfile, const std::string& pool) {
    if (textfile.empty() || textfile.ends_with(".prom")) return textfile;
    return textfile + (textfile.ends_with('/') ? "" : "/") + "dormouse_" + pool + ".prom";
}

Publisher::Publisher(loop::Loop& loop, const std::string& pool, Places places,
                     std::function<void(const std::string&)> warn)
    : loop_(loop),
      places_(std::move(places)),
      textfile_(textfile_of(places_.textfile, pool)),
      warn_(std::move(warn)),
      tally_(pool),
      timer_(loop, "metrics.write"),
      finish_timer_(loop, "metrics.finish"),
      background_(loop) {
    serve();
}

void Publisher::serve() {
    if (places_.listen.empty()) return;
    server_.emplace(loop_, [this] { return text(); });
    if (const Status listening = server_->listen(places_.listen); !listening) {
        warn_("metrics.listen: " + listening.error().message + "; nothing is served, runs continue");
        server_.reset();
    }
}

std::string Publisher::kept_in() const {
    return places_.state_directory.empty() ? textfile_ : places_.state_directory + "/metrics.prom";
}

std::string Publisher::text() {
    tally_.awake_until(BootClock::now());
    return exposition(tally_, unix_now());
}

void Publisher::start(const std::string& doorbell) {
    if (!doorbell.empty()) {
        tally_.add(Metric::cold_starts);
        tally_.add(Metric::wakes, 1, doorbell);
    }
    tally_.set(Metric::awake, 1);
    tally_.on_change([this] { arm(); });
    read();
}

void Publisher::read() {
    const std::string path = kept_in();
    read_ = path.empty();
    if (read_) return;
    std::unique_ptr<loop::Job> job = std::make_unique<Read>(path, tally_.pool(), [this](Left left) {
        read_ = true;
        if (left.totals) tally_.go_on_from(*left.totals);
        if (!left.trouble.empty()) warn_("metrics: " + left.trouble);
        finishing_ ? write() : arm();
    });
    if (!background_.start(job)) warn_("metrics: no thread can be made, so nothing is written");
}

/// Later than the start of the work that the worker was woken for.
void Publisher::arm() {
    if (timer_.armed() || background_.at_work() || finishing_ || kept_in().empty()) return;
    if (!read_ || tally_.changes() == written_) return;
    timer_.once(written_ == 0 ? soon : between_writes, [this] { write(); });
}

void Publisher::write() {
    if (!read_ || background_.at_work()) return;
    std::vector<std::string> paths{kept_in()};
    if (!textfile_.empty() && textfile_ != paths.front()) paths.push_back(textfile_);
    written_ = tally_.changes();
    const bool last = finishing_;
    std::unique_ptr<loop::Job> job = std::make_unique<Write>(paths, text(), [this, last](const auto& results) {
        for (const auto& [path, status] : results)
            if (!status) warn_once(path, status.error().message);
        if (last) return finished();
        finishing_ ? write() : arm();
    });
    if (background_.start(job)) return;
    warn_once("a thread", "none can be made");
    if (last) finished();
}

void Publisher::warn_once(const std::string& path, const std::string& what) {
    if (!warned_.emplace(path, what).second) return;
    warn_("metrics: " + path + " cannot be written, runs continue: " + what +
          "; see that the directory is there, has room, and that the worker may write to it (ReadWritePaths= in a "
          "drop-in of its unit)");
}

void Publisher::finish(const Due& due, std::function<void()> done) {
    if (finishing_ && !done_) return done();
    if (finishing_) {  // a new program was about to take over, and nothing comes of it
        done_ = [this, due, first = std::move(done_), then = std::move(done)] {
            first();
            finish(due, then);
        };
        return;
    }
    finishing_ = true;
    done_ = std::move(done);
    timer_.stop();
    server_.reset();
    const double infinite = std::numeric_limits<double>::infinity();
    tally_.forget(Metric::next_due);
    if (due.known)
        tally_.set(Metric::next_due, due.in ? unix_now() + std::chrono::duration<double>(*due.in).count() : infinite);
    tally_.set(Metric::awake, 0);
    tally_.set(Metric::slots_busy, 0);
    if (kept_in().empty() || (!read_ && !background_.at_work())) return finished();
    finish_timer_.once(longest_finish, [this] {
        warn_once(kept_in(), "it takes longer than 2 s");
        finished();
    });
    write();  // or when what is at work is done
}

void Publisher::go_on() {
    finishing_ = false;
    tally_.set(Metric::awake, 1);
    serve();
    arm();
}

void Publisher::begin_rest() {
    tally_ = Tally(tally_.pool());
    tally_.leave_time_to_successor();
}

void Publisher::finished() {
    finish_timer_.stop();
    background_.abandon();
    if (const auto done = std::exchange(done_, nullptr)) done();
}

}  // namespace dormouse::metrics
