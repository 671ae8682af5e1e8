# syntax=docker/dockerfile:1
# The binary on a runtime without a shell, as a user without rights. Arguments, so that it can be checked anywhere:
#   BINARY=builder   compiles in the image (the default)
#   BINARY=prebuilt  takes target/release/btcbot of the build context
ARG BUILDER=rust:1.95-slim-bookworm
ARG RUNTIME=gcr.io/distroless/cc-debian12:nonroot
ARG BINARY=builder

FROM ${BUILDER} AS builder
ARG GIT_SHA=unknown
ENV BTCBOT_GIT_SHA=${GIT_SHA}
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p btcbot \
    && mkdir -p /out/data \
    && cp target/release/btcbot /out/btcbot

FROM scratch AS prebuilt
COPY target/release/btcbot /out/btcbot
COPY deploy/empty /out/data

FROM ${BINARY} AS binary

FROM ${RUNTIME} AS runtime
LABEL org.opencontainers.image.title="btcbot" \
      org.opencontainers.image.description="Live trading engine for the BTCTurk exchange" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=binary --chown=10001:10001 /out/data /data
COPY --from=binary /out/btcbot /usr/bin/btcbot
# A folder below the volume: it must be private, and the mode of a volume is its driver's.
ENV BTCBOT__STATE__DIR=/data/state
# One arena for all threads: memory of ten stays taken in ten (docs/adr/0014-one-arena.md).
ENV MALLOC_ARENA_MAX=1
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["/usr/bin/btcbot", "health"]
ENTRYPOINT ["/usr/bin/btcbot"]
CMD ["run"]
