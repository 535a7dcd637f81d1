// The log never waits for its reader, and says what was lost meanwhile. Readers are real: a pipe, a terminal, a
// datagram socket as journald's.
#include "base/log_output.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "base/log.h"
#include "base/unique_fd.h"
#include "loop/log_drain.h"
#include "support/cluster.h"

BOOST_AUTO_TEST_SUITE(log_output)

using namespace dormouse;

namespace {

/// Something else in place of stderr, as long as it lives.
class Stderr {
  public:
    explicit Stderr(int fd) : before_(::dup(STDERR_FILENO)) { ::dup2(fd, STDERR_FILENO); }
    ~Stderr() { ::dup2(before_.get(), STDERR_FILENO); }
    Stderr(const Stderr&) = delete;
    Stderr& operator=(const Stderr&) = delete;

  private:
    UniqueFd before_;
};

struct Pipe {
    Pipe() {
        std::array<int, 2> ends{};
        BOOST_REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
        read.reset(ends[0]);
        write.reset(ends[1]);
        ::fcntl(read.get(), F_SETFL, O_NONBLOCK);
    }
    UniqueFd read;
    UniqueFd write;
};

std::string read_all(int fd) {
    std::string text;
    std::array<char, 65'536> chunk{};
    for (ssize_t count = 0; (count = ::read(fd, chunk.data(), chunk.size())) > 0;)
        text.append(chunk.data(), static_cast<std::size_t>(count));
    return text;
}

std::size_t count_of(const std::string& text, const std::string& what) {
    std::size_t count = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
    return count;
}

std::size_t number_before(const std::string& text, const std::string& words) {
    const auto end = text.find(words);
    if (end == std::string::npos) return 0;
    return std::stoul(text.substr(text.rfind(' ', end - 1) + 1));
}

void say(int times, const std::string& text = "text") {
    for (int i = 0; i < times; ++i) log::event(log::Level::info, "said", text, {{"number", std::to_string(i)}});
}

boost::test_tools::assertion_result is_root(boost::unit_test::test_unit_id) {
    boost::test_tools::assertion_result answer(::geteuid() == 0);
    answer.message() << "only root can become somebody else";
    return answer;
}

/// As journald's socket, and this process's stderr is what systemd says the journal is.
class JournalReader {
  public:
    JournalReader()
        : path_(directory_.path() + "/socket"),
          socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
          null_(::open("/dev/null", O_WRONLY | O_CLOEXEC)),
          stderr_(null_.get()) {
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        path_.copy(at.sun_path, sizeof at.sun_path - 1);
        BOOST_REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);  // NOLINT
        struct stat status{};
        ::fstat(STDERR_FILENO, &status);
        ::setenv("JOURNAL_STREAM", (std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino)).c_str(), 1);
        ::setenv("DORMOUSE_JOURNAL_SOCKET", path_.c_str(), 1);
    }
    ~JournalReader() {
        ::unsetenv("JOURNAL_STREAM");
        ::unsetenv("DORMOUSE_JOURNAL_SOCKET");
    }
    JournalReader(const JournalReader&) = delete;
    JournalReader& operator=(const JournalReader&) = delete;

    /// One entry; empty: there is none.
    std::string entry() {
        std::string bytes(300'000, '\0');
        iovec part{bytes.data(), bytes.size()};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t count = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
        if (count < 0) return {};
        const cmsghdr* const header = CMSG_FIRSTHDR(&message);
        if (header == nullptr) return bytes.substr(0, static_cast<std::size_t>(count));
        int file = -1;
        std::copy_n(CMSG_DATA(header), sizeof file, reinterpret_cast<unsigned char*>(&file));  // NOLINT
        const UniqueFd owner(file);
        BOOST_TEST(::fcntl(file, F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL));
        ::lseek(file, 0, SEEK_SET);
        return read_all(file);
    }
    std::string entries() {
        std::string all;
        for (std::string one = entry(); !one.empty(); one = entry()) all += one;
        return all;
    }

  private:
    testing::TemporaryDirectory directory_;
    std::string path_;
    UniqueFd socket_;
    UniqueFd null_;
    Stderr stderr_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_line_has_its_time_its_level_and_its_fields_and_drives_no_terminal) {
    const Pipe pipe;
    {
        const Stderr to(pipe.write.get());
        const log::OfThisThread sinks(log::Level::info);
        log::event(log::Level::debug, "not_said", "below the level");
        log::event(log::Level::warning, "said", "a\u009b31m \u202eb\x1b[2J", {{"task", "x\ny\u200b"}});
    }
    const std::string text = read_all(pipe.read.get());
    const std::string tail = " warning said: a\\u009b31m \\u202eb\\x1b[2J task=x\\ny\\u200b\n";
    BOOST_TEST(text.substr(29) == tail);
    BOOST_TEST(text.substr(10, 1) + text.substr(19, 1) + text.substr(26, 1) == "T.:");
}

