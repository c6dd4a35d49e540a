# shellcheck shell=sh
# Checks which database the docker runtime works on. A changed name never leads to another, empty database.

# Prints the Compose project and the database's volume that .env names.
place_of_env() {
    if is_release; then volume=$(setting DB_VOLUME); else volume=${project}_db; fi
    printf '%s %s\n' "$project" "$volume"
}
has_volume() { docker volume inspect "$1" >/dev/null 2>&1; }

# A copied .env names the project of the original checkout, so commands here would change the original's database.
check_project() {
    if [ "$(place_of_env)" = "$(recorded docker)" ] && ! has_moved; then return; fi
    other=$(checkouts_of "$project" | grep -v '^\.$' | head -n 1)
    [ -n "$other" ] || return 0
    is_accepted new || complain "Compose project $project belongs to the checkout $other." \
        "This .env names the same project, so both checkouts would use one database." \
        "to give this checkout its own names and its own, empty database: make up ACCEPT=new" "nothing was changed."
    give_new_names
    project=$(setting COMPOSE_PROJECT_NAME)
}

# Refuses before the database is used, if it is not the recorded one.
check_volume() {
    known=$(recorded docker) here=$(place_of_env)
    if is_accepted new; then return; fi
    if [ "$known" = "$here" ]; then
        is_running db || has_volume "${here#* }" || complain "The volume ${here#* } of this checkout's database is gone." \
            "docker compose down --volumes removes it; or this is another Docker engine, with other volumes." \
            "if it is on another engine: docker context use NAME. To start with an empty database: make up ACCEPT=new" \
            "nothing was changed."
    elif [ -n "$known" ]; then
        complain "This checkout's database is in volume ${known#* }, of Compose project ${known% *}." \
            "But .env now names volume ${here#* }, of Compose project $project." \
            "put the old name back into .env. To start with an empty database: make up ACCEPT=new" "nothing was changed."
    elif [ -n "$(recorded embedded)" ] && ! has_volume "${here#* }"; then
        complain "This checkout's database is in $(recorded embedded), of the embedded runtime." \
            "RUNTIME=docker would make another, empty database." \
            "set RUNTIME=embedded in .env. To start with an empty database: make up RUNTIME=docker ACCEPT=new" \
            "nothing was changed."
    fi
}

# Records the place, once the database runs.
record_place() {
    here=$(place_of_env)
    [ "$here" = "$(recorded docker)" ] || record docker "$here"
}
