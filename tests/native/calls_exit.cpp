// What must not be in the CUDA library; see exit_is_noticed in CMakeLists.txt.
#include <cstdlib>

extern "C" __attribute__((visibility("default"))) void gatun_calls_exit() { std::exit(1); }
