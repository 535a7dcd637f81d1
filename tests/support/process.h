// Running a program as a test does: arguments, stdin, environment and a deadline in; stdout, stderr and the
// exit code out. The output is taken while it runs, so that a test can wait for a line of it. A program that
// outlives its deadline or its owner is killed. Used by tests only, from one thread each.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace dormouse::testing {

struct Program {
    std::vector<std::string> argv;  ///< argv[0] is a path or is looked up in PATH
    std::string input;              ///< all of stdin
    /// Instead of the test's own, but for PATH, HOME, LANG, TMPDIR and what sanitizers want. TZ is UTC unless
    /// it is here.
    std::map<std::string, std::string> environment;
    std::string directory;    ///< empty: the test's own
    Millis deadline{30'000};  ///< from the start; then SIGKILL
};

struct Ended {
    int exit_code = -1;  ///< -1: did not exit by itself
    int signal = 0;      ///< 0: none
    bool timed_out = false;
    std::string out;
    std::string err;
};

class Process {
  public:
    /// Starts it. A program that cannot be started ends with exit code 127, as in a shell.
    explicit Process(Program program);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    /// True as soon as stdout (or stderr) holds `text`; false when it ended or its deadline passed without.
    bool saw(const std::string& text);
    bool saw_error(const std::string& text);
    /// True as soon as it is so, which is asked now and whenever it has written something; false as above.
    bool until(const std::function<bool()>& happened);
    void signal(int number) const;
    /// Waits for the end. Call it once. Throws when a sanitizer has written to stderr.
    Ended wait();

  private:
    /// Reads what there is, waits for more if there is none. False: both outputs are closed or time is up.
    bool pump();

    pid_t pid_ = -1;
    UniqueFd in_;
    UniqueFd out_;
    UniqueFd err_;
    std::string input_;
    BootClock::time_point end_;
    Ended ended_;
};

/// Starts it and waits for its end.
Ended run(Program program);

/// The dormouse program with these arguments.
Program cli_program(std::vector<std::string> arguments, std::map<std::string, std::string> environment,
                    std::string input = {});

}  // namespace dormouse::testing
