// Spool files: what is good is JSON with a task, whatever of it has been written until now is only truncated, and what
// is wrong has a reason that can be shown. Their names: the id that is put into one is found in it.
#include <string>

#include "fuzz.h"
#include "handlers/json_text.h"
#include "spool/entry.h"

using namespace dormouse;
using namespace dormouse::spool;
using fuzz::require;

namespace {

const std::vector<std::string> queues{"default", "mail"};

void check_text(const std::string& text) {
    const Judged judged = judge(text, queues);
    require((judged.kind == Judged::Kind::good) == judged.reason.empty());
    require(fuzz::is_plain(judged.reason) && judged.reason.find('\n') == std::string::npos);
    if (judged.kind != Judged::Kind::good || text.find('\0') != std::string::npos) return;
    require(handlers::is_json(text) && !handlers::members_of(text).empty());
    const std::size_t end = text.rfind('}');
    for (const std::size_t written : {end, end / 2, end / 7})
        require(judge(text.substr(0, written), queues).kind == Judged::Kind::truncated);
}

void check_name(std::string_view name) {
    if (!is_entry(name)) return require(!id_of(name));
    const Uuid id{{1, 2, 3}};
    const std::string with = with_id(name, id);
    require(with.size() <= 255 && is_entry(with) && id_of(with) == id);
}

void run(std::string_view bytes) {
    check_text(std::string(bytes));
    check_name(bytes);
    check_name(std::string(bytes) + ".json");
}

const fuzz::Target target("spool", run);

}  // namespace
