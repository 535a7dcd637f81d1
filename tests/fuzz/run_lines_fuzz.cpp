// Lines of `dormouse enqueue --from`: what is taken is what Postgres takes, with the payload as it was written; and the
// lines of a descriptor are those of its text.
#include <sys/mman.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>

#include "cli/run_lines.h"
#include "fuzz.h"
#include "handlers/json_text.h"

using namespace dormouse;
using namespace dormouse::cli;
using fuzz::require;

namespace {

constexpr std::size_t most = 1'000;

void check_line(const std::string& line) {
    const auto run = parse_run_line(line, "default", 1'800'000'000, most);
    if (!run) return require(!run.error().message.empty() && run.error().exit == Exit::usage);
    require(!run->task.empty() && run->payload.size() <= most && handlers::is_json(run->payload));
    const auto object = nlohmann::json::parse(line);
    if (object.contains("payload")) require(nlohmann::json::parse(run->payload) == object["payload"]);
    for (const std::string* text : {&run->task, &run->queue, &run->key, &run->traceparent, &run->run_at})
        require(text->find('\0') == std::string::npos);
    require(!run->max_attempts || *run->max_attempts > 0);
    require(!run->timeout_ms || *run->timeout_ms >= 0);
}

void run(std::string_view bytes) {
    static const int file = ::memfd_create("lines", MFD_CLOEXEC);
    require(::ftruncate(file, 0) == 0 &&
            ::pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    require(::lseek(file, 0, SEEK_SET) == 0);
    RunLines lines(file, most);
    std::string line;
    std::size_t at = 0;
    while (const auto more = lines.next(line)) {
        if (!*more) break;
        require(line.find('\n') == std::string::npos && line.find_first_not_of(" \t\r") != std::string::npos);
        const std::size_t here = bytes.find(line, at);
        require(here != std::string_view::npos && lines.number() > 0);
        at = here + line.size();
        check_line(line);
    }
}

const fuzz::Target target("run_lines", run);

}  // namespace
