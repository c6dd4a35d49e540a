# shellcheck shell=sh
# Runs a command in a container, and ends it when this script ends, for whatever reason. Docker does not do this.
# The command's standard input is a pipe that only this script holds open. When the pipe ends, the container interrupts
# the command. If the command reads the user's input, a second process waits for the pipe's end and interrupts it.

# Variables of one command. All others are settings, which Compose passes.
passed="ACCEPT CONFIRM RENAME FILL NO_COLOR GITHUB_ACTIONS SUPERUSER_PASSWORD RUN_BY ONE_STREAM"

in_container=$(cat scripts/runtimes/in_container.sh)

is_interactive() { [ -t 0 ] && [ -t 1 ]; }

# Sets `key`, which finds the command in the container, and `flags`, the common options of exec and run.
set_flags() {
    key=$(random_hex 6)
    flags="--env CALLER=$key"
    # In the container the user has no name, and two streams would lose their order.
    RUN_BY=$(id -un)@$(uname -n) ONE_STREAM=
    # shellcheck disable=SC3013  # dash and bash have -ef
    if [ /dev/fd/1 -ef /dev/fd/2 ]; then ONE_STREAM=yes; fi
    export RUN_BY ONE_STREAM
    for name in $passed; do
        eval "[ -z \"\${$name:-}\" ]" || flags="$flags --env $name"
    done
}

# Sets `input`. It is `user` on a terminal, and for commands that read statements from a pipe or a file.
choose_input() {
    input=pipe
    if is_interactive; then input=user; fi
    case "$*" in *" scripts.psql" | *" scripts.shell") input=user ;; esac
}

# in_app CONTAINER WORD...
in_app() {
    container=$1
    shift
    choose_input "$@"
    if is_interactive; then flags="$flags --tty"; fi
    # shellcheck disable=SC2086  # several words
    attend docker exec --interactive $flags "$container" sh -c "$in_container" sh run "$input" "$@"
}

one_off() {
    # shellcheck disable=SC2154  # docker.sh's
    container=$project-tools-$key
    choose_input "$@"
    is_interactive || flags="$flags --no-TTY"
    # shellcheck disable=SC2086
    attend docker compose --progress quiet run --rm --no-deps --quiet-pull --name "$container" $flags \
        ${mount:+--volume "$mount"} tools sh -c "$in_container" sh run "$input" "$@"
}

# attend WORD...: runs Docker's client until the client and its command have ended. Returns the command's exit code.
attend() {
    open_pipe
    stopped=
    trap let_go INT TERM HUP
    # In another session, a signal to this group does not end the client. It still shows the command's last lines.
    # On a terminal Docker itself reads Ctrl-C.
    detach=
    if ! is_interactive && command -v setsid >/dev/null; then detach=setsid; fi
    $detach "$@" <&8 8<&- 9>&- &
    client=$!
    exec 8<&-
    watch_make </dev/null >/dev/null 2>&1 &
    watcher=$!
    code=0
    wait "$client" || code=$?
    [ -z "$stopped" ] || wait_shortly
    # The client also returns 0 when a signal ends it. So the command reports its success as 100.
    case $code in 0) code=130 ;; 100) code=0 ;; esac
    kill "$watcher" 2>/dev/null || true
    trap - INT TERM HUP
    close_pipe
    return "$code"
}

# Descriptor 9 holds the pipe open. Descriptor 8 is the command's standard input.
open_pipe() {
    pipe=${TMPDIR:-/tmp}/pipe.$key
    (umask 077 && mkfifo "$pipe")
    # shellcheck disable=SC2094
    exec 9<>"$pipe" 8<"$pipe"
    rm "$pipe"
    [ "$input" = user ] || return 0
    # shellcheck disable=SC2016  # another shell expands it
    set -- sh -c 'trap "" HUP INT TERM; [ "$(cat)" = over ] ||
        for try in 1 2 3; do docker exec "$@" && break; sleep 1; done' sh "$container" sh -c "$in_container" sh end "$key"
    if command -v setsid >/dev/null; then set -- setsid "$@"; fi
    "$@" <&8 8<&- 9>&- >/dev/null 2>&1 &
    interrupter=$!
    exec 8<&0
}

# Afterwards the command in the container has ended too.
close_pipe() {
    if [ "$code" -lt 128 ] && [ -z "$stopped" ]; then
        [ "$input" = pipe ] || echo over >&9
        exec 9>&-
        return
    fi
    exec 9>&-
    if [ "$input" = user ]; then
        wait "$interrupter" || true
    else
        docker exec "$container" sh -c "$in_container" sh wait "$key" >/dev/null 2>&1 || true
    fi
}

# The first signal ends the command. A second one ends this script at once.
let_go() {
    stopped=yes
    exec 9>&-
    trap - INT TERM HUP
}

# The signal ended `wait`, not the client.
wait_shortly() {
    rest=300
    while kill -0 "$client" 2>/dev/null; do
        [ "$rest" -gt 0 ] || complain "The interrupted command in $container has not ended within 30 s." "" "make ps" \
            "it may still be running. The next command that changes the database waits for it."
        rest=$((rest - 1))
        sleep 0.1
    done
    code=0
    wait "$client" || code=$?
}

# A killed make sends its children no signal, but they get another parent.
watch_make() {
    exec 9>&-
    [ -n "${MAKELEVEL:-}" ] || return 0
    while is_makes_child; do sleep 1; done
    ! kill -0 $$ || kill -TERM $$
}

is_makes_child() {
    if [ -d /proc/self ]; then
        read -r status <"/proc/$$/stat" || return 1
        # shellcheck disable=SC2086  # each field is a word
        set -- ${status##*) }
        [ "$2" = "$PPID" ]
    else
        [ "$(ps -o ppid= -p $$ | tr -d ' ')" = "$PPID" ]
    fi
}
