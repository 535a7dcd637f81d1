#include "base/log.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

namespace dormouse::log {
namespace {

/// One event as the sinks see it. spdlog's message has no fields, so event() leaves them here for the length of its
/// call.
struct Event {
    std::string_view name;
    std::string_view text;
    const std::initializer_list<Field>* fields = nullptr;
};
thread_local Event current;

int priority_of(spdlog::level::level_enum level) {
    switch (level) {
        case spdlog::level::debug:
            return LOG_DEBUG;
        case spdlog::level::warn:
            return LOG_WARNING;
        case spdlog::level::err:
            return LOG_ERR;
        default:
            return LOG_INFO;
    }
}

std::string upper(std::string_view name) {
    std::string text;
    for (const char c : name) text.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
    return text;
}

/// Sends each event with its fields. Source: sd_journal_sendv(3), systemd.journal-fields(7).
class JournalSink : public spdlog::sinks::base_sink<std::mutex> {
  protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        std::vector<std::string> lines;
        lines.push_back("MESSAGE=" + std::string(message.payload.data(), message.payload.size()));
        lines.push_back("PRIORITY=" + std::to_string(priority_of(message.level)));
        lines.push_back("DORMOUSE_EVENT=" + std::string(current.name));
        for (const Field& field : *current.fields) lines.push_back("DORMOUSE_" + upper(field.name) + "=" + field.value);
        std::vector<iovec> parts;
        parts.reserve(lines.size());
        for (std::string& line : lines) parts.push_back(iovec{line.data(), line.size()});
        sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
    }
    void flush_() override {}
};

/// systemd says in JOURNAL_STREAM which file is the journal; we must be that file and not have been redirected since.
/// Source: systemd.exec(5), $JOURNAL_STREAM.
bool stderr_is_the_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat status{};
    if (stream == nullptr || fstat(STDERR_FILENO, &status) != 0) return false;
    return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

/// Escapes what could drive a terminal or forge a line.
std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7F) {
            out.push_back(c);
        } else {
            out += spdlog::fmt_lib::format("\\x{:02x}", byte);
        }
    }
    return out;
}

spdlog::level::level_enum spdlog_level(Level level) {
    switch (level) {
        case Level::debug:
            return spdlog::level::debug;
        case Level::warning:
            return spdlog::level::warn;
        case Level::error:
            return spdlog::level::err;
        case Level::info:
            break;
    }
    return spdlog::level::info;
}

}  // namespace

struct Sinks {
    std::shared_ptr<spdlog::logger> logger;
    bool to_journal = false;
    Level least = Level::info;
    Take take;
};

namespace {

Sinks& of_the_program() {
    static Sinks sinks;
    return sinks;
}

thread_local Sinks* of_this_thread = nullptr;

void set_up(Sinks& sinks, Level least) {
    sinks.to_journal = stderr_is_the_journal();
    if (sinks.to_journal) {
        sinks.logger = std::make_shared<spdlog::logger>("dormouse", std::make_shared<JournalSink>());
    } else {
        sinks.logger = std::make_shared<spdlog::logger>("dormouse", std::make_shared<spdlog::sinks::stderr_sink_st>());
        sinks.logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    }
    sinks.logger->set_level(spdlog_level(least));
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

void event(Level level, std::string_view event, std::string_view text, std::initializer_list<Field> fields) {
    const Sinks& sinks = of_this_thread != nullptr ? *of_this_thread : of_the_program();
    if (sinks.take) {
        if (level >= sinks.least) sinks.take(level, event, text, fields);
        return;
    }
    const auto& logger = sinks.logger;
    const bool to_journal = sinks.to_journal;
    if (!logger || !logger->should_log(spdlog_level(level))) return;
    std::string line = std::string(event) + ": " + (to_journal ? std::string(text) : printable(text));
    if (!to_journal)
        for (const Field& field : fields) line += " " + std::string(field.name) + "=" + printable(field.value);
    current = Event{event, text, &fields};
    logger->log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
    current = Event{};
}

}  // namespace dormouse::log
