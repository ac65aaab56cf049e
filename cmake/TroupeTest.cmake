# How each kind of test becomes entries of ctest. See tests/CMakeLists.txt for the kinds.

set(TROUPE_TEST_TIMEOUT_S 60)

# What fails a test whatever its exit status says: Criterion exits with 0 when a test leaks.
set(TROUPE_TEST_FAIL_PATTERN
  "ERROR: [A-Za-z]+Sanitizer|WARNING: ThreadSanitizer|runtime error: "
)

# Sanitizers report into files, and the wrapper fails the test when there is one: a report on standard
# error can be lost in a child whose output nobody reads.
set(TROUPE_TEST_LAUNCHER "")
if(TROUPE_SANITIZE)
  set(TROUPE_TEST_LAUNCHER
    bash "${PROJECT_SOURCE_DIR}/scripts/run-sanitized" "${PROJECT_SOURCE_DIR}/tests/sanitizers"
  )
endif()

# troupe_test_notes(<out-seconds> <out-properties> <file>): from the notes of <file>, how long a test of it
# may take, and what else ctest must know, as arguments of set_tests_properties().
function(troupe_test_notes out_seconds out_properties file)
  set(seconds ${TROUPE_TEST_TIMEOUT_S})
  set(properties "")
  file(STRINGS "${file}" notes REGEX "^(//|#) ctest: " LIMIT_COUNT 4)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  foreach(note IN LISTS notes)
    if(note MATCHES "ctest: serial$")
      list(APPEND properties RUN_SERIAL ON)
    elseif(note MATCHES "ctest: timeout ([0-9]+)$")
      set(seconds ${CMAKE_MATCH_1})
    else()
      message(FATAL_ERROR "${file}: '${note}' is no note; write 'serial' or 'timeout SECONDS'")
    endif()
  endforeach()
  list(APPEND properties COST ${seconds}) # what may take long starts first
  if(TROUPE_SANITIZE)
    math(EXPR seconds "3 * ${seconds}")
  endif()
  set(${out_seconds} ${seconds} PARENT_SCOPE)
  set(${out_properties} ${properties} PARENT_SCOPE)
endfunction()

# troupe_add_criterion_test(<kind> <source>): a Criterion program, and one entry `kind.name` for all of its
# tests: starting the program takes longer than most tests. It is linked with the library's objects, so it
# sees internals.
function(troupe_add_criterion_test kind source)
  cmake_path(GET source STEM stem)
  string(REGEX REPLACE "^test_" "" name "${stem}")
  set(target "${kind}_${stem}")
  add_executable(${target} "${source}")
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(${target} PRIVATE
    troupe_objects troupe_test_support PkgConfig::CRITERION PkgConfig::LIBZMQ m
  )
  # For a library that Criterion's links; see support/certificates.c.
  target_link_options(${target} PRIVATE "LINKER:--export-dynamic-symbol=mbedtls_x509_crt_parse_file")
  troupe_configure_target(${target} TEST)

  troupe_test_notes(seconds properties "${source}")
  add_test(NAME ${kind}.${name}
    COMMAND bash "${PROJECT_SOURCE_DIR}/scripts/run-criterion"
      "${CMAKE_CURRENT_BINARY_DIR}/results" ${kind}.${name} ${seconds}
      ${TROUPE_TEST_LAUNCHER} $<TARGET_FILE:${target}>
  )
  set_tests_properties(${kind}.${name} PROPERTIES
    LABELS ${kind}
    FAIL_REGULAR_EXPRESSION "${TROUPE_TEST_FAIL_PATTERN}"
    SKIP_RETURN_CODE 77
    TIMEOUT 3600 # run-criterion limits each test, which ctest cannot
    ${properties}
  )
endfunction()

# troupe_add_race_test(<source>): a plain program that exits with 0 when all is well.
function(troupe_add_race_test source)
  cmake_path(GET source STEM target)
  string(REGEX REPLACE "^race_" "" name "${target}")
  add_executable(${target} "${source}")
  target_link_libraries(${target} PRIVATE troupe_objects PkgConfig::LIBZMQ)
  troupe_configure_target(${target})
  add_test(NAME race.${name} COMMAND ${TROUPE_TEST_LAUNCHER} $<TARGET_FILE:${target}>)
  troupe_set_test_properties(race.${name} race "${source}")
endfunction()

# troupe_add_integration_test(<script>): exit status 0 is a pass, 77 a skip.
function(troupe_add_integration_test script)
  cmake_path(GET script STEM name)
  add_test(NAME integration.${name} COMMAND ${TROUPE_TEST_LAUNCHER} sh "${script}")
  troupe_set_test_properties(integration.${name} integration "${script}")
  set_tests_properties(integration.${name} PROPERTIES
    ENVIRONMENT
      "TROUPE_BIN_DIR=${PROJECT_BINARY_DIR}/bin;TROUPE_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
    SKIP_RETURN_CODE 77
  )
endfunction()

# troupe_add_script_test(<name> <script> [<argument>...]): a check of the tree, run by bash.
function(troupe_add_script_test name script)
  add_test(NAME ${name} COMMAND bash "${script}" ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS tree TIMEOUT ${TROUPE_TEST_TIMEOUT_S})
endfunction()

# troupe_add_header_tests(<header>): it compiles alone and included twice, as C and as C++.
function(troupe_add_header_tests header)
  cmake_path(GET header STEM name)
  set(flags -fsyntax-only -Wall -Wextra -Wpedantic -Werror
    "-I${PROJECT_SOURCE_DIR}/runtime/include" "-I${PROJECT_SOURCE_DIR}/backends/ecs/include"
  )
  set(alone "${CMAKE_CURRENT_BINARY_DIR}/headers/${name}")
  set(twice "#include <troupe/${name}.h>\n#include <troupe/${name}.h>\n")
  foreach(suffix IN ITEMS c cpp)
    # The last line is for headers of macros alone: C wants a declaration in every source.
    file(CONFIGURE OUTPUT "${alone}.${suffix}" CONTENT "${twice}typedef int alone_t;\n")
  endforeach()
  add_test(NAME header.${name}.c COMMAND "${CMAKE_C_COMPILER}" -std=c17 ${flags} "${alone}.c")
  find_program(TROUPE_CXX NAMES g++ clang++ c++ REQUIRED
    DOC "C++ compiler that checks the public headers"
  )
  add_test(NAME header.${name}.cpp COMMAND "${TROUPE_CXX}" -std=c++17 ${flags} "${alone}.cpp")
  set_tests_properties(header.${name}.c header.${name}.cpp PROPERTIES
    LABELS header
    TIMEOUT ${TROUPE_TEST_TIMEOUT_S}
  )
endfunction()

# troupe_set_test_properties(<name> <label> <file>)
function(troupe_set_test_properties name label file)
  troupe_test_notes(seconds properties "${file}")
  set_tests_properties(${name} PROPERTIES
    LABELS ${label}
    FAIL_REGULAR_EXPRESSION "${TROUPE_TEST_FAIL_PATTERN}"
    TIMEOUT ${seconds}
    ${properties}
  )
endfunction()
