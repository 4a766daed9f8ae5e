# syntax=docker/dockerfile:1
# Node 24.14.1 or later; bin/sluice checks it.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

# Builds the kernels, which needs the compiler among the dev dependencies, and leaves what the relay runs on.
FROM ${NODE_IMAGE} AS build
WORKDIR /opt/sluice
COPY . .
RUN npm ci --no-audit --no-fund && npm prune --omit=dev --no-audit --no-fund && rm -rf test bench .ci

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="Sluice" \
      org.opencontainers.image.description="A metrics relay: takes remote write, replicates it, loses nothing, accounts for every sample" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/sluice /opt/sluice
WORKDIR /data
ENV NODE_ENV=production
RUN chown -R node:node /data && chmod -R a+rX /opt/sluice
USER node
VOLUME /data
EXPOSE 8429
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8429/health').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/opt/sluice/bin/sluice", "-remoteWrite.tmpDataPath=/data"]
