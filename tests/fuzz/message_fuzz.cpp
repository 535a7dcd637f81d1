// What handlers write, as libFuzzer thinks of it: the stream is cut into lines, each line is parsed. It crashes by
// itself when memory is touched wrongly; besides that, what was taken has to be what Postgres takes, and has to come
// back the same however the stream was cut.
#include <string>
#include <string_view>
#include <vector>

#include "fuzz.h"
#include "handlers/json_text.h"
#include "handlers/message.h"
#include "handlers/text.h"

using namespace dormouse;
using namespace dormouse::handlers;
using fuzz::require;

namespace {

constexpr std::size_t most = 300;

bool is_clean(const std::string& text) {
    return clean_text(text) == text;
}

void check(std::string_view line) {
    const auto message = parse_message(line);
    if (!message) return require(!message.error().message.empty());
    require(message->result.empty() || is_json(message->result));
    require(message->enqueue.empty() || (is_json(message->enqueue) && message->enqueue.front() == '['));
    require(is_clean(message->text) && is_clean(message->error_class) && is_clean(message->progress.text));
    require(message->progress.text.size() <= 3 * 200);  // a byte that is none of UTF-8 becomes three
    require(!message->progress.fraction || (*message->progress.fraction >= 0 && *message->progress.fraction <= 1));
    require(message->concurrency >= 1 && message->concurrency <= 10'000);
    require(!message->in || message->in->count() >= 0);
}

/// The lines of a stream that comes in pieces of `piece` bytes; the last is "!" if one was too long.
std::vector<std::string> lines_of(std::string_view stream, std::size_t piece) {
    Frames frames(most);
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
        if (frames.add(stream.substr(at, piece), [&](std::string_view line) { lines.emplace_back(line); })) continue;
        lines.emplace_back("!");
        break;
    }
    return lines;
}

void run(std::string_view stream) {
    const auto lines = lines_of(stream, stream.size() + 1);
    for (const auto& line : lines) check(line);
    require(lines == lines_of(stream, 1));
    require(lines == lines_of(stream, 7));
    check(stream);
}

const fuzz::Target target("message", run);

}  // namespace
