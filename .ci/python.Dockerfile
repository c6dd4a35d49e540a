# Stand-in for python:3.13-slim-trixie: Debian's Python where the official image has its own.
ARG BASE
FROM ${BASE}
LABEL ci.stand-in=true

RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /usr/lib/python3.*/EXTERNALLY-MANAGED

# A virtual environment in /usr/local puts python, pip and site-packages where the official image has them.
RUN python3 -m venv /usr/local

# pip brings its own list of authorities and would not see those of the machine.
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt
CMD ["python3"]
