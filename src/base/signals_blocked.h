// All signals blocked in this thread, as long as the object lives. Threads that are made meanwhile take none: those are
// for the loop, or for whoever's program this is.
#pragma once

#include <pthread.h>

#include <csignal>

namespace dormouse {

class SignalsBlocked {
  public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

  private:
    sigset_t before_{};
};

}  // namespace dormouse
