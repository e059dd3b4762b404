# One file for every image: docker build --build-arg SERVICE=embedder .
# SERVICE is ciwatch, dispatcher, embedder, generator, secretd, or mlsdmctl.

FROM golang:1.26-bookworm AS build
WORKDIR /src
# GOPROXY is taken from the builder's environment where it is given; else Go's own default holds.
ARG GOPROXY
ENV CGO_ENABLED=0 GOWORK=off GOFLAGS=-mod=readonly
COPY go.mod go.sum ./
COPY pkg/go.mod pkg/go.sum ./pkg/
RUN go mod download
COPY . .
ARG VERSION=devel
# All commands at once: the compiler sees shared packages once, and the images share this layer.
RUN go build -trimpath -buildvcs=false \
      -ldflags "-s -w -X github.com/neuron7x/mlsdm-integrations/internal/version.Version=${VERSION}" \
      -o /out/ ./cmd/mlsdmctl ./services/... \
 && mkdir -m 0700 -p /out/lib/spool

FROM gcr.io/distroless/static-debian12:nonroot
ARG SERVICE
COPY --from=build /out/${SERVICE} /app
# A volume that is mounted there is its user's, as the folder is.
COPY --from=build --chown=65532:65532 /out/lib /var/lib/mlsdm
USER 65532:65532
ENTRYPOINT ["/app"]
