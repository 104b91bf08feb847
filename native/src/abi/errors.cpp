// Versions, messages, and what an exception becomes.
#include <cstring>
#include <new>

#include "abi/guard.h"
#include "core/check.h"
#include "gatun.h"

namespace gatun {
namespace {

// A plain array: keeping a message must not fail, not even without memory.
thread_local char last_message[2048] = "";

gt_status keep(gt_status status, const char* text) noexcept {
  std::strncpy(last_message, text, sizeof(last_message) - 1);
  return status;
}

}  // namespace

gt_status report_current_exception() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return keep(error.status, error.text.c_str());
  } catch (const std::bad_alloc&) {
    return keep(GT_OUT_OF_MEMORY, "[host] out of memory");
  } catch (const std::exception& error) {
    return keep(GT_INTERNAL, error.what());
  } catch (...) {
    return keep(GT_INTERNAL, "[gatun] unknown failure");
  }
}

}  // namespace gatun

int32_t gt_abi_version(void) { return GT_ABI_VERSION; }

const char* gt_last_error_message(void) { return gatun::last_message; }
