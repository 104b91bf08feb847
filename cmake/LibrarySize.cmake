# Fails if a library has more bytes than it may have once it is stripped: -DSTRIP= -DLIBRARY= -DMOST=
set(stripped "${LIBRARY}.stripped")
execute_process(COMMAND "${STRIP}" -o "${stripped}" "${LIBRARY}" COMMAND_ERROR_IS_FATAL ANY)
file(SIZE "${stripped}" bytes)
file(REMOVE "${stripped}")
if(bytes GREATER MOST)
  message(FATAL_ERROR "${LIBRARY} has ${bytes} bytes without symbols, and may have ${MOST}")
endif()
message(STATUS "${bytes} bytes of ${MOST}")
