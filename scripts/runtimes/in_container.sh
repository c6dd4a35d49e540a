# shellcheck shell=sh
# Runs in a container. docker_run.sh passes it as text, because the image of a release may have an older version of it.
#   run INPUT WORD...  runs a command, and returns 100 for success. If INPUT is `pipe`, the end of standard input interrupts
#                      the command; the caller holds it open. Else the command reads standard input
#   end KEY            interrupts the command that has CALLER=KEY in its environment, and waits until it ends
#   wait KEY           waits until it ends

# Success is not 0, because Docker's client also returns 0 when a signal ends it before the command.
run() {
    [ -z "${ONE_STREAM:-}" ] || exec 2>&1
    exec 3<&0
    # The signal is for the command. sh makes a command in the background ignore it, so `env` gives it back its default.
    trap '' INT
    if [ "$1" = pipe ]; then
        shift
        env --default-signal=INT,QUIT "$@" </dev/null 3<&- &
        command=$!
        {
            cat
            # To the group, as Ctrl-C on a terminal does.
            kill -s INT -- "-$$"
        } <&3 >/dev/null 2>&1 &
        watcher=$!
    else
        shift
        env --default-signal=INT,QUIT "$@" <&3 3<&- &
        command=$! watcher=
    fi
    exec 3<&-
    trap 'kill -s TERM "$command"' TERM
    running=yes
    while [ -n "$running" ]; do
        code=0
        wait "$command" || code=$?
        kill -0 "$command" 2>/dev/null || running=
    done
    [ -z "$watcher" ] || kill "$watcher" 2>/dev/null || true
    [ "$code" != 0 ] || code=100
    exit "$code"
}

# Leaves out the container's first process, which only passes signals on.
processes() { grep -lszx "CALLER=$1" /proc/[0-9]*/environ | cut -d / -f 3 | grep -vx 1 | sort -n; }

end() {
    first=$(processes "$1" | head -n 1)
    [ -z "$first" ] || kill -s INT -- "-$first"
    wait_for "$1"
}

wait_for() {
    rest=150
    while [ -n "$(processes "$1")" ] && [ "$rest" -gt 0 ]; do
        sleep 0.2
        rest=$((rest - 1))
    done
    [ "$rest" -gt 0 ]
}

what=$1
shift
case $what in
wait) wait_for "$1" ;;
*) "$what" "$@" ;;
esac
