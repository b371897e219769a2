# The page of `nibble report`, bundled by npm's esbuild. It lies beside the program, which works without it: where npm is missing or
# cannot reach its registry, `nibble report` says so. Everything is made in the build folder; nothing from npm enters the tree.
set(NIBBLE_REPORT_PAGE ${PROJECT_BINARY_DIR}/report_page.html)
find_program(NPM npm)
find_program(NODE node)
if(NPM AND NODE)
  set(page_source ${CMAKE_CURRENT_LIST_DIR}/page)
  set(page_build ${CMAKE_CURRENT_BINARY_DIR}/report_page)
  file(GLOB page_files CONFIGURE_DEPENDS ${page_source}/*.* ${page_source}/sections/* ${page_source}/test/*)
  add_custom_command(
    OUTPUT ${NIBBLE_REPORT_PAGE}
    COMMAND sh ${page_source}/build.sh ${page_source} ${page_build} ${NIBBLE_REPORT_PAGE} $<IF:$<BOOL:${NIBBLE_TESTS}>,test,build>
    DEPENDS ${page_files}
    COMMENT "Bundling the report's page"
    VERBATIM)
  add_custom_target(nibble_report_page ALL DEPENDS ${NIBBLE_REPORT_PAGE})
  if(NIBBLE_TESTS)
    add_test(NAME ReportPage COMMAND sh ${page_source}/test.sh ${page_source} ${page_build} ${NIBBLE_REPORT_PAGE} $<TARGET_FILE:nibble>
             ${PROJECT_SOURCE_DIR}/examples/keyword_spotting)
    set_tests_properties(ReportPage PROPERTIES TIMEOUT 1800 SKIP_RETURN_CODE 77)
  endif()
else()
  message(STATUS "npm not found (Debian: nodejs, npm): no page for `nibble report`")
  add_custom_target(nibble_report_page)
endif()
