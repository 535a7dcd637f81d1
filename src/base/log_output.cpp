#include "base/log_output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace dormouse::log {
namespace {

constexpr std::size_t most_lines = 4'000;
constexpr std::size_t most_bytes = 1U << 20U;

/// The sealed file that stands for an entry which is too large for a datagram.
UniqueFd memory_file(std::string_view bytes) {
    UniqueFd file(::memfd_create("dormouse-log", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) return {};
    if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) return {};
    return file;
}

bool is_writable_now(int fd) {
    pollfd one{fd, POLLOUT, 0};
    return ::poll(&one, 1, 0) > 0;
}

}  // namespace

void LogOutput::add(std::string line, const std::function<void()>& on_backlog) {
    drain();
    if (waiting_.empty() && lost_ == 0) {
        written_ = write_some(line);
        if (written_ == line.size()) return static_cast<void>(written_ = 0);
    }
    const bool first = waiting_.empty();
    if (lost_ > 0 || waiting_.size() >= most_lines || (waiting_bytes_ + line.size() > most_bytes && !first)) {
        ++lost_;
        return;
    }
    waiting_bytes_ += line.size();
    waiting_.push_back(std::move(line));
    if (first && on_backlog) on_backlog();
}

bool LogOutput::drain() {
    say_what_was_lost();
    while (!waiting_.empty()) {
        const std::string& line = waiting_.front();
        written_ += write_some(std::string_view(line).substr(written_));
        if (written_ < line.size()) return false;
        written_ = 0;
        waiting_bytes_ -= line.size();
        waiting_.pop_front();
        say_what_was_lost();
    }
    return true;
}

/// In the place of the lines that it speaks of. Half of the room is free then, so that it is not said for each line.
void LogOutput::say_what_was_lost() {
    if (lost_ == 0 || waiting_.size() > most_lines / 2 || waiting_bytes_ > most_bytes / 2) return;
    waiting_.push_back(lost_line_(lost_));
    waiting_bytes_ += waiting_.back().size();
    lost_ = 0;
}

void LogOutput::drain_at_the_end() {
    constexpr int tries = 50;
    for (int i = 0; i < tries && !drain(); ++i) ::poll(nullptr, 0, 10);
}

/// Whether a write waits is a flag of the open file, which others may share: a terminal's belongs to the shell, too. So
/// pipes and terminals are opened once more, for a flag of our own; where that is not allowed they are asked before
/// each write. Again whenever somebody has put something else in place of stderr.
void StandardError::look_at_it() {
    struct stat now{};
    if (::fstat(STDERR_FILENO, &now) != 0 || (now.st_dev == seen_.st_dev && now.st_ino == seen_.st_ino)) return;
    seen_ = now;
    reopened_.reset();
    way_ = S_ISSOCK(now.st_mode) ? Way::socket : Way::plain;
    if (!S_ISFIFO(now.st_mode) && ::isatty(STDERR_FILENO) != 1) return;
    reopened_.reset(::open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    way_ = reopened_.valid() ? Way::reopened : Way::asked;
}

std::size_t StandardError::write_some(std::string_view bytes) {
    look_at_it();
    std::size_t done = 0;
    while (done < bytes.size()) {
        const std::string_view rest = bytes.substr(done);
        ssize_t count = -1;
        switch (way_) {
            case Way::plain:
                count = ::write(STDERR_FILENO, rest.data(), rest.size());
                break;
            case Way::reopened:
                count = ::write(reopened_.get(), rest.data(), rest.size());
                break;
            case Way::asked:  // a pipe that is writable has room for PIPE_BUF; source: pipe(7)
                if (!is_writable_now(STDERR_FILENO)) return done;
                count = ::write(STDERR_FILENO, rest.data(), std::min<std::size_t>(rest.size(), PIPE_BUF));
                break;
            case Way::socket:
                count = ::send(STDERR_FILENO, rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
                break;
        }
        if (count >= 0) {
            done += static_cast<std::size_t>(count);
        } else if (errno == EAGAIN) {
            return done;
        } else if (errno != EINTR) {
            return bytes.size();  // nobody will ever read it
        }
    }
    return done;
}

Journal::Journal(LostLine lost_line)
    : LogOutput(std::move(lost_line)),
      path_("/run/systemd/journal/socket"),
      socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
#ifdef DORMOUSE_CRASH_POINTS
    if (const char* const other = std::getenv("DORMOUSE_JOURNAL_SOCKET")) path_ = other;
#endif
}

/// A journald that does not read, and one that is not there for the moment, are the same.
std::size_t Journal::write_some(std::string_view bytes) {
    if (send(bytes, -1)) return bytes.size();
    if (errno != EMSGSIZE && errno != ENOBUFS) return 0;
    const UniqueFd file = memory_file(bytes);
    if (!file.valid()) return bytes.size();
    return send({}, file.get()) ? bytes.size() : 0;
}

bool Journal::send(std::string_view bytes, int attached) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    path_.copy(to.sun_path, sizeof to.sun_path - 1);
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};  // NOLINT: sendmsg(2) does not write there
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
    msghdr message{};
    message.msg_name = &to;
    message.msg_namelen = sizeof to;
    if (attached < 0) {
        message.msg_iov = &part;
        message.msg_iovlen = 1;
    } else {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &attached, sizeof attached);
    }
    return ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/// With its length in front if there are line breaks in it.
void append_field(std::string& entry, std::string_view name, std::string_view value) {
    entry += name;
    if (value.find('\n') == std::string_view::npos) {
        entry += '=';
    } else {
        entry += '\n';
        std::uint64_t size = value.size();
        for (int i = 0; i < 8; ++i, size >>= 8U) entry += static_cast<char>(size & 0xFFU);
    }
    entry += value;
    entry += '\n';
}

}  // namespace dormouse::log
