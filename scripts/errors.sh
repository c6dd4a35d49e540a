# shellcheck shell=sh
# The errors and notes of the shell scripts, in the form of all other errors. Sourced.

# complain PROBLEM WHY DO STATE [CHECK]: prints an error and exits. WHY and DO may be empty. CHECK is one of make doctor.
complain() {
    {
        printf '✗ %s\n' "$1"
        [ -z "$2" ] || printf '  Why:   %s\n' "$2"
        [ -z "$3" ] || printf '  Do:    %s\n' "$3"
        printf '  State: %s\n' "$4"
        [ -z "${5:-}" ] || printf '  More:  make doctor; %s in docs/troubleshooting.md\n' "$5"
    } >&2
    exit 1
}

note() { printf '! %s\n' "$1" >&2; }

# refuse_service NAME SERVICES
refuse_service() { complain "There is no service $1." "The services are: $2" "make logs c=app" "nothing was changed."; }

# Prints a word as it is typed in a shell.
typed() {
    case $1 in
    *[!A-Za-z0-9_./:@%+=,-]*) printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf %s "$1" ;;
    esac
}
