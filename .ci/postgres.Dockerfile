# Stand-in for postgres:17-trixie: Debian's PostgreSQL, with the paths, ids and entrypoint behaviour of the official image.
ARG BASE
FROM ${BASE}
LABEL ci.stand-in=true

# Before the package, which would take the next free id.
RUN groupadd --system --gid 999 postgres \
    && useradd --system --gid postgres --uid 999 --home-dir /var/lib/postgresql --shell /bin/bash postgres

RUN apt-get update \
    && apt-get install -y --no-install-recommends gosu locales postgresql-common tzdata \
    && sed -ri 's/^#?(create_main_cluster) .*/\1 = false/' /etc/postgresql-common/createcluster.conf \
    && apt-get install -y --no-install-recommends postgresql-17 \
    && localedef -i en_US -c -f UTF-8 -A /usr/share/locale/locale.alias en_US.UTF-8 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb \
    && sed -ri "s/^#?(listen_addresses) .*/\1 = '*'/" /usr/share/postgresql/17/postgresql.conf.sample

ENV LANG=en_US.utf8 PG_MAJOR=17 PGDATA=/var/lib/postgresql/data PATH=$PATH:/usr/lib/postgresql/17/bin

# Open to every user id, because the container may run as any.
RUN install --directory --owner postgres --group postgres --mode 3777 /var/run/postgresql \
    && install --directory --owner postgres --group postgres --mode 1777 "$PGDATA" \
    && mkdir /docker-entrypoint-initdb.d

COPY --chmod=755 postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
