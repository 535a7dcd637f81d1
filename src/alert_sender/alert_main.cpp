// dormouse-alert POOL: tells people what a pool's worker has seen. Started by the worker, which writes notices to its
// stdin; by dormouse-alert@.service with --ended, once the worker has died or could not tell everything; and by
// `dormouse alert --test`. A program of its own, so that no worker loads what it takes to send a mail. It ends within
// 30 s, whatever hangs.
#include <curl/curl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "alert_sender/sender.h"
#include "base/standard_files.h"
#include "config/load.h"

namespace dormouse::alert_sender {
namespace {

constexpr unsigned longest_life_s = 28;
constexpr int code_usage = 2;
constexpr int code_config = 9;
constexpr int code_not_told = 14;
constexpr int code_try_again = 75;  ///< EX_TEMPFAIL: dormouse-alert@.service does

struct Arguments {
    std::string pool;
    std::optional<std::string> config;
    std::string state;
    bool test = false;
    bool json = false;  ///< with test
    bool ended = false;
};

std::optional<Arguments> parse(const std::vector<std::string>& given) {
    Arguments arguments;
    for (std::size_t at = 0; at < given.size(); ++at) {
        const std::string& one = given[at];
        const bool has_value = at + 1 < given.size();
        if (one == "--test")
            arguments.test = true;
        else if (one == "--json")
            arguments.json = true;
        else if (one == "--ended")
            arguments.ended = true;
        else if (one == "--config" && has_value)
            arguments.config = given[++at];
        else if (one == "--state" && has_value)
            arguments.state = given[++at];
        else if (arguments.pool.empty() && !one.starts_with("-"))
            arguments.pool = one;
        else
            return std::nullopt;
    }
    if (arguments.pool.empty()) return std::nullopt;
    return arguments;
}

int complain(const std::string& text, int code) {
    std::fprintf(stderr, "dormouse-alert: %s\n", text.c_str());
    return code;
}

alerts::Notice notice(const char* kind, const std::string& text) {
    alerts::Notice one{alerts::fingerprint(kind), kind, "", text, ""};
    one.first = one.last = alerts::now_s();
    return one;
}

int test(const config::Config& config, bool json) {
    const auto ways = ways_of(config.alerts);
    if (!ways) return complain(ways.error().message, code_config);
    if (ways->all.empty())
        return complain("pool " + config.pool + " sends no alerts: [alerts] has neither command, webhook nor mail_to",
                        code_config);
    int code = 0;
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (const auto& [name, way] : ways->all) {
        const Status done =
            way(compose(config.pool, notice("test", "sent by `dormouse alert --test`"), 0), longest_try);
        all.push_back({{"way", name},
                       {"to", ways->where.at(name)},
                       {"sent", done.has_value()},
                       {"error", done ? nlohmann::ordered_json() : nlohmann::ordered_json(done.error().message)}});
        if (!json)
            std::printf("%s: %s\n", ways->where.at(name).c_str(),
                        done ? "sent" : ("FAILED: " + done.error().message).c_str());
        if (!done) code = code_not_told;
    }
    // what a server has said may be of any encoding
    const auto replace = nlohmann::ordered_json::error_handler_t::replace;
    if (json) std::printf("%s\n", nlohmann::ordered_json{{"ways", all}}.dump(-1, ' ', false, replace).c_str());
    return code;
}

/// What dormouse-due has written about the worker's end; taken once.
std::vector<alerts::Notice> how_it_ended(const config::Config& config, const std::string& state) {
    const std::string path = config.paths.runtime_directory + "/" + config.pool + ".ended";
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return {};
    // It is root's, and stays there: its time says whether it is news.
    const std::string stamp = std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec);
    const std::string mark = state + "/alerts.ended";
    std::string before;
    clear_way(mark);
    std::getline(std::ifstream(mark) >> std::ws, before);
    if (before == stamp) return {};
    std::ofstream(mark) << stamp << "\n";
    std::string text;
    std::getline(std::ifstream(path) >> std::ws, text);
    return {notice("worker", text)};
}

int run(const Arguments& arguments) {
    config::Sources sources;
    sources.pool = arguments.pool;
    sources.file = arguments.config;
    sources.environment = config::of_process();
    sources.database_required = false;
    sources.may_be_functions = true;
    const auto loaded = config::load(sources);
    if (!loaded) return complain(loaded.error().message, code_config);
    const config::Config& config = loaded->config;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (arguments.test) return test(config, arguments.json);
    if (!config.alerts.any() && alerts::alive_urls(config).empty()) return 0;
    Call call{config.pool, arguments.state, "", {}, arguments.ended};
    if (arguments.ended) {
        if (const char* given = std::getenv("STATE_DIRECTORY"); call.state_directory.empty() && given != nullptr)
            call.state_directory = given;
        call.notices = how_it_ended(config, call.state_directory);
    } else {
        std::string line;
        std::getline(std::cin, line);
        call.notices = alerts::notices_from(line);
        call.memory.assign(std::istreambuf_iterator<char>(std::cin), {});
    }
    const auto answer = send(config, call);
    if (!answer) {
        std::printf("%s", answer.error().message.c_str());  // the worker logs what is not JSON
        return complain(answer.error().message, arguments.ended ? code_try_again : 1);
    }
    std::printf("%s\n", answer->json.c_str());
    return answer->all_sent || !arguments.ended ? 0 : code_try_again;
}

}  // namespace
}  // namespace dormouse::alert_sender

int main(int argc, char** argv) {
    using namespace dormouse::alert_sender;
    dormouse::open_standard_files();
    ::prctl(PR_SET_DUMPABLE, 0);  // handlers have our account, and we hold a password
    ::umask(077);
    std::signal(SIGPIPE, SIG_IGN);
    ::alarm(longest_life_s);
    const auto arguments = parse(std::vector<std::string>(argv + 1, argv + argc));
    if (!arguments)
        return complain("usage: dormouse-alert [--test [--json] | --ended] [--config FILE] [--state DIR] POOL",
                        code_usage);
    return run(*arguments);
}
