// The crash points of a round (base/crash_point.h): one for each of its parts after it was sent, and one when its
// answer has come and nobody knows of it yet. Used by Database, which gives the round itself away.
#pragma once

#include "store/round.h"

namespace dormouse::store {

class CrashParts {
  public:
    explicit CrashParts(const Round& round);
    void sent() const;
    void answered() const;

  private:
    PromiseAct promise_;
    bool arrive_, release_forgotten_, news_, finish_, enqueue_, put_back_, extend_, held_, rescue_, imports_, claim_,
        waking_, due_, leave_, retain_;
};

}  // namespace dormouse::store
