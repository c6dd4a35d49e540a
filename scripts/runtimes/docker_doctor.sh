# shellcheck shell=sh
# make doctor with RUNTIME=docker: what only the host can see. Sourced by docker.sh.

doctor() {
    # shellcheck disable=SC2034  # docker.sh reads it
    project=$(setting COMPOSE_PROJECT_NAME)
    explained settings check_env
    explained place check_checkout
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
    in_container "$@"
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