BOOST_AUTO_TEST_CASE(a_pipe_that_nobody_reads_holds_nobody_up_and_what_was_lost_is_said_in_its_place) {
    const Pipe pipe;
    const Stderr to(pipe.write.get());
    const log::OfThisThread sinks(log::Level::info);
    int backlogs = 0;
    log::on_backlog([&] { ++backlogs; });
    say(20'000);
    BOOST_TEST(backlogs == 1);
    BOOST_TEST((::fcntl(pipe.write.get(), F_GETFL) & O_NONBLOCK) == 0);  // others write there, too
    std::string text;
    do text += read_all(pipe.read.get());
    while (!log::drain());
    say(1, "afterwards");
    text += read_all(pipe.read.get());
    const std::size_t lost = number_before(text, " lines of the log were lost: the reader of stderr did not read");
    BOOST_TEST(lost > 0U);
    BOOST_TEST(count_of(text, "said: text") + lost == 20'000U);
    BOOST_TEST(count_of(text, "log_lost") == 1U);
    BOOST_TEST(text.find("log_lost") < text.find("afterwards"));
    BOOST_TEST(count_of(text, "\n") == count_of(text, "said: ") + 1);  // each on a line of its own
}

BOOST_AUTO_TEST_CASE(a_pipe_of_somebody_else_that_cannot_be_opened_again_holds_nobody_up,
                     *boost::unit_test::precondition(is_root)) {
    const Pipe pipe;
    const Stderr to(pipe.write.get());
    BOOST_REQUIRE(::seteuid(65'534) == 0);
    std::string text;
    {
        const log::OfThisThread sinks(log::Level::info);
        say(10'000, std::string(500, 'x'));
        do text += read_all(pipe.read.get());
        while (!log::drain());
    }
    BOOST_REQUIRE(::seteuid(0) == 0);
    text += read_all(pipe.read.get());
    BOOST_TEST(count_of(text, "said: x") + number_before(text, " lines of the log were lost") == 10'000U);
}

BOOST_AUTO_TEST_CASE(a_socket_that_nobody_reads_holds_nobody_up) {
    std::array<int, 2> ends{};
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    const UniqueFd reader(ends[0]);
    const UniqueFd writer(ends[1]);
    ::fcntl(reader.get(), F_SETFL, O_NONBLOCK);
    const Stderr to(writer.get());
    const log::OfThisThread sinks(log::Level::info);
    say(10'000, std::string(3'000, 'x'));
    std::string text;
    do text += read_all(reader.get());
    while (!log::drain());
    text += read_all(reader.get());
    BOOST_TEST(count_of(text, "said: x") + number_before(text, " lines of the log were lost") == 10'000U);
}

BOOST_AUTO_TEST_CASE(a_terminal_that_is_stopped_holds_nobody_up) {
    int master = -1;
    int slave = -1;
    BOOST_REQUIRE(::openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
    const UniqueFd screen(master);
    const UniqueFd terminal(slave);
    ::fcntl(master, F_SETFL, O_NONBLOCK);
    BOOST_REQUIRE(::tcflow(slave, TCOOFF) == 0);  // Ctrl-S
    const Stderr to(slave);
    const log::OfThisThread sinks(log::Level::info);
    say(100);
    BOOST_TEST((::fcntl(slave, F_GETFL) & O_NONBLOCK) == 0);  // the shell's
    BOOST_TEST(read_all(master).empty());
    BOOST_REQUIRE(::tcflow(slave, TCOON) == 0);
    std::string text;
    do text += read_all(master);
    while (!log::drain());
    text += read_all(master);
    BOOST_TEST(count_of(text, "said: text") == 100U);
}

BOOST_AUTO_TEST_CASE(on_a_terminal_a_traceback_has_its_lines_and_drives_nothing) {
    int master = -1;
    int slave = -1;
    BOOST_REQUIRE(::openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
    const UniqueFd screen(master);
    const UniqueFd terminal(slave);
    ::fcntl(master, F_SETFL, O_NONBLOCK);
    const Stderr to(slave);
    const log::OfThisThread sinks(log::Level::info);
    log::event(log::Level::warning, "run_retry", "KeyError: 'a'\nTraceback\n  in b\x1b[2J", {{"run_id", "7"}});
    std::string text;
    do text += read_all(master);
    while (!log::drain());
    text += read_all(master);
    BOOST_TEST(text.substr(29) ==
               " warning run_retry: KeyError: 'a' run_id=7\r\n    Traceback\r\n      in b\\x1b[2J\r\n");
}

BOOST_AUTO_TEST_CASE(what_is_put_in_place_of_stderr_later_gets_the_log) {
    const Pipe first;
    const Pipe second;
    const log::OfThisThread sinks(log::Level::info);
    {
        const Stderr to(first.write.get());
        say(1);
    }
    const Stderr to(second.write.get());
    say(1);
    BOOST_TEST(count_of(read_all(first.read.get()), "said") == 1U);
    BOOST_TEST(count_of(read_all(second.read.get()), "said") == 1U);
}

BOOST_AUTO_TEST_CASE(lines_that_wait_go_on_by_themselves_in_a_loop) {
    const Pipe pipe;
    const Stderr to(pipe.write.get());
    const log::OfThisThread sinks(log::Level::info);
    loop::Loop loop;
    const loop::LogDrain drain(loop);
    say(1'500);
    BOOST_TEST(loop.armed_timers() == std::vector<std::string>{"log.drain"}, boost::test_tools::per_element());
    std::string text;
    while (!loop.armed_timers().empty()) {
        text += read_all(pipe.read.get());
        loop.turn();
    }
    text += read_all(pipe.read.get());
    BOOST_TEST(count_of(text, "said") == 1'500U);
}

#ifdef DORMOUSE_CRASH_POINTS  // elsewhere the journal's socket is the machine's
BOOST_AUTO_TEST_CASE(an_entry_of_the_journal_has_its_fields) {
    JournalReader journal;
    const log::OfThisThread sinks(log::Level::info);
    log::event(log::Level::error, "said", "first\nsecond", {{"run_id", "7"}});
    const std::string entry = journal.entry();
    const std::string message =
        std::string("MESSAGE\n") + '\x1b' + std::string(7, '\0') + "said: first run_id=7\nsecond\n";
    BOOST_TEST(entry.starts_with(message));
    for (const char* field :
         {"\nPRIORITY=3\n", "\nDORMOUSE_EVENT=said\n", "\nDORMOUSE_RUN_ID=7\n", "\nSYSLOG_IDENTIFIER="})
        BOOST_TEST(entry.find(field) != std::string::npos, field);
}

BOOST_AUTO_TEST_CASE(an_entry_that_is_too_large_for_a_datagram_comes_as_a_sealed_file) {
    JournalReader journal;
    const log::OfThisThread sinks(log::Level::info);
    log::event(log::Level::info, "said", std::string(1U << 20U, 'x'));
    const std::string entry = journal.entry();
    BOOST_TEST(entry.size() > (1U << 20U));
    BOOST_TEST(entry.find("DORMOUSE_EVENT=said\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_journald_that_does_not_read_holds_nobody_up_and_what_was_lost_is_said) {
    JournalReader journal;
    const log::OfThisThread sinks(log::Level::info);
    say(20'000);
    std::string text;
    do text += journal.entries();
    while (!log::drain());
    text += journal.entries();
    const std::size_t lost = number_before(text, " lines of the log were lost: journald did not read");
    BOOST_TEST(lost > 0U);
    BOOST_TEST(count_of(text, "DORMOUSE_EVENT=said") + lost == 20'000U);
    BOOST_TEST(count_of(text, "DORMOUSE_EVENT=log_lost") == 1U);
}

BOOST_AUTO_TEST_CASE(an_entry_waits_for_a_journald_that_is_not_there) {
    const JournalReader journal;
    ::setenv("DORMOUSE_JOURNAL_SOCKET", "/nonexistent/socket", 1);
    const log::OfThisThread sinks(log::Level::info);
    say(1);
    BOOST_TEST(!log::drain());
}
#endif

BOOST_AUTO_TEST_SUITE_END()
