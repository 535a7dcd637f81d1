#include "base/error.h"

#include <cerrno>
#include <system_error>

#include "base/limits.h"

namespace dormouse {

const char* to_string(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::transient:
            return "transient";
        case ErrorKind::disconnected:
            return "disconnected";
        case ErrorKind::conflict:
            return "conflict";
        case ErrorKind::invalid:
            return "invalid";
        case ErrorKind::denied:
            return "denied";
        case ErrorKind::incompatible:
            return "incompatible";
        case ErrorKind::internal:
            return "internal";
    }
    return "internal";
}

namespace {

ErrorKind kind_of_errno(int error_number) {
    switch (error_number) {
        case EACCES:
        case EPERM:
        case EROFS:
            return ErrorKind::denied;
        case ENOENT:
        case ENOTDIR:
        case EINVAL:
        case ELOOP:
        case ENAMETOOLONG:
        case ENOEXEC:
            return ErrorKind::invalid;
        case ECONNREFUSED:
        case ECONNRESET:
        case EPIPE:
        case ETIMEDOUT:
        case EHOSTUNREACH:
        case ENETUNREACH:
            return ErrorKind::disconnected;
        default:
            return ErrorKind::transient;
    }
}

}  // namespace

Error from_errno(int error_number, const std::string& what) {
    return Error{kind_of_errno(error_number),
                 what + ": " + std::generic_category().message(error_number) + open_files_remedy(error_number)};
}

}  // namespace dormouse
