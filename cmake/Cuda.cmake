# gatun_cuda_emulated: the CUDA core compiled as C++ for the host, for tests. gatun_cuda: for GPUs, where nvcc is found.
# Machine code runs on later GPUs of the same major version: 80 is for 8.6 and 8.9 too, 100 for 10.3.
set(GATUN_CUDA_ARCHITECTURES 80 CACHE STRING
  "GPUs to compile for, as CMAKE_CUDA_ARCHITECTURES takes them; releases: 80-real;90a-real;100-real;120")
option(GATUN_CUDA "Build the CUDA core for GPUs if nvcc is found" ON)

set(cuda_root "${CMAKE_SOURCE_DIR}/native/cuda")
set(cuda_host "${cuda_root}/library.cpp" "${cuda_root}/queue.cpp")
set(cuda_core "${CMAKE_SOURCE_DIR}/native/src/core/check.cpp" "${CMAKE_SOURCE_DIR}/native/src/core/tensor.cpp")

# gatun_cuda_unit(NAME SOURCES...): a file that includes the sources, for what these include takes compilers longer than what they are.
function(gatun_cuda_unit name)
  list(TRANSFORM ARGN REPLACE "(.+)" "#include \"\\1\"\n" OUTPUT_VARIABLE includes)
  list(JOIN includes "" includes)
  file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/cuda/${name}" CONTENT "${includes}")
