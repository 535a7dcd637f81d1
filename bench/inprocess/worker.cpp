// The whole way: a worker that executes what is queued, by a function that does nothing, until so many are done.
// worker URL COUNT CONCURRENCY|default [info|points|stamps [SECONDS]] → one line of JSON. The times of the threads come
// from /proc. The task `echo` has its payload as its result. points: a line every 0.1 s of how far it is. stamps: "SENT
// STARTED" in ns of CLOCK_MONOTONIC for each run of the task `stamp`, {"sent": "SENT"}, until the end of the input.
#include <dormouse/worker.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace {

double cpu_seconds(const std::string& task) {
    std::ifstream file("/proc/self/task/" + task + "/stat");
    std::string text;
    std::getline(file, text);
    long user = 0;
    long system = 0;
    // fields 14 and 15, counted from the closing parenthesis of the name
    std::sscanf(text.c_str() + text.rfind(')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user,
                &system);
    return static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) return 2;
    const std::string url = argv[1];
    const long count = std::atol(argv[2]);
    const std::string concurrency = argv[3];
    const std::string mode = argc > 4 ? argv[4] : "";
    const bool logs = mode == "info";
    const double limit = argc > 5 ? std::atof(argv[5]) : 1e9;  // then it ends, with what is done by then
    std::atomic<long> called{0};
    std::atomic<bool> idle{false};
    std::string loop_thread;
    std::vector<std::string> overrides{"database.url=" + url};
    if (concurrency != "default") overrides.push_back("worker.concurrency=" + concurrency);
    dormouse::Worker worker{{.pool = "bench",
                             .overrides = overrides,
                             .least = dormouse::Level::debug,
                             .log = [&](const dormouse::LogEvent& event) {
                                 if (loop_thread.empty()) loop_thread = std::to_string(::gettid());
                                 if (event.name == "state") idle = event.text.find("-> idle") != event.text.npos;
                                 if (logs && event.name != "state")
                                     std::fprintf(stderr, "%.*s\n", int(event.text.size()), event.text.data());
                             }}};
    worker.task("nothing", [&](dormouse::Run&) {
        ++called;
        return dormouse::Result::completed();
    });
    worker.task("echo", [&](dormouse::Run& run) {
        ++called;
        return dormouse::Result::json(std::string(run.payload()));
    });
    worker.task("stamp", [&](dormouse::Run& run) {
        const auto now = std::chrono::steady_clock::now().time_since_epoch();
        long long sent = 0;
        std::sscanf(run.payload().data(), R"({"sent": "%lld)", &sent);
        std::printf("%lld %lld\n", sent, static_cast<long long>(std::chrono::nanoseconds(now).count()));
        std::fflush(stdout);
        return dormouse::Result::completed();
    });
    const auto begin = std::chrono::steady_clock::now();
    const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin); };
    worker.start();
    if (mode == "stamps") {
        while (std::getchar() != EOF) continue;
        return worker.stop(std::chrono::seconds(20)) ? 0 : 1;
    }
    double first = 0;
    const auto all_done = [&] { return (called >= count && idle) || elapsed().count() > limit; };
    for (double last = 0; !all_done(); std::this_thread::sleep_for(std::chrono::milliseconds(5))) {
        if (called > 0 && first == 0) first = elapsed().count();
        if (mode != "points" || elapsed().count() - last < 0.1) continue;
        last = elapsed().count();
        std::printf("{\"at_s\": %.3f, \"done\": %ld}\n", last, called.load());
    }
    const std::chrono::duration<double> took = elapsed();
    const long done = called;
    const double loop_cpu = cpu_seconds(loop_thread);
    double others = 0;
    int threads = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
        ++threads;
        if (entry.path().filename() != loop_thread) others += cpu_seconds(entry.path().filename());
    }
    std::printf(
        R"({"what": "with Postgres", "runs": %ld, "concurrency": "%s", "seconds": %.3f, "first_s": %.3f, "runs_per_s": %.0f, )"
        R"("cpu_s_loop": %.2f, "cpu_s_other_threads": %.2f, "threads": %d})"
        "\n",
        done, concurrency.c_str(), took.count(), first, static_cast<double>(done) / took.count(), loop_cpu, others,
        threads);
    return worker.stop(std::chrono::seconds(20)) ? 0 : 1;
}
