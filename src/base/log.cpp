#include "base/log.h"

#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>

#include "base/log_output.h"
#include "base/log_tap.h"
#include "base/text.h"

namespace dormouse::log {
namespace {

using Fields = std::initializer_list<Field>;

struct LevelNames {
    const char* text;
    int priority;
};

LevelNames names_of(Level level) {
    switch (level) {
        case Level::debug:
            return {"debug", LOG_DEBUG};
        case Level::warning:
            return {"warning", LOG_WARNING};
        case Level::error:
            return {"error", LOG_ERR};
        case Level::info:
            break;
    }
    return {"info", LOG_INFO};
}

std::string upper(std::string_view name) {
    std::string text;
    for (const char c : name) text.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
    return text;
}

/// " name=value" of each.
std::string words_of(Fields fields) {
    std::string words;
    for (const Field& field : fields) words += " " + std::string(field.name) + "=" + escaped(field.value);
    return words;
}

/// With the fields behind the first line, for whoever searches the text.
/// Source: systemd.journal-fields(7).
std::string journal_entry(Level level, std::string_view event, std::string_view text, Fields fields) {
    std::string entry;
    const std::size_t first = std::min(text.find('\n'), text.size());
    append_field(entry, "MESSAGE",
                 std::string(event) + ": " + std::string(text.substr(0, first)) + words_of(fields) +
                     std::string(text.substr(first)));
    append_field(entry, "PRIORITY", std::to_string(names_of(level).priority));
    append_field(entry, "SYSLOG_IDENTIFIER", program_invocation_short_name);
    append_field(entry, "DORMOUSE_EVENT", event);
    for (const Field& field : fields) append_field(entry, "DORMOUSE_" + upper(field.name), field.value);
    return entry;
}

/// "2026-01-02T03:04:05.678+01:00"
std::string local_time() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(now).count();
    const auto millis = std::chrono::floor<std::chrono::milliseconds>(now).count() % 1'000;
    std::tm parts{};
    ::localtime_r(&seconds, &parts);
    std::array<char, 32> date{};
    std::array<char, 8> zone{};
    std::array<char, 64> text{};
    std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::strftime(zone.data(), zone.size(), "%z", &parts);
    std::snprintf(text.data(), text.size(), "%s.%03d%.3s:%s", date.data(), static_cast<int>(millis), zone.data(),
                  zone.data() + 3);
    return text.data();
}

std::string text_line(Level level, std::string_view event, std::string_view text, Fields fields) {
    return local_time() + " " + names_of(level).text + " " + std::string(event) + ": " + escaped(text) +
           words_of(fields) + "\n";
}

/// For eyes: a traceback has its lines.
std::string terminal_line(Level level, std::string_view event, std::string_view text, Fields fields) {
    const std::size_t first = std::min(text.find('\n'), text.size());
    std::string lines = text_line(level, event, text.substr(0, first), fields);
    for (std::size_t at = first; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at + 1), text.size());
        lines += "    " + escaped(text.substr(at + 1, end - at - 1)) + "\n";
        at = end;
    }
    return lines;
}

/// systemd says in JOURNAL_STREAM which file is the journal; we must be that file and not have been redirected since.
/// Source: systemd.exec(5), $JOURNAL_STREAM.
bool stderr_is_the_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat status{};
    if (stream == nullptr || fstat(STDERR_FILENO, &status) != 0) return false;
    return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

}  // namespace

const char* name_of(Level level) {
    return names_of(level).text;
}

struct Sinks {
    using Line = std::string (*)(Level, std::string_view, std::string_view, Fields);

    ~Sinks() {
        if (output) output->drain_at_the_end();
    }

    std::unique_ptr<LogOutput> output;
    Line line = text_line;
    Level least = Level::info;
    Take take;
    Take tap;
    std::function<void()> on_backlog;
};

namespace {

Sinks& of_the_program() {
    static Sinks sinks;
    return sinks;
}

thread_local Sinks* of_this_thread = nullptr;

Sinks& current() {
    return of_this_thread != nullptr ? *of_this_thread : of_the_program();
}

std::string lost_line(Sinks::Line line, std::size_t lost, const std::string& reader) {
    return line(log::Level::warning, "log_lost",
                std::to_string(lost) + " lines of the log were lost: " + reader + " did not read", {});
}

void set_up(Sinks& sinks, Level least) {
    sinks.least = least;
    if (stderr_is_the_journal()) {
        sinks.line = journal_entry;
        sinks.output =
            std::make_unique<Journal>([](std::size_t lost) { return lost_line(journal_entry, lost, "journald"); });
    } else {
        sinks.line = ::isatty(STDERR_FILENO) == 1 ? terminal_line : text_line;
        sinks.output = std::make_unique<StandardError>(
            [](std::size_t lost) { return lost_line(text_line, lost, "the reader of stderr"); });
    }
}

}  // namespace

void start(Level least) {
    set_up(of_the_program(), least);
}

OfThisThread::OfThisThread(Level least, Take take) : sinks_(std::make_unique<Sinks>()), before_(of_this_thread) {
    sinks_->least = least;
    take ? void(sinks_->take = std::move(take)) : set_up(*sinks_, least);
    of_this_thread = sinks_.get();
}

OfThisThread::~OfThisThread() {
    of_this_thread = before_;
}

void on_backlog(std::function<void()> call) {
    current().on_backlog = std::move(call);
}

void tap(Take take) {
    current().tap = std::move(take);
}

bool drain() {
    Sinks& sinks = current();
    return !sinks.output || sinks.output->drain();
}

std::size_t waiting() {
    const Sinks& sinks = current();
    return sinks.output ? sinks.output->waiting() : 0;
}

void event(Level level, std::string_view event, std::string_view text, std::initializer_list<Field> fields) {
    Sinks& sinks = current();
    if (sinks.tap) sinks.tap(level, event, text, fields);
    if (level < sinks.least) return;
    if (sinks.take) return sinks.take(level, event, text, fields);
    if (sinks.output) sinks.output->add(sinks.line(level, event, text, fields), sinks.on_backlog);
}

}  // namespace dormouse::log
