# gatun_highway: Google Highway for the kernels, linked so that libgatun needs no other library at run time.
# libhwy.a serves where there is one. Distributions that only have libhwy.so ship headers that need four functions of it:
# highway_runtime.cpp defines those. Other versions and processors fall back to libhwy.so.
find_package(hwy 1.0.3 REQUIRED)
find_path(HWY_INCLUDE_DIR hwy/highway.h REQUIRED)
find_library(HWY_STATIC_LIBRARY libhwy.a)
mark_as_advanced(HWY_INCLUDE_DIR HWY_STATIC_LIBRARY)

add_library(gatun_highway INTERFACE)
target_include_directories(gatun_highway SYSTEM INTERFACE "${HWY_INCLUDE_DIR}")

set(off "${GATUN_SIMD_OFF}")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  # Sums in registers are arrays of vectors, which these cannot be: their length is known only when they run.
  string(APPEND off "|HWY_SVE|HWY_SVE2|HWY_SVE_256|HWY_SVE2_128")
endif()
if(GATUN_SANITIZE AND EXISTS /proc/cpuinfo)
  # Those builds are for the tests on this machine, which cannot run what its processor lacks.
  file(STRINGS /proc/cpuinfo avx512 REGEX "^flags.* avx512bw" LIMIT_COUNT 1)
  if(NOT avx512)
    string(APPEND off "|HWY_AVX3")
  endif()
endif()
target_compile_definitions(gatun_highway INTERFACE "HWY_DISABLED_TARGETS=(${off})")

# On x86-64 there is no level below SSE4, which every processor since 2010 has: it would be a tenth of the library.
# Only vector code is compiled for it, so that a device can say what an older processor lacks. Sanitizers leave SSE4 out. Without
# a lowest level Highway would add a plain one, which no library has, and which with their checks is the slowest of all.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64|AMD64")
  set(lowest HWY_SSE4)
  if(GATUN_SIMD_OFF MATCHES "HWY_SSE4")
    set(lowest HWY_AVX2)
  endif()
  target_compile_definitions(gatun_highway INTERFACE "HWY_BASELINE_TARGETS=${lowest}")
endif()

if(HWY_STATIC_LIBRARY)
  set(linked "${HWY_STATIC_LIBRARY}")
  target_link_libraries(gatun_highway INTERFACE "${HWY_STATIC_LIBRARY}")
elseif(hwy_VERSION MATCHES "^1\\.0\\.[0-3]$" AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64|AMD64|aarch64|arm64")
  set(linked "its headers and cmake/highway_runtime.cpp")
  add_library(highway_runtime OBJECT "${CMAKE_CURRENT_LIST_DIR}/highway_runtime.cpp")
  target_include_directories(highway_runtime SYSTEM PRIVATE "${HWY_INCLUDE_DIR}")
  target_link_libraries(gatun_highway INTERFACE $<TARGET_OBJECTS:highway_runtime>)
else()
  set(linked "libhwy.so, which users of the library then need too")
  find_library(HWY_SHARED_LIBRARY hwy REQUIRED)
  target_compile_definitions(gatun_highway INTERFACE HWY_SHARED_DEFINE)
  target_link_libraries(gatun_highway INTERFACE "${HWY_SHARED_LIBRARY}")
endif()
message(STATUS "Highway ${hwy_VERSION}: ${linked}")
