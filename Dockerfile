# One image for every process of liminal; compose.yaml gives each its command.
FROM python:3.11-slim AS build
WORKDIR /app
COPY pyproject.toml requirements.lock README.md ./
COPY src ./src
COPY ui ./ui
RUN python3 src/liminal/stack/bootstrap.py uv packages ui && rm -rf ui/node_modules .boot

FROM python:3.11-slim
RUN useradd --create-home liminal && install -d -o liminal /data
WORKDIR /app
COPY --from=build /app ./
COPY consumers ./consumers
COPY projections ./projections
COPY schemas ./schemas
ENV PATH=/app/.venv/bin:$PATH LIMINAL_HOME=/data LIMINAL_HOST=0.0.0.0 LIMINAL_LOG_FORMAT=json
USER liminal
VOLUME /data
EXPOSE 8800
CMD ["python", "-m", "liminal.cli", "api"]
