# Run with -P after a Criterion program is linked: asks PROGRAM for its tests and writes ENTRIES, a file
# for ctest with one entry KIND.suite.test each.

list(JOIN PROPERTIES " " PROPERTIES)
set(ENV{ASAN_OPTIONS} "detect_leaks=0") # of the listing itself
execute_process(
  COMMAND "${PROGRAM}" --list
  OUTPUT_VARIABLE listing
  ERROR_VARIABLE trouble
  RESULT_VARIABLE status
)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} --list failed (${status}): ${trouble}")
endif()

# The listing reads:
#     mailbox: 2 tests
#     ├── is_empty_at_first
#     └── gives_back_in_the_order_taken
string(REGEX REPLACE "[\r\n]+" ";" lines "${listing}")
set(script "")
set(suite "")
foreach(line IN LISTS lines)
  if(line MATCHES "^([A-Za-z0-9_]+): [0-9]+ tests?$")
    set(suite "${CMAKE_MATCH_1}")
  elseif(line MATCHES "([A-Za-z0-9_]+)( \\(.*\\))?$" AND NOT suite STREQUAL "")
    set(test "${CMAKE_MATCH_1}")
    set(name "${KIND}.${suite}.${test}")
    string(APPEND script "add_test([==[${name}]==]")
    foreach(word IN LISTS LAUNCHER)
      string(APPEND script " [==[${word}]==]")
    endforeach()
    string(APPEND script
      " [==[${PROGRAM}]==] --jobs 1 --filter [==[${suite}/${test}]==])\n"
      "set_tests_properties([==[${name}]==] PROPERTIES LABELS ${KIND}"
      " FAIL_REGULAR_EXPRESSION [==[${FAIL_PATTERN}]==]"
      # A test that skips itself is not tested, and neither is one that is disabled.
      " SKIP_REGULAR_EXPRESSION [==[Tested: 0 ]==]"
      " ${PROPERTIES})\n"
    )
  endif()
endforeach()
if(script STREQUAL "")
  message(FATAL_ERROR "${PROGRAM} lists no tests; each file of tests/${KIND} has at least one")
endif()
file(WRITE "${ENTRIES}" "${script}")
