# starpipe in one image: any tool, or a pipe of them, as an unprivileged user.
#
#   docker build -t starpipe --build-arg VERSION="$(git describe --tags --always)" .
#   docker run -e PGHOST=... -e PGPASSWORD=... starpipe pg-extract staff
#   docker run ... starpipe bash -o pipefail -c 'pg-extract ... | star-transform ... | pg-load ...'
#
# For both kinds of machines: docker buildx build --platform linux/amd64,linux/arm64 ...
#
# tini is process 1, because the kernel withholds SIGTERM from a process 1 that has no handler for it,
# and it signals all tools of a pipe. In Kubernetes, write the command as "args" so that tini stays:
# examples/cronjob.yaml. The image needs no write access to its file system, and no program in it
# gains rights. What it is made of is told in /usr/share/starpipe/sbom.cdx.json (CycloneDX).
#
# The base is named by its digest, from repos/debian/remote/bookworm-20260918-slim.md of
# docker-library/repo-info. To take another: --build-arg BASE=debian@sha256:...

ARG BASE=debian:bookworm-20260918-slim@sha256:3783cc01769c7b2b1b83a5c5ad96c815348e28ed7da68e2e3687004faa906251

FROM ${BASE} AS build
WORKDIR /src
COPY tests/lib/deps.sh tests/lib/deps.sh
RUN tests/lib/deps.sh build
COPY . .
ARG VERSION=0
RUN echo "$VERSION" >VERSION && make -j"$(nproc)" && make install DESTDIR=/out && strip /out/usr/local/bin/*

FROM ${BASE}
ARG VERSION=0
RUN apt-get update \
    && apt-get upgrade -y \
    && apt-get install -y --no-install-recommends ca-certificates tini \
       libpq5 libcurl4 libyajl2 libcsv3 libpg-query1504.0 libssl3 libgmp10 \
       zlib1g libzstd1 libsnappy1v5 liblz4-1 libbrotli1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home starpipe
COPY --from=build /out/usr/local /usr/local
# a missing library shows here
RUN --mount=type=bind,from=build,source=/src/tests/lib/sbom.sh,target=/sbom.sh \
    for tool in /usr/local/bin/*; do "$tool" --version || exit; done \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
    && mkdir -p /usr/share/starpipe && sh /sbom.sh starpipe "$VERSION" >/usr/share/starpipe/sbom.cdx.json
USER 10001
WORKDIR /home/starpipe
ENTRYPOINT ["tini", "-g", "--"]
CMD ["ls", "/usr/local/bin"]
