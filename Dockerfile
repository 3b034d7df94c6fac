# Sandlot in one container: spawner, engine and web server under one supervisor.
#
#   docker build -t sandlot .
#   docker run … sandlot
#
# The flags that it needs, and why, are in docs/operations.md. BASE, RUST and NODE name the images that are built on;
# PROGRAMS=prebuilt takes the two programs from programs/ instead of building them.
ARG BASE=debian:12-slim
ARG RUST=rust:1-bookworm
ARG NODE=node:22-bookworm-slim
ARG PROGRAMS=built

FROM ${NODE} AS page
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web ./
RUN npm run build

FROM ${RUST} AS built
RUN apt-get update && apt-get install --yes --no-install-recommends busybox-static
WORKDIR /src
COPY . .
COPY --from=page /src/web/dist web/dist
RUN cargo build --release --locked --bins \
    && install -D --target-directory /programs "$(make/target-dir.sh)"/release/sandlot "$(make/target-dir.sh)"/release/sandlot-server

FROM ${BASE} AS prebuilt
COPY programs /programs

FROM ${PROGRAMS} AS programs

FROM ${BASE}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates e2fsprogs iproute2 nftables \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home --shell /usr/sbin/nologin sandlot
COPY --from=programs /programs /usr/local/bin
# Every address of the container, which is the host's only where a port is published.
ENV SANDLOT_LISTEN=0.0.0.0:8080 SANDLOT_HOSTS=localhost,127.0.0.1
VOLUME /var/lib/sandlot
EXPOSE 8080
ENTRYPOINT ["sandlot", "supervise"]
