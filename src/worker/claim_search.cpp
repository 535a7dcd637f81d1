#include "worker/claim_search.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "rounds/refusal.h"

namespace dormouse::worker {
namespace {

constexpr Millis first_pause{60'000};
constexpr Millis longest_pause{3'600'000};
constexpr Millis locked_pause{1'000};

}  // namespace

void ClaimSearch::fill(store::Round& round, store::Claim claim, Time now) {
    claim.except = passed_over(now);
    switch (step_) {
        case Step::none:
            break;
        case Step::list:
            round.candidates = std::move(claim);
            break;
        case Step::halves:
            round.claim_ids = store::ClaimIds{halves_.next(), claim.payload_bytes, true};
            break;
        case Step::bare:
            round.claim_ids = store::ClaimIds{{halves_.guilty()}, claim.payload_bytes, false};
            break;
        case Step::refuse:
            round.refuse = store::Refusal{halves_.guilty(), refusal_class(why_, "payload_rejected"),
                                          "the database does not let this run be claimed: " + why_.message};
            break;
    }
}

/// The next group, or the end of the search.
void ClaimSearch::settle() {
    step_ = halves_.active() ? Step::halves : Step::none;
}

void ClaimSearch::answered(store::Answer& answer) {
    for (const store::ClaimedRun& run : answer.claimed) {
        if (run.held.fence != 0) continue;
        why_.message = "it was set back in the moment in which it was claimed";
        pass_over(run.held.id, BootClock::now());
    }
    std::erase_if(answer.claimed, [](const auto& run) { return run.held.fence == 0; });
    switch (step_) {
        case Step::none:
            return;
        case Step::list:
            if (!answer.candidates.empty()) halves_.suspect(std::move(answer.candidates));
            return settle();
        case Step::halves:
            halves_.passed();
            return settle();
        case Step::bare:
            for (const store::ClaimedRun& run : std::exchange(answer.claimed, {}))
                on_rejected_(run, refusal_class(why_, "payload_rejected"),
                             "the database cannot give out its payload: " + why_.message);
            return settle();
        case Step::refuse:
            if (answer.refused)
                log::event(log::Level::warning, "run_failed",
                           "it could not be claimed (" + refusal_class(why_, "payload_rejected") + "): " + why_.message,
                           {{"run_id", halves_.guilty().to_string()}});
            return settle();
    }
}

Next ClaimSearch::refused(const store::Refused& refused, Time now) {
    using Found = Bisection<Uuid>::Found;
    switch (step_) {
        case Step::none:
            begin();
            return Next::again;
        case Step::list:
            step_ = Step::none;
            return Next::everyone;
        case Step::halves: {
            const Found found = halves_.refused();
            if (found == Found::one) why_ = refused;
            step_ = found == Found::everyone ? Step::none : found == Found::one ? Step::bare : Step::halves;
            if (found == Found::one && refused.kind == ErrorKind::conflict) {  // a lock of somebody's, for long
                over_.push_back({halves_.guilty(), now + locked_pause, locked_pause});
                settle();
            }
            return found == Found::everyone ? Next::everyone : Next::again;
        }
        case Step::bare:
            step_ = Step::refuse;
            return Next::again;
        case Step::refuse:
            pass_over(halves_.guilty(), now);
            settle();
            return Next::again;
    }
    return Next::later;
}

void ClaimSearch::pass_over(const Uuid& id, Time now) {
    const auto same = [&](const Over& one) { return one.id == id; };
    const auto known = std::find_if(over_.begin(), over_.end(), same);
    const Millis pause = known == over_.end() ? first_pause : std::min(known->pause * 2, longest_pause);
    std::erase_if(over_, same);
    over_.push_back({id, now + pause, pause});
    log::event(log::Level::error, "run_passed_over",
               "a run can be neither claimed nor failed, tried again in " + std::to_string(pause.count() / 1'000) +
                   " s; see the trigger or the rule that refuses it: " + why_.message,
               {{"run_id", id.to_string()}});
}

std::vector<Uuid> ClaimSearch::passed_over(Time now) {
    std::vector<Uuid> ids;
    std::erase_if(over_, [&](const Over& one) { return now >= one.until + one.pause; });  // it was claimed meanwhile
    for (const Over& one : over_)
        if (now < one.until) ids.push_back(one.id);
    return ids;
}

}  // namespace dormouse::worker
