#include "cli/new_handler.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/unique_fd.h"
#include "cli/account.h"
#include "cli/database.h"
#include "cli/new_program.h"
#include "cli/text.h"
#include "cli/try_task.h"
#include "config/load.h"

namespace dormouse::cli {
namespace {

/// NAME stands for the task, FILE for the handler, PROGRAM for the path of what it needs. With the name hello they are
/// examples/handlers.
struct Language {
    const char* name;
    const char* program;  ///< what the handler needs
    const char* package;  ///< of Debian, and of Fedora, that has it
    const char* extension;
    const char* text;
    const char* table;
};

constexpr std::array kinds{
    Language{"python", "python3", "python3", ".py", R"(from dormouse import serve, task


@task
def NAME(payload):
    return {"hello": payload["name"]}


if __name__ == "__main__":
    serve()
)",
             "handler = \"warm\"\ncommand = [\"PROGRAM\", \"FILE\"]\n"},
    Language{"node", "node", "nodejs", ".mjs",
             R"(import { serve, task } from '/usr/share/dormouse/clients/node/dormouse.js';

task('NAME', async (payload) => ({ hello: payload.name }));
serve();
)",
             "handler = \"warm\"\ncommand = [\"PROGRAM\", \"FILE\"]\n"},
    Language{"shell", "jq", "jq", ".sh", R"(#!/bin/bash
# The payload is on stdin, stdout is the result, stderr the log; 75 is "retry later".
set -euo pipefail
name=$(jq --raw-output .name)
say() { echo "$1" >&"${DORMOUSE_CONTROL_FD:-2}"; }

[ -n "$name" ] || exit 75
say '{"type":"progress","fraction":0.5,"text":"greets"}'
jq --null-input --compact-output --arg name "$name" '{hello: $name}'
)",
             "command = [\"FILE\"]\n"},
};

std::string filled(std::string text, const std::string& word, const std::string& value) {
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + value.size()))
        text.replace(at, word.size(), value);
    return text;
}

/// The name of a function in each language, and of a file.
bool can_be_name(const std::string& name) {
    return !name.empty() && name.size() <= 63 && (name[0] < '0' || name[0] > '9') &&
           name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

Failure why_not_written(int reason, const std::string& path) {
    Failure failure = from(from_errno(reason, path));
    if (reason == EACCES) failure.message += "; only root may write there: " + command_as_root();
    if (reason == EEXIST) failure = {Exit::config, path + " is there already, and is not written over"};
    return failure;
}

Try<void> write(const std::string& path, const std::string& text, int flags, mode_t mode) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | flags, mode));
    if (!file.valid()) return tl::unexpected(why_not_written(errno, path));
    if ((flags & O_CREAT) != 0 && ::fchmod(file.get(), mode) != 0) return tl::unexpected(why_not_written(errno, path));
    // in one piece: a worker may be reading
    if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        return tl::unexpected(why_not_written(errno, path));
    return {};
}

/// The pool's file, which can be used and does not have the task.
Try<std::string> file_for(const NewOptions& options) {
    config::Sources sources;
    sources.pool = options.pool;
    sources.environment = without_database(config::of_process());
    sources.database_required = false;
    const auto loaded = config::load(sources);
    if (!loaded && loaded.error().kind == ErrorKind::denied)
        return give_up(Exit::denied, loaded.error().message + ": " + command_as_root());
    if (!loaded) return give_up(Exit::config, loaded.error().message);
    const std::string file = config::file_of(sources);
    if (loaded->config.file.empty())
        return give_up(Exit::config, "there is no pool " + options.pool + " (" + file + "): dormouse setup makes one");
    if (loaded->config.tasks.contains(options.name))
        return give_up(Exit::config, file + " has a task " + options.name + " already");
    if (::access(file.c_str(), W_OK) != 0) return tl::unexpected(why_not_written(errno, file));
    return file;
}

Try<int> make(const NewOptions& options) {
    if (options.kind == "cpp" && can_be_name(options.name) && options.directory.starts_with('/')) {
        const auto made = new_program(options);
        if (!made) return tl::unexpected(made.error());
        return static_cast<int>(*made);
    }
    const auto* const kind =
        std::find_if(kinds.begin(), kinds.end(), [&](const Language& one) { return options.kind == one.name; });
    if (kind == kinds.end() && options.kind != "cpp")
        return give_up(Exit::usage, "which kind? dormouse new python|node|shell|cpp NAME");
    if (!can_be_name(options.name))
        return give_up(Exit::usage, "the name is also a function's: lower-case letters, digits and _");
    if (!options.directory.starts_with('/'))
        return give_up(Exit::usage, "--directory: a path from /, as the worker does not start here");
    const auto pool_file = file_for(options);
    if (!pool_file) return tl::unexpected(pool_file.error());
    const std::string program = path_of_program(kind->program);
    if (program.empty())
        return give_up(Exit::config, std::string("nothing was written: a handler of the kind ") + kind->name +
                                         " needs " + kind->program + ", which is not here; install the package " +
                                         kind->package);
    if (::mkdir(options.directory.c_str(), 0755) != 0 && errno != EEXIST)
        return tl::unexpected(why_not_written(errno, options.directory));
    const std::string handler = options.directory + "/" + options.name + kind->extension;
    if (const auto done = write(handler, filled(kind->text, "NAME", options.name), O_CREAT | O_EXCL, 0755); !done)
        return tl::unexpected(done.error());
    const std::string table =
        "\n[task." + options.name + "]\n" + filled(filled(kind->table, "FILE", handler), "PROGRAM", program);
    if (const auto done = write(*pool_file, table, O_APPEND, 0); !done) return tl::unexpected(done.error());
    const std::string account = account_of_pool(options.pool);
    if (options.json) {
        print(safe_json(nlohmann::ordered_json{
                  {"task", options.name}, {"handler", handler}, {"pool", options.pool}, {"file", *pool_file}}
                            .dump()) +
              "\n");
    } else {
        print("# wrote " + handler + ", and [task." + options.name + "] in " + *pool_file + "\n" + sudo_words(account) +
              "dormouse try " + options.name + " '{\"name\": \"you\"}' --pool " + options.pool + "\n");
    }
    TryOptions attempt;
    attempt.task = options.name;
    attempt.payload = R"({"name": "you"})";
    attempt.pool = options.pool;
    attempt.json = options.json;
    return in_account(account, [&attempt] { return try_task(attempt); });
}

}  // namespace

int new_handler(const NewOptions& options) {
    const auto code = make(options);
    if (!code) {
        complain(code.error().message);
        return static_cast<int>(code.error().exit);
    }
    if (*code == 0 && !options.json && options.kind != "cpp")
        print("# next: edit the handler; an awake worker picks up the change, a sleeping pool at its next start\n");
    flush_stdout();
    return *code;
}

}  // namespace dormouse::cli
