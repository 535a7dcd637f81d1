// What the worker does about its promise to look again (promise.h says when).
#include "worker/worker.h"

namespace dormouse::worker {

/// What the promise asks of the round that is being made. Not of the first one, which is the claim alone.
void Worker::add_promise(store::Round& round, BootClock::time_point now) const {
    const store::PromiseAct wanted = promise_.wanted(now);
    if (state_ >= State::leaving) {
        round.promise.withdraw = wanted.withdraw;
        return;
    }
    if (!looks_.ever_answered()) return;
    round.promise = wanted;
    // The look after it: who relied on us has been told of nothing.
    if (wanted.rest && round.claim == 0) round.ask_due = true;
}

/// It looks again and again; and whoever has no room for too long does not.
void Worker::keep_promise(BootClock::time_point now) {
    promise_.room(wanted() > 0, now);
    if (promise_.given() && state_ < State::leaving) looks_.owe();
}

void Worker::on_arrival() {
    promise_.arrived(BootClock::now());
    step();
}

}  // namespace dormouse::worker
