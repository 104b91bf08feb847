# Fails if a library calls exit: -DNM= -DLIBRARY=
execute_process(COMMAND "${NM}" -D --undefined-only "${LIBRARY}" OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
if(listing MATCHES "U exit(@|\n)")
  message(FATAL_ERROR "${LIBRARY} calls exit: nvcc makes that of a function for the device where the host calls it")
endif()
