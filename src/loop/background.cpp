#include "loop/background.h"

#include <atomic>
#include <system_error>
#include <thread>
#include <utility>

#include "base/signals_blocked.h"

namespace dormouse::loop {
namespace {

struct Piece {
    uv_work_t uv{};
    Turns* turns = nullptr;
    std::function<void()> work;
};

std::atomic<int> at_work_now{0};  // NOLINT: of the whole process

}  // namespace

void in_background(Loop& loop, std::function<void()> work) {
    auto piece = std::make_unique<Piece>(Piece{{}, &loop.turns(), std::move(work)});
    piece->uv.data = piece.get();
    const int status = uv_queue_work(
        loop.get(), &piece->uv, [](uv_work_t* uv) { static_cast<Piece*>(uv->data)->work(); },
        [](uv_work_t* uv, int) {
            const std::unique_ptr<Piece> done(static_cast<Piece*>(uv->data));
            done->turns->changed();
        });
    if (status == 0) (void)piece.release();  // libuv gives it back to the callback above
}

AtWork::AtWork() {
    ++at_work_now;
}

AtWork::~AtWork() {
    --at_work_now;
}

int AtWork::threads() {
    return at_work_now;
}

Background::Background(Loop& loop) : knock_(loop, [this] { finished(); }) {}

Background::~Background() {
    abandon();
}

bool Background::start(std::unique_ptr<Job>& job) {
    auto shared = std::make_shared<Shared>();
    shared->knock = &knock_;
    shared->job = std::move(job);
    const SignalsBlocked inherited;
    try {
        std::thread([shared, at_work = std::make_unique<AtWork>()]() mutable {
            shared->job->work();
            {
                const std::lock_guard lock(shared->mutex);
                shared->worked = true;
                if (shared->knock != nullptr) shared->knock->knock();
            }
            shared.reset();
            at_work.reset();
        }).detach();
    } catch (const std::system_error&) {
        job = std::move(shared->job);
        return false;
    }
    shared_ = std::move(shared);
    return true;
}

void Background::abandon() {
    if (const auto shared = std::exchange(shared_, nullptr)) {
        const std::lock_guard lock(shared->mutex);
        shared->knock = nullptr;
    }
}

// A knock may be that of a job that was abandoned, while the next one is at work.
void Background::finished() {
    const auto worked = [this] {
        const std::lock_guard lock(shared_->mutex);
        return shared_->worked;
    };
    if (!shared_ || !worked()) return;
    const std::unique_ptr<Job> job = std::move(std::exchange(shared_, nullptr)->job);
    job->done();
}

}  // namespace dormouse::loop
