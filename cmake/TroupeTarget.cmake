# What every target of ours has, and none of it leaks to targets that link to ours.

# troupe_configure_target(<target> [TEST]): language level, warnings and sanitizers.
function(troupe_configure_target target)
  target_compile_features(${target} PRIVATE c_std_17)
  set_target_properties(${target} PROPERTIES
    C_EXTENSIONS OFF
    C_VISIBILITY_PRESET hidden
    POSITION_INDEPENDENT_CODE ON
  )
  target_compile_definitions(${target} PRIVATE
    _GNU_SOURCE
    $<$<CONFIG:Debug>:TROUPE_DCHECK_ENABLED> # as the sanitizer builds are, too
  )
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic
    -Wconversion -Wsign-conversion -Wdouble-promotion
    -Wshadow -Wundef -Wvla -Wwrite-strings
    -Wcast-align -Wcast-qual -Wpointer-arith
    -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
    -Wswitch-enum -Wimplicit-fallthrough
    -Wformat=2 -Wnull-dereference
    $<$<C_COMPILER_ID:GNU>:-Wduplicated-cond -Wduplicated-branches -Wlogical-op -Wjump-misses-init>
    $<$<C_COMPILER_ID:Clang>:-Wcomma -Wunreachable-code-aggressive -Wassign-enum>
    $<$<BOOL:${TROUPE_WERROR}>:-Werror>
    # Backtraces are read by people, and nobody replaces our functions from outside the library.
    -fno-common -fno-omit-frame-pointer -fno-semantic-interposition
  )
  if("TEST" IN_LIST ARGN)
    # Criterion's assertion macros expand to code that these do not like; and the optimiser does not see
    # that what they assert holds behind them.
    target_compile_options(${target} PRIVATE
      -Wno-conversion -Wno-sign-conversion -Wno-null-dereference
    )
  endif()
  if(TROUPE_SANITIZE)
    target_compile_options(${target} PRIVATE
      -fsanitize=${TROUPE_SANITIZE} -fno-sanitize-recover=all
    )
    target_link_options(${target} PRIVATE -fsanitize=${TROUPE_SANITIZE})
  endif()
endfunction()
