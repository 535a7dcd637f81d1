#include "store/crash_parts.h"

#include <algorithm>

#include "base/crash_point.h"

namespace dormouse::store {
namespace {

bool has_endings(const Round& round, bool ending_runs) {
    return std::any_of(round.endings.begin(), round.endings.end(),
                       [&](const Ending& ending) { return ends_run(ending.fate) == ending_runs; });
}

}  // namespace

CrashParts::CrashParts(const Round& round)
    : promise_(round.promise),
      arrive_(round.arrive),
      release_forgotten_(round.release_forgotten),
      news_(!round.news.empty()),
      finish_(has_endings(round, true)),
      enqueue_(round.enqueues()),
      put_back_(has_endings(round, false)),
      extend_(!round.extend.empty()),
      held_(!round.ask_held.empty()),
      rescue_(round.rescue),
      imports_(!round.imports.empty()),
      claim_(round.claim > 0),
      waking_(round.ask_waking),
      due_(round.ask_due),
      leave_(round.leave),
      retain_(round.retain.has_value()) {}

void CrashParts::sent() const {
    if (promise_.enlist) crash_point("enlist.sent");
    if (promise_.withdraw) crash_point("withdraw.sent");
    if (promise_.rest) crash_point("rest.sent");
    if (promise_.give) crash_point("promise.sent");
    if (arrive_) crash_point("arrive.sent");
    if (release_forgotten_) crash_point("release_forgotten.sent");
    if (news_) crash_point("news.sent");
    if (finish_) crash_point("finish.sent");
    if (enqueue_) crash_point("enqueue.sent");
    if (put_back_) crash_point("put_back.sent");
    if (extend_) crash_point("extend.sent");
    if (held_) crash_point("held.sent");
    if (rescue_) crash_point("rescue.sent");
    if (imports_) crash_point("import.sent");
    if (claim_) crash_point("claim.sent");
    if (waking_) crash_point("waking.sent");
    if (due_) crash_point("due.sent");
    if (leave_) crash_point("leave.sent");
    if (retain_) crash_point("retain.sent");
}

void CrashParts::answered() const {
    if (promise_.enlist) crash_point("enlist.answered");
    if (promise_.withdraw) crash_point("withdraw.answered");
    if (promise_.rest) crash_point("rest.answered");
    if (promise_.give) crash_point("promise.answered");
    if (arrive_) crash_point("arrive.answered");
    if (release_forgotten_) crash_point("release_forgotten.answered");
    if (news_) crash_point("news.answered");
    if (finish_) crash_point("finish.answered");
    if (enqueue_) crash_point("enqueue.answered");
    if (put_back_) crash_point("put_back.answered");
    if (extend_) crash_point("extend.answered");
    if (held_) crash_point("held.answered");
    if (rescue_) crash_point("rescue.answered");
    if (imports_) crash_point("import.answered");
    if (claim_) crash_point("claim.answered");
    if (waking_) crash_point("waking.answered");
    if (due_) crash_point("due.answered");
    if (leave_) crash_point("leave.answered");
    if (retain_) crash_point("retain.answered");
}

}  // namespace dormouse::store