endfunction()
# A unit is four sources of kernels; but those for one architecture stay alone.
file(GLOB cuda_sources CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/native" "${cuda_root}/kernels/*.cu")
file(GLOB cuda_kernels CONFIGURE_DEPENDS "${cuda_root}/kernels/*_hopper.cu")
list(FILTER cuda_sources EXCLUDE REGEX "_hopper\\.cu$")
while(cuda_sources)
  list(SUBLIST cuda_sources 0 4 unit)
  list(REMOVE_ITEM cuda_sources ${unit})
  list(LENGTH cuda_kernels number)
  gatun_cuda_unit(kernels_${number}.cu ${unit})
  list(APPEND cuda_kernels "${CMAKE_CURRENT_BINARY_DIR}/cuda/kernels_${number}.cu")
endwhile()
gatun_cuda_unit(host.cu cuda/runtime_gpu.cu cuda/library.cpp cuda/queue.cpp)

function(gatun_cuda_library target)
  target_include_directories(${target} PRIVATE
    "${CMAKE_SOURCE_DIR}/native" "${CMAKE_SOURCE_DIR}/native/include" "${CMAKE_SOURCE_DIR}/native/src")
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX LINK_DEPENDS "${CMAKE_SOURCE_DIR}/cmake/gatun_cuda.map")
  target_link_options(${target} PRIVATE "-Wl,--version-script=${CMAKE_SOURCE_DIR}/cmake/gatun_cuda.map" -Wl,--gc-sections
    -static-libstdc++ -static-libgcc -Wl,-z,defs)
  target_link_libraries(${target} PRIVATE Threads::Threads)
endfunction()

# It changes stacks and has checks of its own: sanitizers know nothing of that. Nothing in it depends on the processor, so
# under an emulator of another one it would only take long.
if(NOT GATUN_SANITIZE AND NOT CMAKE_CROSSCOMPILING)
  file(GLOB emulation CONFIGURE_DEPENDS "${cuda_root}/emulation/*.cpp")
  add_library(gatun_cuda_emulated SHARED ${cuda_kernels} ${cuda_host} ${cuda_core} ${emulation}
    "${CMAKE_SOURCE_DIR}/native/src/core/affinity.cpp" "${CMAKE_SOURCE_DIR}/native/src/core/machine.cpp")
  set_source_files_properties(${cuda_kernels} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-xc++")
  target_compile_definitions(gatun_cuda_emulated PRIVATE GATUN_CUDA_EMULATION GATUN_CUDA_HOPPER)
  target_compile_options(gatun_cuda_emulated PRIVATE $<$<CONFIG:Release>:-O2>) # it mostly changes stacks, which -O3 makes no faster
  gatun_cuda_library(gatun_cuda_emulated)
endif()

# nvcc is called by hand: the same sources are C++ for the emulation, and CMake gives a source one language.
find_program(GATUN_NVCC nvcc HINTS ENV CUDACXX PATHS /usr/local/cuda/bin)
if(GATUN_NVCC)
  execute_process(COMMAND "${GATUN_NVCC}" --version OUTPUT_VARIABLE nvcc_version ERROR_QUIET)
  string(REGEX MATCH "release ([0-9]+)" nvcc_version "${nvcc_version}")
  set(nvcc_version "${CMAKE_MATCH_1}")
  file(REAL_PATH "${GATUN_NVCC}" nvcc)
  get_filename_component(toolkit "${nvcc}" DIRECTORY)
  find_library(GATUN_CUDART libcudart_static.a HINTS "${toolkit}/../lib64" "${toolkit}/../lib" PATHS /usr/local/cuda/lib64)
endif()
mark_as_advanced(GATUN_NVCC GATUN_CUDART)
if(GATUN_SANITIZE)
  message(STATUS "CUDA: left out of sanitizer builds")
elseif(NOT GATUN_CUDA)
  message(STATUS "CUDA: switched off (GATUN_CUDA)")
elseif(NOT GATUN_NVCC)
  message(STATUS "CUDA: no nvcc found, so not built; kernels are tested in emulation")
elseif(nvcc_version STREQUAL "" OR nvcc_version LESS 12)
  message(STATUS "CUDA: ${GATUN_NVCC} is older than 12 (found: ${nvcc_version}), so not built; kernels are tested in emulation")
elseif(NOT GATUN_CUDART)
  message(STATUS "CUDA: ${GATUN_NVCC} comes without libcudart_static.a, so not built; kernels are tested in emulation")
else()
  message(STATUS "CUDA: built with ${GATUN_NVCC} for ${GATUN_CUDA_ARCHITECTURES}")
  set(targets "")
  # *_hopper.cu are for 90a alone: compiled in every build, so that they cannot decay, and linked where 90a is asked for.
  set(hopper_targets "-gencode=arch=compute_90a,code=sm_90a")
  set(definitions "")
  foreach(architecture IN LISTS GATUN_CUDA_ARCHITECTURES)
    if(architecture MATCHES "^(.+)-real$")
      list(APPEND targets "-gencode=arch=compute_${CMAKE_MATCH_1},code=sm_${CMAKE_MATCH_1}")
    else() # and PTX, for later GPUs
      list(APPEND targets "-gencode=arch=compute_${architecture},code=[sm_${architecture},compute_${architecture}]")
    endif()
    if(architecture MATCHES "^90a")
      set(definitions -DGATUN_CUDA_HOPPER)
    endif()
  endforeach()
  execute_process(COMMAND "${GATUN_NVCC}" --help OUTPUT_VARIABLE nvcc_help ERROR_QUIET)
  set(compression -Xfatbin -compress-all)
  if(nvcc_help MATCHES "--compress-mode")
    set(compression --compress-mode=size)
  endif()
  set(objects "")
  set(unlinked "")
  foreach(source IN LISTS cuda_kernels ITEMS "${CMAKE_CURRENT_BINARY_DIR}/cuda/host.cu")
    get_filename_component(name "${source}" NAME)
    set(source_targets ${targets})
    set(list objects)
    if(name MATCHES "_hopper\\.cu$")
      set(source_targets ${hopper_targets})
      if(NOT definitions)
        set(list unlinked)
      endif()
    endif()
    set(object "${CMAKE_CURRENT_BINARY_DIR}/cuda/${name}.o")
    # -fmad=false: multiply-adds are where the source has them, as in the emulation.
    add_custom_command(OUTPUT "${object}" DEPENDS "${source}" DEPFILE "${object}.d" VERBATIM
      COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} "${GATUN_NVCC}" -x cu -c "${source}" -o "${object}" -MD -MF "${object}.d" ${source_targets}
        ${definitions} -ccbin "${CMAKE_CXX_COMPILER}" -std=c++20 -O3 -DNDEBUG -fmad=false ${compression} --expt-relaxed-constexpr -Werror all-warnings
        "-Xcompiler=-Wall,-Wextra,-Werror,-fPIC,-fvisibility=hidden,-ffunction-sections,-fdata-sections,-ffp-contract=off"
        "-I${CMAKE_SOURCE_DIR}/native" "-I${CMAKE_SOURCE_DIR}/native/include" "-I${CMAKE_SOURCE_DIR}/native/src")
    list(APPEND ${list} "${object}")
  endforeach()
  add_library(gatun_cuda SHARED ${objects} ${cuda_core})
  if(unlinked)
    add_custom_target(gatun_cuda_unlinked DEPENDS ${unlinked})
    add_dependencies(gatun_cuda gatun_cuda_unlinked)
  endif()
  set_source_files_properties(${objects} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  gatun_cuda_library(gatun_cuda)
  target_link_libraries(gatun_cuda PRIVATE "${GATUN_CUDART}" ${CMAKE_DL_LIBS} rt)
  install(TARGETS gatun_cuda LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" OPTIONAL)
endif()
