// The parts of a round, one row for each: its statement, when it is wanted, its parameters, how its answer is read, the
// name of its crash points, and what is done when the database refuses it. A new part is a new row and a member of
// Round. The only place that knows sql/queries by name and by column. Pure: no session, no loop.
#pragma once

#include <bitset>
#include <cstdint>
#include <vector>

#include "postgres/session.h"
#include "store/columns.h"
#include "store/identity.h"
#include "store/round.h"

namespace dormouse::store {

enum class Part : std::uint8_t {
    enlist,
    rest,
    promise,
    arrive,
    scale,
    release_forgotten,
    patience,
    news,
    finish,
    enqueue,
    put_back,
    extend,
    held,
    rescue,
    list_lost,
    rescue_ids,
    rescue_own,
    import,
    claim,
    candidates,
    claim_ids,
    refuse,
    standing,
    waking,
    due,
    backlog,
    leave,
    retain,
    count_,
};
using Parts = std::bitset<static_cast<std::size_t>(Part::count_)>;

inline Parts parts(std::initializer_list<Part> list) {
    Parts set;
    for (const Part part : list) set.set(static_cast<std::size_t>(part));
    return set;
}
inline bool has(const Parts& set, Part part) {
    return set.test(static_cast<std::size_t>(part));
}

/// What is done about a part that is refused for what is in it. Whatever it is, the part then travels by itself until
/// it passes, and all others go on.
enum class Remedy : std::uint8_t {
    by_halves,  ///< it is about many runs: halved until the guilty one stands alone, which is then failed or put back
    later,      ///< it is about this worker: tried again after a pause that grows
};

struct PartRow {
    Part part;
    const char* name;  ///< also of its crash points, NAME.sent and NAME.answered, and in the log
    const char* sql;
    bool prepare;  ///< it comes often
    Remedy remedy;
    bool (*wanted)(const Round&);
    postgres::Params (*params)(const Round&, const Identity&, Millis lease);
    void (*read)(const postgres::Reply&, const Identity&, Answer&);
    /// The same for a Round that is careful; none: the same statement.
    const char* careful_sql = nullptr;
};

/// All rows, in the order in which their statements are sent.
const std::vector<PartRow>& part_rows();
const PartRow& row_of(Part part);

/// Those that `round` has.
Parts parts_of(const Round& round);
/// `lease`: how long a claim or an extension holds. `columns` must live as long as the session.
std::vector<postgres::Statement> statements_for(const Round& round, const Identity& identity, Millis lease,
                                                const Columns& columns);
/// `replies` are those of statements_for() of a round with these parts, in its order.
Answer answer_from(const Parts& parts, const std::vector<postgres::Reply>& replies, const Identity& identity);

/// The crash points of a round (base/crash_point.h): one for each part after it was sent, and one when its answer has
/// come and nobody knows of it yet.
void crash_after_sending(const Parts& parts);
void crash_before_telling(const Parts& parts);

}  // namespace dormouse::store
