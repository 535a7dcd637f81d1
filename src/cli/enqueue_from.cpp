#include "cli/enqueue_from.h"

#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/unique_fd.h"
#include "cli/rings.h"
#include "cli/run_lines.h"
#include "cli/text.h"
#include "sql/embedded.h"

namespace dormouse::cli {
namespace {

/// A value of COPY's text format.
void append_field(std::string& out, std::string_view value) {
    for (const char c : value) {
        if (c == '\\')
            out += "\\\\";
        else if (c == '\n')
            out += "\\n";
        else if (c == '\r')
            out += "\\r";
        else if (c == '\t')
            out += "\\t";
        else
            out += c;
    }
}

void append_row(std::string& out, const RunLine& run) {
    append_field(out, run.task);
    out += '\t';
    append_field(out, run.payload);
    out += '\t';
    append_field(out, run.queue);
    out += '\t' + std::to_string(run.priority) + '\t';
    append_field(out, run.run_at);
    out += '\t' + (run.max_attempts ? std::to_string(*run.max_attempts) : "\\N");
    out += '\t' + (run.timeout_ms ? std::to_string(*run.timeout_ms) : "\\N") + '\t';
    if (run.traceparent.empty()) {
        out += "\\N";
    } else {
        append_field(out, run.traceparent);
    }
    out += '\n';
}

nlohmann::ordered_json member(const RunLine& run, std::int64_t line) {
    nlohmann::ordered_json object{{"line", line}, {"task", run.task}, {"queue", run.queue}, {"priority", run.priority}};
    object["run_at"] = run.run_at;
    if (!run.key.empty()) object["key"] = run.key;
    if (run.max_attempts) object["max_attempts"] = *run.max_attempts;
    if (run.timeout_ms) object["timeout_ms"] = *run.timeout_ms;
    if (!run.traceparent.empty()) object["traceparent"] = run.traceparent;
    return object;
}

/// One transaction, which collects what goes by COPY and what goes by function.
class Intake {
  public:
    Intake(postgres::BlockingConnection& connection, std::string file, bool may_copy)
        : connection_(connection), file_(std::move(file)), may_copy_(may_copy) {}

    Outcome take(const RunLine& run, std::int64_t line) {
        ++runs_;
        queues_.insert(run.queue);
        if (may_copy_ && run.key.empty()) return by_copy(run, line);
        return by_function(run, line);
    }
    Outcome flush() {
        if (const Outcome done = end_copy(); !done) return done;
        return call();
    }
    [[nodiscard]] Failure at(std::int64_t line, Failure failure) const {
        failure.message = file_ + ":" + std::to_string(line) + ": " + failure.message + "; nothing was enqueued";
        return failure;
    }
    [[nodiscard]] std::int64_t runs() const { return runs_; }
    [[nodiscard]] const std::set<std::string>& queues() const { return queues_; }

  private:
    static constexpr std::size_t portion_bytes = 65'536;
    static constexpr std::size_t batch_runs = 1'000;
    static constexpr std::size_t batch_bytes = 8 << 20;

    Outcome by_copy(const RunLine& run, std::int64_t line) {
        if (!copying_) {
            if (const Status begun = connection_.begin_copy("enqueue --from", sql::cli::copy_runs); !begun)
                return tl::unexpected(from(begun.error()));
            copying_ = true;
            rows_ = 0;
            skipped_.clear();
        }
        ++rows_;
        if (skipped_.empty() || skipped_.back().second != line - rows_) skipped_.emplace_back(rows_, line - rows_);
        append_row(portion_, run);
        return portion_.size() < portion_bytes ? Outcome(Exit::ok) : put();
    }
    Outcome put() {
        const Status done = connection_.put_copy("enqueue --from", portion_);
        portion_.clear();
        return done ? Outcome(Exit::ok) : refused(done.error());
    }
    Outcome end_copy() {
        if (!copying_) return Exit::ok;
        if (const Outcome done = put(); !done) return done;
        copying_ = false;
        const Status done = connection_.end_copy("enqueue --from");
        return done ? Outcome(Exit::ok) : refused(done.error());
    }
    /// What the server says of a row: it counts the rows of this COPY.
    Outcome refused(const Error& error) {
        copying_ = false;
        const std::int64_t row = connection_.copy_line();
        if (row == 0) return tl::unexpected(refusal(connection_, error));
        std::int64_t line = row;
        for (const auto& [from_row, beyond] : skipped_)
            if (row >= from_row) line = row + beyond;
        return tl::unexpected(at(line, refusal(connection_, error)));
    }
    Outcome by_function(const RunLine& run, std::int64_t line) {
        // COPY has to end before another statement can be sent; so keys are collected first
        std::string text;
        try {
            text = member(run, line).dump();
        } catch (const nlohmann::json::exception&) {
            return tl::unexpected(at(line, {Exit::usage, "it is not UTF-8"}));
        }
        text.pop_back();
        batch_ += (batch_.empty() ? "[" : ",") + text + ",\"payload\":" + run.payload + "}";
        lines_.push_back(line);
        if (lines_.size() < batch_runs && batch_.size() < batch_bytes) return Exit::ok;
        return flush();
    }
    Outcome call() {
        if (lines_.empty()) return Exit::ok;
        const auto reply = connection_.ask("enqueue --from", sql::cli::enqueue_lines, {batch_ + "]"});
        const std::string place = lines_.front() == lines_.back()
                                      ? std::to_string(lines_.front())
                                      : std::to_string(lines_.front()) + "-" + std::to_string(lines_.back());
        lines_.clear();
        batch_.clear();
        if (reply) return Exit::ok;
        Failure failure = refusal(connection_, reply.error());
        failure.message = file_ + ":" + place + ": " + failure.message + "; nothing was enqueued";
        return tl::unexpected(std::move(failure));
    }

