# One static binary and CA roots, nothing else. No engine is needed to check this file: ./test docker.
# `just dist` builds the same binary without an image.

FROM rust:1.95-bookworm AS build
ARG TARGETARCH
# Versions are those of the base image's release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates musl-tools \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /pillion
COPY Cargo.toml Cargo.lock ./
COPY .cargo ./.cargo
COPY src ./src
COPY benches ./benches
RUN case "${TARGETARCH:-amd64}" in amd64) machine=x86_64 ;; arm64) machine=aarch64 ;; *) exit 1 ;; esac \
    && rustup target add "${machine}-unknown-linux-musl" \
    && cargo build --release --locked --target "${machine}-unknown-linux-musl" \
    && mv "target/${machine}-unknown-linux-musl/release/pillion" /pillion/pillion

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /pillion/pillion /pillion
# A number, so that runAsNonRoot can be checked without a passwd file.
USER 65532:65532
# Prometheus and the kubelet reach a pod by its address; /status answers loopback peers only.
ENV PILLION_HTTP_LISTEN=0.0.0.0:9102
# StatsD (8125), Datadog's tracers (8126) and OTLP (4317, 4318) stay on 127.0.0.1, which the containers of a pod
# share: nobody is asked who he is there. For apps with an address of their own, such as under compose, open what
# they use: PILLION_STATSD_LISTEN=udp://0.0.0.0:8125, PILLION_DATADOG_LISTEN=0.0.0.0:8126,
# PILLION_OTLP_GRPC=0.0.0.0:4317, PILLION_OTLP_HTTP=0.0.0.0:4318, PILLION_ZIPKIN_LISTEN=0.0.0.0:9411 (else off).
EXPOSE 8125/udp 8126/tcp 4317/tcp 4318/tcp 9102/tcp
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/pillion", "wait", "--timeout", "2s"]
ENTRYPOINT ["/pillion"]
