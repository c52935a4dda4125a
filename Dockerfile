# cdcbot's image: one static binary on an empty root, run by a user that is not root. It writes nothing, so the root may be
# read-only. Also in it: certificates of public authorities, /licenses, and /sbom.cdx.json (CycloneDX).
#
#   make image
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=1.0.0 --build-arg COMMIT=$(git rev-parse --short=12 HEAD) .
#
# Go compiles for another platform without emulation, so the first stage always runs on the builder's own.

ARG GO_VERSION=1.26

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS=linux
ARG TARGETARCH=amd64
ARG VERSION=dev
ARG COMMIT=unknown
RUN make rootfs ROOTFS=/rootfs GOOS="$TARGETOS" GOARCH="$TARGETARCH" VERSION="$VERSION" COMMIT="$COMMIT"

FROM scratch
ARG VERSION=dev
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="cdcbot" \
      org.opencontainers.image.description="Kafka Connect incidents in one Slack thread, healed by two people" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}"
COPY --from=build /rootfs/ /
USER 65532:65532
# Others reach it here, so it wants a token for alerts (alerts.token) and says so without one.
ENV CDCBOT_LISTEN=:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/bot", "health"]
ENTRYPOINT ["/bot"]
CMD ["serve"]