    postgres::BlockingConnection& connection_;
    std::string file_;
    bool may_copy_;
    bool copying_ = false;
    std::int64_t rows_ = 0;
    std::vector<std::pair<std::int64_t, std::int64_t>>
        skipped_;  ///< from that row on, so many lines before it are not in this COPY
    std::string portion_;
    std::string batch_;
    std::vector<std::int64_t> lines_;
    std::int64_t runs_ = 0;
    std::set<std::string> queues_;
};

Outcome take_all(RunLines& lines, Intake& intake, const std::string& queue, double now, std::int64_t payload_limit) {
    std::string line;
    while (true) {
        const auto more = lines.next(line);
        if (!more) return tl::unexpected(intake.at(lines.number(), more.error()));
        if (!*more) return intake.flush();
        const auto run = parse_run_line(line, queue, now, payload_limit);
        if (!run) return tl::unexpected(intake.at(lines.number(), run.error()));
        if (const Outcome taken = intake.take(*run, lines.number()); !taken) return taken;
    }
}

void print_json(const Intake& intake, const Rings& rings) {
    nlohmann::ordered_json missed = nlohmann::ordered_json::array();
    for (const auto& [pool, done] : rings.missed) missed.push_back({{"pool", pool}, {"error", done.error().message}});
    print(safe_json(nlohmann::ordered_json{
              {"runs", intake.runs()}, {"queues", intake.queues()}, {"rung", rings.rung}, {"not_rung", missed}}
                        .dump()) +
          "\n");
}

}  // namespace

Outcome enqueue_from(const EnqueueOptions& options, const config::Environment& environment) {
    const bool from_stdin = options.from == "-";
    const std::string name = from_stdin ? "stdin" : options.from;
    const UniqueFd file(from_stdin ? -1 : ::open(options.from.c_str(), O_RDONLY | O_CLOEXEC));
    if (!from_stdin && !file.valid()) return give_up(Exit::usage, from_errno(errno, "--from " + name).message);
    const auto choice = choose_database(options.database, environment, options.queue);
    if (!choice) return tl::unexpected(choice.error());
    auto connection = open_database(*choice, "enqueue");
    if (!connection) return tl::unexpected(connection.error());

    if (const Status begun = connection->script("enqueue --from", "BEGIN"); !begun)
        return tl::unexpected(from(begun.error()));
    const auto about = connection->ask("enqueue --from", sql::cli::may_copy);
    if (!about) return tl::unexpected(refusal(*connection, about.error()));
    constexpr std::size_t rest_of_line = 65'536;
    const auto payload_limit = choice->limits.payload_bytes;
    RunLines lines(from_stdin ? STDIN_FILENO : file.get(), static_cast<std::size_t>(payload_limit) + rest_of_line);
    Intake intake(*connection, name, about->text(0, 0) == "t");
    const double now = std::stod(std::string(about->text(0, 1)));
    if (const Outcome all = take_all(lines, intake, options.queue, now, payload_limit); !all) return all;
    if (const Status done = connection->script("enqueue --from", "COMMIT"); !done)
        return tl::unexpected(from(done.error()));

    const Rings rings = intake.runs() > 0 ? ring_pools(intake.queues(), environment) : Rings{};
    if (options.json) {
        print_json(intake, rings);
    } else {
        print(std::to_string(intake.runs()) + "\n");
        tell_rings(rings, intake.queues().size() == 1 ? *intake.queues().begin() : "", *connection);
    }
    return if_told(Exit::ok, std::to_string(intake.runs()) + " runs are enqueued");
}

}  // namespace dormouse::cli
