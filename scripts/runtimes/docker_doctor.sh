# shellcheck shell=sh
# make doctor with RUNTIME=docker: what only the host can see. Sourced by docker.sh.

doctor() {
    # shellcheck disable=SC2034  # docker.sh reads it
    project=$(setting COMPOSE_PROJECT_NAME)
    explained settings check_env
    ! is_open_env || found secrets wrong "Other accounts of this machine can read .env." "chmod 600 .env"
    ! is_release || explained secrets check_secrets
    find_git
    running=$(list_running 2>&1) || {
        explained engine explain_engine "$running"
        without_python "The Docker engine does not answer." "$@"
        return
    }
    wanted=$(list_wanted 2>&1) || {
        explained engine explain_config "$wanted"
        without_python "Compose cannot read this project." "$@"
        return
    }
    found engine well "Docker $(docker version --format '{{.Server.Version}}'), Compose $(docker compose version --short)"
    if explained place check_checkout && explained place check_project && explained place check_volume; then
        place_of_env=$(place_of_env)
        found place well "the data is in volume ${place_of_env#* }, of Compose project ${place_of_env% *}"
    fi
    look_at_images
    look_at_port
    look_at_disk
    in_container "$@"
}

look_at_images() {
    images=$(docker compose --profile '*' config --images | sort -u)
    for image in $images; do
        docker image inspect "$image" >/dev/null 2>&1 || lacking="${lacking:-}${lacking:+, }$image"
    done
    if [ -z "${lacking:-}" ]; then
        found images well "$(printf %s "$images" | tr '\n' ' ')"
    elif is_release; then
        found images wrong "There is no image $lacking." "docker compose pull app   (or without a registry: make build)"
    else
        found images wrong "There is no image $lacking." "make up"
    fi
}

look_at_port() {
    port=$(setting DB_PORT)
    if ! uses_db || is_release; then return; fi
    if ! is_running db && is_taken "$port"; then
        explained ports explain_start db "address already in use"
    else
        found ports well "127.0.0.1:$port is $(if is_running db; then echo the database; else echo free; fi)"
    fi
}

# Whether a program of this machine listens on the port.
is_taken() {
    if [ -r /proc/net/tcp ]; then
        cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v port="$(printf ':%04X' "$1")" \
            '$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 } END { exit !found }'
    else
        lsof -nP -iTCP:"$1" -sTCP:LISTEN >/dev/null 2>&1
    fi
}

# The disk of the volume. Backups may be on another one.
look_at_disk() {
    is_running db || return 0
    id=$(containers db | cut -d ' ' -f 2)
    free=$(docker exec "$id" df -Pk /var/lib/postgresql/data 2>/dev/null | awk 'NR == 2 { print int($4 / 1024) }')
    [ "${free:-9999}" -ge 1024 ] || found disk wrong "The disk of the database has $free MB left." \
        "make room there: docker system prune; make backups KEEP=5 lists what can go"
}

# As check_place, but it changes nothing.
check_checkout() {
    checkout=$(recorded checkout)
    if [ -z "$checkout" ] || [ "$checkout" -ef . ]; then return; fi
    complain "This checkout was copied or moved from $checkout." "In a copy, commands would change the database of the original." \
        "make status   (goes on in a moved checkout, and says what to do in a copy)" "nothing was changed."
}

in_container() {
    has_image || {
        without_python "There is no image $(image)." "$@"
        return
    }
    set_flags
    # shellcheck disable=SC2154  # doctor.sh's
    set -- "$@" --host="$host"
    app=
    ! is_development || app=$(current app)
    if [ -n "$app" ]; then
        app=${app#* }
        in_app "${app%% *}" "$@"
    else
        one_off "$@"
    fi
}
