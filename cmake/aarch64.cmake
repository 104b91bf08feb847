# A toolchain: Debian's cross compiler (g++-aarch64-linux-gnu), and its qemu-user to run what it makes.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)

# Of Highway its headers are taken, which are the same for all processors.
file(GLOB hwy_DIR /usr/lib/*/cmake/hwy)
