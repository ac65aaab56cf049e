#!/usr/bin/env bash
# words.sh ROOT: the words that docs/glossary.md retired are not used in what readers read: the public headers, the
# sources of the library, the manual, README and ARCHITECTURE, and not in the names of any source file. Each place is
# printed with the word to use instead.
set -u
[ $# = 1 ] || { sed -n 2,4p "$0"; exit 2; }
cd "$1" || exit 1

failed=0
read_by_people() {
    find runtime backends actors -name '*.[ch]' -print
    find docs/manual -name '*.md' -print
    ls README.md ARCHITECTURE.md 2>/dev/null
}
mapfile -t files < <(read_by_people | sort)

refuse() { # refuse PATTERN INSTEAD [EXCEPT]: a word, or an identifier with the word in it
    local pattern=$1 instead=$2 except=${3-'^$'} place
    while IFS= read -r place; do
        printf '%s\n    %s\n' "$place" "$instead"
        failed=1
    done < <(grep -n -H -i -E -e "$pattern" "${files[@]}" | grep -v -i -E -e "$except")
}
word() { # word STEM: the stem as a word of its own or as a part of an identifier
    echo "(^|[^a-z])($1)([^a-z]|\$)"
}

# Names of things.
refuse "$(word 'boards?')" 'shared memory'
refuse "$(word 'seats?')" 'slot'
refuse "$(word 'wardens?')" 'process manager'
refuse "$(word 'carriers?')" 'handle, or what runs an executor'
refuse "$(word 'confin(e|es|ed|ing)')" 'set limits'
refuse "$(word 'leash(es)?')" 'control socket'
refuse "$(word 'tickets?')" 'child environment'
refuse "$(word 'verdicts?')" 'exit note'
refuse "$(word 'tolls?')" 'dead counts'
refuse "$(word 'parcels?')" 'zmsg'
refuse "$(word 'gates?')" 'credit pool, or doorbell'
refuse "$(word 'flaws?')" 'parse error'
refuse "$(word 'scribbles?')" 'sigsafe'
refuse "$(word 'manners?')" 'mode'
refuse "$(word 'nudges?')" 'wake'
refuse "$(word 'glimpses?')" 'sample'
refuse "$(word 'alarms?')" 'timer'
refuse "$(word 'letters?')" 'message, or troupe_outgoing' 'dead[ _-]*(\*\*)?letters?|^[^:]*:[0-9]+: +\* letters|^[^:]*:[0-9]+: +\* letter\.|ASCII letters|of letters, digits|a letter begins|case letter|capital letter|lower-case letters|capital letters|letters (and|or) digits|letters are a|letter of the alphabet'
refuse "$(word 'askers?')" 'the actor that asked, or reply_to'
refuse 'troupe_port|trp_port|(^|[^a-z])ports? (is|are|has|runs|and inbox)' 'inbox' 'tcp'
refuse 'trp_links?_|struct trp_link([^a-z]|$)' 'channel: a link is between actors'
refuse 'trp_world|trp_node[^_]|trp_post|trp_held|trp_kept|trp_refusals|trp_watch(es)?[^d]|trp_waits|trp_ends' 'see docs/glossary.md'

# Verbs, and turns of phrase.
refuse "$(word 'meets?|meeting')" 'deliver, receive, handle or reject' 'meets a full'
refuse "$(word 'bur(y|ies|ied)')" 'make a dead letter'
refuse "$(word 'hears?|heard')" 'is notified'
refuse "$(word 'dozes?|dozed')" 'wait at the doorbell'
refuse "$(word 'hungry')" 'waiting for credit'
refuse "$(word 'pokes?|poked')" 'refresh'
refuse "$(word 'nobody|whom|whomever')" 'no actor, no receiver, the receiver'
refuse "$(word 'goes by|go by|went by')" 'is registered as, or uses' '(goes|go|went) by (ipc|tcp|inproc)'
refuse "$(word 'in words')" 'as text' 'in words of'
refuse "$(word 'the law|the road|roads?')" 'the counters balance; the path of a message'
refuse "$(word 'in hand|in its hands?|in the hands of')" 'in progress'
refuse '(^|[.;:] |\* |// )Who [a-z]+s?[^?]*$' 'begin with the subject: "an actor that ..."'

# Names of files.
while IFS= read -r place; do
    echo "$place: a retired word in its name; see docs/glossary.md"
    failed=1
done < <(find runtime backends actors bench tests -name '*.[ch]' | grep -E '/[a-z_]*(board|seat|warden|leash|ticket|verdict|toll|parcel|flaw|scribble|quantity|refusals|watches|alarms|held|rundir|waits)[a-z_]*\.[ch]$')

exit $failed
