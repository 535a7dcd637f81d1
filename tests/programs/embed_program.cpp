// A program that links libdormouse: `embed_program FILE` is a worker with that configuration, alone in its process.
#include <dormouse/worker.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace {

/// Leaves a mark in the directory that the payload names, then waits until somebody opens the gate there.
dormouse::Result gated(dormouse::Run& run) {
    const std::string directory(run.payload().substr(1, run.payload().size() - 2));
    std::ostringstream mark;  // one write for a line
    mark << run.id() << ' ' << run.fence() << ' ' << ::getpid() << '\n';
    std::ofstream(directory + "/marks", std::ios::app) << mark.str();
    std::ifstream(directory + "/gate");  // opening it waits
    return dormouse::Result::json('"' + std::string(run.fence()) + '"');
}

}  // namespace

int main(int /*argc*/, char** argv) {
    dormouse::Worker worker{{.pool = "embedded", .file = argv[1]}};
    worker.task("echo", [](dormouse::Run& run) { return dormouse::Result::json(std::string(run.payload())); });
    worker.task("gated", gated);
    worker.task("stubborn", [](dormouse::Run& run) {
        run.log(dormouse::Level::info, "at work for ever");
        while (true) ::pause();
        return dormouse::Result::completed();
    });
    return worker.run();
}
