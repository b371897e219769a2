# The instruction counter is loaded by the emulator, not by nibble: it is built without sanitizers, and its symbols are the emulator's.
add_library(nibble_counter MODULE ${CMAKE_CURRENT_LIST_DIR}/counter_plugin.c)
set_target_properties(nibble_counter PROPERTIES PREFIX "" C_VISIBILITY_PRESET hidden)
target_include_directories(nibble_counter PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(nibble_counter PRIVATE -Wall -Wextra -Wpedantic -Werror -fno-sanitize=all)
target_link_options(nibble_counter PRIVATE -fno-sanitize=all)
target_compile_definitions(nibble_run PRIVATE NIBBLE_COUNTER_PLUGIN="$<TARGET_FILE:nibble_counter>")
add_dependencies(nibble_run nibble_counter)
