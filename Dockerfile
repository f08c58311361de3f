# syntax=docker/dockerfile:1
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/touchstream
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY deploy/constraints.txt deploy/
COPY streams streams
COPY state state
COPY schemas schemas
RUN HATCH_BUILD_HOOKS_ENABLE=1 /opt/touchstream/bin/pip install --no-cache-dir -c deploy/constraints.txt '.[registry,serve]'

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 touchstream \
    && useradd --uid 10001 --gid 10001 --no-log-init --create-home --home-dir /var/lib/touchstream touchstream
COPY --from=build /opt/touchstream /opt/touchstream
ENV PATH=/opt/touchstream/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TOUCHSTREAM_STATE_DIR=/var/lib/touchstream/state \
    TOUCHSTREAM_WEB_HOST=0.0.0.0
USER 10001:10001
WORKDIR /var/lib/touchstream
VOLUME /var/lib/touchstream
EXPOSE 6066
STOPSIGNAL SIGTERM
# live, not ready: a worker must not be restarted because it restores state for minutes
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:6066/health/live', timeout=2)"]
ENTRYPOINT ["touchstream"]
CMD ["worker"]
