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
# examples/cronjob.yaml. The image needs no write access to its file system.

FROM debian:bookworm-slim AS build
WORKDIR /src
COPY tests/lib/deps.sh tests/lib/deps.sh
RUN tests/lib/deps.sh build
COPY . .
ARG VERSION=0
RUN echo "$VERSION" >VERSION && make -j"$(nproc)" && make install DESTDIR=/out && strip /out/usr/local/bin/*

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates tini \
       libpq5 libcurl4 libyajl2 libcsv3 libpg-query1504.0 libssl3 libgmp10 \
       zlib1g libzstd1 libsnappy1v5 liblz4-1 libbrotli1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home starpipe
COPY --from=build /out/usr/local /usr/local
# a missing library shows here
RUN for tool in /usr/local/bin/*; do "$tool" --version || exit; done
USER 10001
WORKDIR /home/starpipe
ENTRYPOINT ["tini", "-g", "--"]
CMD ["ls", "/usr/local/bin"]
