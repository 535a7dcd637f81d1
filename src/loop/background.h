// Work off the loop's thread, for system calls that wait for the kernel or for a disk.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "loop/async.h"
#include "loop/loop.h"

namespace dormouse::loop {

/// Runs `work` once on a thread of libuv's pool; nothing comes back. It must not touch what the loop's thread may
/// change meanwhile, and has to end soon: the loop stays alive until it is done. Source: uv_queue_work.
void in_background(Loop& loop, std::function<void()> work);

/// On a thread that may never end: it is counted, as long as this lives.
class AtWork {
  public:
    AtWork();
    ~AtWork();
    AtWork(const AtWork&) = delete;
    AtWork& operator=(const AtWork&) = delete;

    /// Threads of this process that are counted now. A program that ends meanwhile has to do so by _exit(2): they may
    /// use what exit(3) takes down.
    [[nodiscard]] static int threads();
};

/// Work that may never end, and what it brings back. It owns all that work() touches.
class Job {
  public:
    Job() = default;
    virtual ~Job() = default;
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;

    /// On a thread of its own. Throws nothing.
    virtual void work() = 0;
    /// On the loop's thread, after work(); never, if it was abandoned.
    virtual void done() = 0;
};

/// Does one job at a time, each on a thread made for it. Not on one of libuv's four: a name resolution must not wait
/// for a disk that hangs, and neither may the end of the loop or of the process, which wait for those.
class Background {
  public:
    explicit Background(Loop& loop);
    /// As abandon().
    ~Background();
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;

    /// Takes `job`, which must be the only one. False: no thread can be made (a limit on processes or memory), and
    /// `job` stays where it is.
    [[nodiscard]] bool start(std::unique_ptr<Job>& job);
    /// Forgets the job that is at work: it is deleted on its own thread, once work() has ended.
    void abandon();
    [[nodiscard]] bool at_work() const { return shared_ != nullptr; }

  private:
    /// What the two threads have in common; the last of them deletes it.
    struct Shared {
        std::unique_ptr<Job> job;  ///< the thread's, until `worked`
        std::mutex mutex;
        // guarded by mutex
        Async* knock = nullptr;  ///< none: abandoned
        bool worked = false;
    };
    void finished();

    std::shared_ptr<Shared> shared_;  ///< none: nothing is at work
    Async knock_;
};

}  // namespace dormouse::loop
