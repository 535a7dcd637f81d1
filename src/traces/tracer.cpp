#include "traces/tracer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/unique_fd.h"

namespace dormouse::traces {
namespace {

/// Whether somebody was cut off in the middle of a line: this process before, or another.
bool ends_within_a_line(const std::string& path, int file) {
    struct stat about{};
    if (::fstat(file, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size == 0) return false;
    const UniqueFd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    char last = '\n';
    return reader.valid() && ::pread(reader.get(), &last, 1, about.st_size - 1) == 1 && last != '\n';
}

/// 0, or why not. `written`: how much of it.
int write_all(int file, std::string_view text, std::size_t& written) {
    for (written = 0; written < text.size();) {
        const ssize_t count = ::write(file, text.data() + written, text.size() - written);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return count < 0 ? errno : ENOSPC;
        written += static_cast<std::size_t>(count);
    }
    return 0;
}

std::string spans_text(std::size_t spans) {
    return std::to_string(spans) + (spans == 1 ? " span" : " spans");
}

}  // namespace

/// Lines go to the file, on a thread made for it.
class Tracer::Writing final : public loop::Job {
  public:
    Writing(Tracer& tracer, std::vector<Line> lines)
        : tracer_(tracer), path_(tracer.path_), cut_(tracer.cut_), lines_(std::move(lines)) {}

    void work() override {
        constexpr mode_t readable_for_the_group = 0640;
        // Neither a FIFO without a reader nor one that is full is waited for.
        const UniqueFd file(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                                   readable_for_the_group));
        int failure = file.valid() ? 0 : errno;
        std::size_t written = 0;
        if (failure == 0 && (cut_ || ends_within_a_line(path_, file.get()))) {
            failure = write_all(file.get(), "\n", written);
            cut_ = failure != 0;
        }
        for (const Line& line : lines_) {
            if (failure == 0) {
                failure = write_all(file.get(), line.text, written);
                if (failure != 0 && written > 0) cut_ = true;
            }
            if (failure != 0) dropped_ += line.spans;
        }
        if (failure == ENXIO)
            why_ = path_ + ": nobody reads it";
        else if (failure != 0)
            why_ = path_ + ": " + std::strerror(failure);  // NOLINT(concurrency-mt-unsafe): glibc's is safe
    }
    void done() override { tracer_.on_written(dropped_, why_, cut_); }

  private:
    Tracer& tracer_;  ///< by done() alone
    std::string path_;
    bool cut_;
    std::vector<Line> lines_;
    std::size_t dropped_ = 0;
    std::string why_;
};

Tracer::Tracer(loop::Loop& loop, Source source, Tell tell)
    : source_(std::move(source)),
      tell_(std::move(tell)),
      background_(loop),
      gather_(loop, "traces.gather"),
      limit_(loop, "traces.limit") {}

void Tracer::add(const Context& context, const Attempt& attempt) {
    std::string span = to_json(context, attempt);
    if (bytes_ + span.size() > most_waiting) {
        drop(1, path_ + ": it is written too slowly");
        return tell_dropped();
    }
    bytes_ += span.size();
    waiting_.push_back(std::move(span));
    if (background_.at_work() || done_) return;
    if (bytes_ >= most_in_a_line) return write();
    if (!gather_.armed()) gather_.once(gather, [this] { write(); });
}

void Tracer::write() {
    gather_.stop();
    std::vector<Line> lines;
    std::vector<std::string> spans;
    std::size_t bytes = 0;
    const auto end_line = [&] {
        if (!spans.empty()) lines.push_back({line_of(source_, spans), spans.size()});
        spans.clear();
        bytes = 0;
    };
    for (std::string& span : waiting_) {
        if (bytes + span.size() > most_in_a_line) end_line();
        bytes += span.size();
        spans.push_back(std::move(span));
    }
    end_line();
    std::size_t count = waiting_.size();
    waiting_.clear();
    bytes_ = 0;
    std::unique_ptr<loop::Job> job = std::make_unique<Writing>(*this, std::move(lines));
    if (background_.start(job)) return;
    on_written(count, "no thread can be made for " + path_, cut_);
}

void Tracer::on_written(std::size_t dropped, const std::string& why, bool cut) {
    cut_ = cut;
    if (dropped > 0) {
        drop(dropped, why);
        tell_dropped();
    } else if (std::exchange(failing_, false)) {
        const std::string lost = dropped_ > 0 ? "; " + spans_text(dropped_) + " more were dropped meanwhile" : "";
        tell_(false, path_ + ": spans are written again" + lost);
        dropped_ = 0;
        told_.clear();
    }
    if (done_) return waiting_.empty() ? finished() : write();
    if (!waiting_.empty() && !gather_.armed()) gather_.once(gather, [this] { write(); });
}

void Tracer::drop(std::size_t spans, const std::string& why) {
    failing_ = true;
    dropped_ += spans;
    why_ = why;
}

/// At once, and then every ten minutes as long as it is for the same reason.
void Tracer::tell_dropped() {
    if (dropped_ == 0 || (told_ == why_ && since(told_at_) < between_warnings)) return;
    told_ = why_;
    told_at_ = BootClock::now();
    tell_(true, spans_text(std::exchange(dropped_, 0)) + " dropped: " + why_);
}

void Tracer::finish(std::function<void()> done) {
    gather_.stop();
    done_ = std::move(done);
    limit_.once(longest_finish, [this] {
        if (background_.at_work()) drop(waiting_.size(), path_ + ": it is written too slowly");
        background_.abandon();
        finished();
    });
    if (background_.at_work()) return;
    waiting_.empty() ? finished() : write();
}

void Tracer::finished() {
    limit_.stop();
    told_.clear();
    tell_dropped();
    std::exchange(done_, nullptr)();
}

}  // namespace dormouse::traces
