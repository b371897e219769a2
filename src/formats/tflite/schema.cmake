# tflite.fbs as a C++ header: link nibble_tflite_schema, include "tflite_generated.h".
find_program(FLATC flatc)
if(NOT FLATC)
  message(FATAL_ERROR "flatc is missing (Debian: flatbuffers-compiler, libflatbuffers-dev)")
endif()
set(schema ${CMAKE_CURRENT_LIST_DIR}/tflite.fbs)
set(schema_folder ${CMAKE_CURRENT_BINARY_DIR}/tflite_schema)
add_custom_command(OUTPUT ${schema_folder}/tflite_generated.h
                   COMMAND ${FLATC} --cpp -o ${schema_folder} ${schema}
                   DEPENDS ${schema} COMMENT "tflite.fbs to C++" VERBATIM)
add_custom_target(nibble_tflite_header DEPENDS ${schema_folder}/tflite_generated.h)
add_library(nibble_tflite_schema INTERFACE)
add_dependencies(nibble_tflite_schema nibble_tflite_header)
target_include_directories(nibble_tflite_schema SYSTEM INTERFACE ${schema_folder})
