#include "cli/watch.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/find_run.h"
#include "cli/follow.h"
#include "cli/run_error.h"
#include "cli/text.h"
#include "cli/when.h"

namespace dormouse::cli {

namespace {

/// Shows what is heard: JSON lines, plain lines, or lines above a bar that stays where it is.
class Screen {
  public:
    explicit Screen(bool json) : json_(json), bar_wanted_(!json && ::isatty(STDOUT_FILENO) == 1) {}

    void show(const RunNow& run) {
        const bool other = run.status != status_ || run.starts != starts_;
        const bool further = run.progress != progress_ || run.doing != doing_;
        status_ = run.status;
        starts_ = run.starts;
        progress_ = run.progress;
        doing_ = run.doing;
        finished_ = run.finished();
        const bool progress = further && (run.progress || !run.doing.empty());
        if (progress && finished_) show_progress(run);  // the end comes last
        if (other) show_status(run);
        if (progress && !finished_) show_progress(run);
    }

    void show(const LogLine& line) {
        if (json_) return out(R"({"event":"log",)" + line.json.substr(line.json.find('{') + 1));
        const Colour colour = line.level == "error"     ? Colour::red
                              : line.level == "warning" ? Colour::yellow
                                                        : Colour::none;
        above(paint(Colour::dim, moment(line.said_at)) + " " +
              paint(colour, (line.level == "info" ? "" : escaped(line.level) + ": ") + escaped(line.text)));
    }

    /// Draws the bar, below everything.
    void caught_up() {
        if (bar_wanted_) draw();
        flush_stdout();
    }

    void clear() {
        if (std::exchange(drawn_, false)) print("\r\033[K");
        flush_stdout();
    }

  private:
    void show_status(const RunNow& run) {
        if (json_) {
            const nlohmann::ordered_json event{
                {"event", "status"}, {"status", run.status}, {"task", run.task}, {"attempt", run.starts}};
            std::string text = event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
            if (run.finished()) {  // as Postgres wrote them: a number of any size stays what it is
                text.pop_back();
                text += ",\"result\":" + (run.result.empty() ? "null" : run.result);
                text += ",\"error\":" + (run.error.empty() ? "null" : run.error) + "}";
            }
            return out(text);
        }
        std::string text = paint(colour_of_status(run.status), run.status);
        if (run.status == "running") text += ", attempt " + std::to_string(run.starts);
        if (run.status == "retry" || (run.status == "queued" && run.run_at > run.now))
            text += ", due " + relative(run.run_at, run.now);
        if (run.status == "retry" && !run.error.empty()) text += ": " + escaped(error_line(run.error));
        above(paint(Colour::dim, moment(run.now)) + " " + text);
    }

    void show_progress(const RunNow& run) {
        if (json_) {
            nlohmann::ordered_json event{{"event", "progress"}, {"fraction", nullptr}, {"text", run.doing}};
            if (run.progress) event["fraction"] = std::round(*run.progress * 1e6) / 1e6;
            return out(event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
        }
        if (!bar_wanted_) print(moment(run.now) + " progress " + in_words() + "\n");
    }

    [[nodiscard]] std::string in_words() const {
        std::string text;
        if (progress_) text = std::to_string(static_cast<int>(std::floor(*progress_ * 100 + 1e-4))) + " %";
        if (!doing_.empty()) text += (text.empty() ? "" : " ") + escaped(doing_);
        return text;
    }

    void draw() {
        clear();
        if (finished_ || (!progress_ && doing_.empty())) return;
        winsize size{};
        const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
        const std::size_t columns = known ? size.ws_col : 80;
        constexpr std::size_t cells = 30;
        std::string bar;
        if (progress_ && columns > cells + 20) {
            const auto full = static_cast<std::size_t>(std::lround(*progress_ * cells));
            bar = "[" + std::string(full, '#') + std::string(cells - full, '-') + "] ";
        }
        print("\r\033[K" + bar + cut(in_words(), columns - std::min(columns, bar.size() + 1)));
        drawn_ = true;
    }

    /// A line above the bar, which caught_up() draws again.
    void above(const std::string& text) {
        if (std::exchange(drawn_, false)) print("\r\033[K");
        print(text + "\n");
    }
    static void out(const std::string& json) { print(safe_json(json) + "\n"); }

    bool json_;
    bool bar_wanted_;
    bool drawn_ = false;
    bool finished_ = false;
    std::string status_;
    int starts_ = -1;
    std::optional<double> progress_;
    std::string doing_;
};

Outcome outcome_of(const RunNow& run, const WatchOptions& options, const std::string& id) {
    if (run.status == "completed") {
        if (!options.json) print(safe_json(run.result.empty() ? "null" : run.result) + "\n");
        return Exit::ok;
    }
    const std::string see = "; see `dormouse show " + id + "`";
    if (run.status == "canceled") return give_up(Exit::run_canceled, "run " + id + " was canceled" + see);
    const std::string why = error_line(run.error);
    return give_up(Exit::run_failed, "run " + id + " failed" + (why.empty() ? "" : ": " + why) + see);
}

}  // namespace

Outcome watch(const WatchOptions& options) {
    if (auto range = ids_from(options.run); !range) return tl::unexpected(range.error());
    const auto choice = choose_database(options.database, config::of_process());
    if (!choice) return tl::unexpected(choice.error());
    auto connection = open_database(*choice, "watch");
    if (!connection) return tl::unexpected(connection.error());
    if (auto fits = check_schema(*connection); !fits) return tl::unexpected(fits.error());
    const auto found = find_run(*connection, options.run);
    if (!found) return tl::unexpected(found.error());
    Screen screen(options.json);
    const Audience audience{
        [&](const RunNow& run) { screen.show(run); },
        [&](const LogLine& line) { screen.show(line); },
        [&] { screen.caught_up(); },
        [&](const std::string& trouble) {
            screen.clear();
            complain(trouble.empty() ? "the database is back" : trouble + "; trying again");
        },
    };
    const auto end = follow(*connection, *choice, "watch", found->id, std::nullopt, audience);
    screen.clear();
    if (!end) return tl::unexpected(end.error());
    return outcome_of(*end, options, found->id);
}

}  // namespace dormouse::cli
