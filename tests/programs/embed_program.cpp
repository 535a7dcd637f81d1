// A program that links libdormouse: `embed_program FILE` is a worker with that configuration, alone in its process.
#include <dormouse/worker.h>
#include <unistd.h>

#include <cstdio>

int main(int /*argc*/, char** argv) {
    dormouse::Worker worker{{.pool = "embedded", .file = argv[1]}};
    worker.task("echo", [](dormouse::Run& run) { return dormouse::Result::json(std::string(run.payload())); });
    worker.task("stubborn", [](dormouse::Run& run) {
        run.log(dormouse::Level::info, "at work for ever");
        while (true) ::pause();
        return dormouse::Result::completed();
    });
    return worker.run();
}
