# syntax=docker/dockerfile:1
# Runs a load test from a git repository. The exit code of the container is that of the run:
#
#     docker build --tag molotov .
#     docker run --rm --env TEST_REPO=https://git.example.com/shop.git --env TEST_NAME=smoke molotov
#
# It also runs agents, which wait for load tests on several machines (`molotov --generate kubernetes` shows more):
#
#     docker run --rm --init --entrypoint molotov molotov --join nats://broker.example.com:4222
#
# `--target crates` builds an image that also contains cargo, for load tests written in Rust.

FROM rust:1.95.0-slim-bookworm AS toolchain

# Builds the wheel for the Python of the image.
FROM python:3.13.9-slim-bookworm AS build
# Debian has only one version of each package, so there is none to pin.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY --from=toolchain /usr/local/cargo /usr/local/cargo
COPY --from=toolchain /usr/local/rustup /usr/local/rustup
ENV CARGO_HOME=/usr/local/cargo RUSTUP_HOME=/usr/local/rustup PATH=/usr/local/cargo/bin:$PATH
RUN pip install --no-cache-dir maturin==1.16.0
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    maturin build --profile dist --locked --interpreter python3 --compatibility linux --out /wheels

FROM python:3.13.9-slim-bookworm AS scripts
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    # A mounted repository belongs to another user.
    && git config --system safe.directory '*' \
    && useradd --create-home --uid 10001 molotov
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels pip install --no-cache-dir /wheels/*.whl
# A number, so that Kubernetes can check that it is not root.
USER 10001:10001
WORKDIR /home/molotov
ENV PYTHONUNBUFFERED=1
# TEST_REPO and TEST_NAME, or two arguments, name the repository and the test. Options may follow.
ENTRYPOINT ["moloslave"]

FROM scripts AS crates
# hadolint ignore=DL3002
USER 0:0
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY --from=toolchain /usr/local/cargo/bin /usr/local/cargo/bin
COPY --from=toolchain /usr/local/rustup /usr/local/rustup
ENV RUSTUP_HOME=/usr/local/rustup PATH=/usr/local/cargo/bin:$PATH
USER 10001:10001

# The default target is the smaller image.
FROM scripts
