# Two images: `--target api` (no torch inside) and `--target worker`.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS builder
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY pyproject.toml constraints.txt ./
# The project's own folders come later; empty ones let pip read the dependencies now, in layers that code leaves alone.
RUN mkdir -p app worker engine/native models training launcher && touch README.md

FROM builder AS api-packages
RUN pip install -c constraints.txt '.[app]'

FROM builder AS worker-packages
# For a GPU: an index with CUDA builds of torch, and the version to take from it.
ARG TORCH_INDEX_URL=
ARG TORCH_VERSION=
RUN if [ -n "$TORCH_INDEX_URL" ]; then \
        sed -i "s/^torch==.*/torch==${TORCH_VERSION}/" constraints.txt && \
        pip install --index-url "$TORCH_INDEX_URL" "torch==${TORCH_VERSION}"; \
    fi && \
    pip install -c constraints.txt '.[worker]'

# The native interpreter: a compiler builds it, none is needed to run it.
FROM ${PYTHON_IMAGE} AS native
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY engine/native engine/native
RUN python -m engine.native.build --required

FROM ${PYTHON_IMAGE} AS runtime
RUN useradd --system --uid 10001 --home-dir /srv/scanline --shell /usr/sbin/nologin scanline
WORKDIR /srv/scanline
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001

FROM runtime AS api
COPY --from=api-packages /opt/venv /opt/venv
# Of worker/ the API imports the protocol and the records; the rest needs torch, which is not here.
COPY app app
COPY worker worker
ENV SCANLINE_HOST=0.0.0.0 SCANLINE_PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["python", "-m", "app"]

FROM runtime AS worker
COPY --from=worker-packages /opt/venv /opt/venv
COPY worker worker
COPY engine engine
COPY --from=native /build/engine/native/build engine/native/build
COPY models models
COPY scripts/worker_alive.py scripts/
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --retries=3 CMD ["python", "-m", "scripts.worker_alive"]
CMD ["python", "-m", "worker"]
