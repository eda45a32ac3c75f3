# One image for every process of Shouhuan; the command says which.

FROM node:22.20.0-bookworm-slim AS web
WORKDIR /app/console/web
COPY console/web/package.json console/web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY console/web/ ./
RUN npm run build

FROM python:3.12-slim-bookworm AS packages
RUN python -m venv /opt/shouhuan
ENV PATH=/opt/shouhuan/bin:$PATH
WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --no-deps -r requirements.lock
COPY . ./
# Editable: the program is imported from /app, where the built front end and the migrations lie beside it.
RUN pip install --no-cache-dir --no-deps --editable .

FROM python:3.12-slim-bookworm
RUN useradd --uid 10001 --create-home shouhuan \
    && install --directory --owner shouhuan --group shouhuan --mode 0700 /var/lib/shouhuan/recovery
COPY --from=packages /opt/shouhuan /opt/shouhuan
COPY --from=packages /app /app
COPY --from=web /app/console/web/dist /app/console/web/dist
ENV PATH=/opt/shouhuan/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
USER shouhuan
ENTRYPOINT ["shouhuan"]
CMD ["--help"]
