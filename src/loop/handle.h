// Typed owner of one libuv handle: its memory goes to the close callback, as libuv wants it. Only for loop/.
// Source: libuv manual, uv_close(): "must be called on each handle before memory is released".
#pragma once

#include <uv.h>

namespace dormouse::loop {

template <typename H>
class Handle {
  public:
    Handle() : handle_(new H{}) {}
    ~Handle() { close(); }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    [[nodiscard]] H* get() { return handle_; }
    [[nodiscard]] uv_handle_t* base() { return reinterpret_cast<uv_handle_t*>(handle_); }  // NOLINT
    /// For a handle whose uv_…_init failed: it is not the loop's, so it is not closed.
    void forget() {
        delete handle_;
        handle_ = nullptr;
    }

  private:
    void close() {
        if (handle_ == nullptr) return;
        handle_->data = nullptr;
        uv_close(base(), [](uv_handle_t* handle) { delete reinterpret_cast<H*>(handle); });  // NOLINT
        handle_ = nullptr;
    }

    H* handle_;
};

}  // namespace dormouse::loop
