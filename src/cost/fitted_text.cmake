# The fitted parameters become part of the program: an estimate reads no file.
set(fitted ${CMAKE_CURRENT_LIST_DIR}/fitted.json)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${fitted})
file(READ ${fitted} NIBBLE_FITTED_COST)
configure_file(${CMAKE_CURRENT_LIST_DIR}/fitted_text.cc.in ${CMAKE_CURRENT_BINARY_DIR}/cost_fitted_text.cc @ONLY)
target_sources(nibble_cost PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/cost_fitted_text.cc)
