#include "core/cuda_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <mutex>
#include <string>
#include <utility>

#include "core/check.h"

namespace gatun {
namespace {

struct Loaded {
  const cuda::Api* api = nullptr;
  std::string reason;  // why there is none
};

std::string beside_this_library() {
  Dl_info here;
  if (dladdr(reinterpret_cast<const void*>(&gt_device_create), &here) == 0) return "";
  const std::string file = here.dli_fname;
  const size_t slash = file.rfind('/');
  return (slash == std::string::npos ? "" : file.substr(0, slash + 1)) + "libgatun_cuda.so";
}

std::mutex told_mutex;
std::string told;

std::string file_to_load() {
  const char* named = std::getenv("GATUN_CUDA_LIBRARY");
  if (named != nullptr && *named != '\0') return named;
  const std::lock_guard lock(told_mutex);
  return told.empty() ? beside_this_library() : told;
}

Loaded load() {
  const std::string file = file_to_load();
  // Never closed: its threads and the driver's outlive any device.
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* error = dlerror();
    return {nullptr, "the CUDA library cannot be loaded (GATUN_CUDA_LIBRARY names another): " +
                         std::string(error == nullptr ? file.c_str() : error)};
  }
  const auto entry = reinterpret_cast<cuda::ApiFunction>(dlsym(library, cuda::kApiSymbol));
  if (entry == nullptr) return {nullptr, file + " is not Gatun's CUDA library"};
  const cuda::Api* api = entry();
  if (api->layout != cuda::kApiLayout) {
    return {nullptr, file + " is of another version of Gatun than this library"};
  }
  return {api, ""};
}

}  // namespace

void set_cuda_library_file(std::string path) {
  const std::lock_guard lock(told_mutex);
  told = std::move(path);
}

const cuda::Api& cuda_library(const char* op) {
  static const Loaded loaded = load();
  if (loaded.api == nullptr) {
    fail(GT_UNSUPPORTED, "[", op, "] there is no CUDA device: ", loaded.reason);
  }
  return *loaded.api;
}

}  // namespace gatun
