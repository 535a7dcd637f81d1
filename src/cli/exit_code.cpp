#include "cli/exit_code.h"

#include "cli/text.h"

namespace dormouse::cli {

namespace {

Exit exit_of(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::transient:
        case ErrorKind::disconnected:
        case ErrorKind::conflict:
            return Exit::unreachable;
        case ErrorKind::invalid:
            return Exit::usage;
        case ErrorKind::denied:
            return Exit::denied;
        case ErrorKind::incompatible:
            return Exit::schema;
        case ErrorKind::internal:
            return Exit::internal;
    }
    return Exit::internal;
}

}  // namespace

Failure from(const Error& error) {
    return {exit_of(error.kind), error.message};
}

Outcome if_told(const Outcome& outcome, const std::string& done) {
    const std::string trouble = stdout_trouble();
    if (trouble.empty() || !outcome) return outcome;
    return give_up(Exit::output, done + ", but " + trouble);
}

}  // namespace dormouse::cli
