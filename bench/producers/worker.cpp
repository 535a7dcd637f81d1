// A worker that does nothing with each run, as cheaply as it can be done: worker FILE.
#include <dormouse/worker.h>

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    dormouse::Worker worker{{.pool = "bench", .file = argv[1], .least = dormouse::Level::warning}};
    worker.task("bench", [](dormouse::Run&) { return dormouse::Result::completed(); });
    return worker.run();
}
