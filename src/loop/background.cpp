#include "loop/background.h"

#include <memory>

namespace dormouse::loop {
namespace {

struct Job {
    uv_work_t uv{};
    Turns* turns = nullptr;
    std::function<void()> work;
};

}  // namespace

void in_background(Loop& loop, std::function<void()> work) {
    auto job = std::make_unique<Job>(Job{{}, &loop.turns(), std::move(work)});
    job->uv.data = job.get();
    const int status = uv_queue_work(
        loop.get(), &job->uv, [](uv_work_t* uv) { static_cast<Job*>(uv->data)->work(); },
        [](uv_work_t* uv, int) {
            const std::unique_ptr<Job> done(static_cast<Job*>(uv->data));
            done->turns->changed();
        });
    if (status == 0) (void)job.release();  // libuv gives it back to the callback above
}

}  // namespace dormouse::loop
