# A folder of src/ is a library nibble_NAME of all its *.cc, with its *_test.cc as one test program.
#
#   nibble_folder(graph DEPS base LIBS fmt::fmt)
#
# DEPS are folders (public), LIBS are libraries of others (private).
function(nibble_folder name)
  cmake_parse_arguments(ARG "" "" "DEPS;LIBS;PUBLIC_LIBS;TEST_DEPS;TEST_LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_(test|fuzz|torch)|/main)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER tests EXCLUDE REGEX "_torch_test\\.cc$")
  list(TRANSFORM ARG_DEPS PREPEND nibble_ OUTPUT_VARIABLE deps)
  list(TRANSFORM ARG_TEST_DEPS PREPEND nibble_ OUTPUT_VARIABLE test_deps)

  if(NOT sources)
    add_library(nibble_${name} INTERFACE)
    target_include_directories(nibble_${name} INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/kernels)
    target_link_libraries(nibble_${name} INTERFACE ${deps} ${ARG_PUBLIC_LIBS})
    return()
  endif()
  add_library(nibble_${name} STATIC ${sources})
  target_include_directories(nibble_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/kernels)
  target_link_libraries(nibble_${name} PUBLIC ${deps} ${ARG_PUBLIC_LIBS} PRIVATE nibble_warnings ${ARG_LIBS})

  if(tests AND NIBBLE_TESTS)
    add_executable(nibble_${name}_test ${tests})
    target_link_libraries(nibble_${name}_test PRIVATE nibble_${name} nibble_test_support ${test_deps}
                          ${ARG_LIBS} ${ARG_TEST_LIBS} nibble_warnings)
    nibble_register_tests(nibble_${name}_test)
  endif()
endfunction()

# Each TEST of a GoogleTest program becomes a test of CTest. The time limit is for a busy machine.
function(nibble_register_tests program)
  gtest_discover_tests(${program} DISCOVERY_TIMEOUT 60 DISCOVERY_MODE PRE_TEST
                       WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} PROPERTIES TIMEOUT 1800)
endfunction()

# A libFuzzer program of one source; DEPS are folders. Only with NIBBLE_FUZZERS (the preset `check`, Clang).
#
#   nibble_fuzzer(nibble_tflite_fuzz formats/tflite/tflite_fuzz.cc DEPS formats)
#
function(nibble_fuzzer name source)
  if(NOT NIBBLE_FUZZERS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "DEPS;LIBS" ${ARGN})
  list(TRANSFORM ARG_DEPS PREPEND nibble_ OUTPUT_VARIABLE deps)
  add_executable(${name} ${source})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${deps} ${ARG_LIBS} nibble_warnings -fsanitize=fuzzer)
endfunction()

# The folders themselves count coverage for the fuzzers.
if(NIBBLE_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
