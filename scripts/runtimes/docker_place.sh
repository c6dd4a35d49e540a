# shellcheck shell=sh
# Which database the docker runtime works on: no command starts another, empty one because a name has changed.

# The place that .env names: the project, and the volume of the database.
place_of_env() {
    if is_release; then volume=$(setting DB_VOLUME); else volume=${project}_db; fi
    printf '%s %s\n' "$project" "$volume"
}
has_volume() { docker volume inspect "$1" >/dev/null 2>&1; }

# A copied .env names the original's project: whatever is done to that is done to the other checkout.
check_project() {
    if [ "$(place_of_env)" = "$(recorded docker)" ] && ! has_moved; then return; fi
    other=$(checkouts_of "$project" | grep -v '^\.$' | head -n 1)
    [ -n "$other" ] || return 0
    is_accepted new || complain "Compose project $project belongs to the checkout $other." \
        "this .env names it too, and both would work on one database" \
        "to give this checkout names and a database of its own: make up ACCEPT=new" "nothing was changed"
    name_anew
    project=$(setting COMPOSE_PROJECT_NAME)
}

# Before the database is used.
check_volume() {
    known=$(recorded docker) here=$(place_of_env)
    if is_accepted new; then return; fi
    if [ "$known" = "$here" ]; then
        is_running db || has_volume "${here#* }" || complain "The volume ${here#* } of this checkout's database is gone." \
            "down --volumes removes it, and another Docker engine has other volumes" \
            "to go back to that engine: docker context use NAME. To start empty: make up ACCEPT=new" "nothing was changed"
    elif [ -n "$known" ]; then
        complain "This checkout's database is in volume ${known#* }, of Compose project ${known% *}." \
            ".env now names volume ${here#* }, of Compose project $project" \
            "put the old name back. To change over, without the data: make up ACCEPT=new" "nothing was changed"
    elif [ -n "$(recorded embedded)" ] && ! has_volume "${here#* }"; then
        complain "This checkout's database is in $(recorded embedded), of the embedded runtime." \
            "RUNTIME=docker would make another, empty one" \
            "set RUNTIME=embedded in .env. To start empty: make up RUNTIME=docker ACCEPT=new" "nothing was changed"
    fi
}

# Once it runs.
keep_place() {
    here=$(place_of_env)
    [ "$here" = "$(recorded docker)" ] || record docker "$here"
}
