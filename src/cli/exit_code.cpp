#include "cli/exit_code.h"

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

}  // namespace dormouse::cli
