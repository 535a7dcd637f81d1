// The whole way: a worker that executes what is queued, by a function that does nothing, until so many are done.
// worker URL COUNT CONCURRENCY [LEVEL] → one line of JSON. The times of the threads come from /proc.
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
    const bool logs = argc > 4 && std::string(argv[4]) == "info";
    std::atomic<long> called{0};
    std::atomic<bool> idle{false};
    std::string loop_thread;
    dormouse::Worker worker{{.pool = "bench",
                             .overrides = {"database.url=" + url, "worker.concurrency=" + concurrency},
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
    const auto begin = std::chrono::steady_clock::now();
    worker.start();
    while (called < count || !idle) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    const double loop_cpu = cpu_seconds(loop_thread);
    double others = 0;
    int threads = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
        ++threads;
        if (entry.path().filename() != loop_thread) others += cpu_seconds(entry.path().filename());
    }
    std::printf(R"({"what": "with Postgres", "runs": %ld, "concurrency": %s, "seconds": %.2f, "runs_per_s": %.0f, )"
                R"("cpu_s_loop": %.2f, "cpu_s_other_threads": %.2f, "threads": %d})"
                "\n",
                count, concurrency.c_str(), took.count(), static_cast<double>(count) / took.count(), loop_cpu, others,
                threads);
    return worker.stop(std::chrono::seconds(20)) ? 0 : 1;
}
