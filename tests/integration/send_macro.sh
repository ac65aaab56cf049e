# TROUPE_SEND() compiles with a pointer to a struct or a number, and not with one to char or void, whose
# size would be 1: the error names the function to use instead.
set -eu

compiler=${CC:-cc}
snippet=$TROUPE_SOURCE_DIR/tests/headers/send_struct.c
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT

fail() {
    printf 'send_macro: %s\n' "$1" >&2
    cat "$errors" >&2
    exit 1
}

# compiles TYPE: whether TROUPE_SEND() takes a pointer to TYPE; the compiler's words are in $errors.
compiles() {
    "$compiler" -std=c17 -fsyntax-only -Wall -Wextra -Wpedantic -Werror \
        -I"$TROUPE_SOURCE_DIR/runtime/include" "-DPOINTED=$1" "$snippet" 2>"$errors"
}

for type in 'struct point' 'const struct point' uint64_t 'const troupe_ref_t'; do
    compiles "$type" || fail "a pointer to '$type' is refused"
done

for type in char 'const char' 'signed char' 'const signed char' 'unsigned char' 'const unsigned char' \
    uint8_t void 'const void'; do
    if compiles "$type"; then
        fail "a pointer to '$type' compiles"
    fi
    grep -q 'pointer_to_char_or_void_has_no_size_use_troupe_send_instead' "$errors" ||
        fail "a pointer to '$type' is refused without a word about troupe_send()"
done
