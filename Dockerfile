# docker build -t dialer .
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/dialer
COPY requirements.lock ./
RUN /opt/dialer/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
# the build backend comes from the index; what runs comes from the lock
RUN /opt/dialer/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim
RUN useradd --system --create-home --home-dir /var/lib/dialer dialer
COPY --from=build /opt/dialer /opt/dialer
ENV PATH=/opt/dialer/bin:$PATH PYTHONUNBUFFERED=1
USER dialer
WORKDIR /var/lib/dialer
# 8080: the API; 5060 and, by TLS, 5061: SIP, where the configuration says so; 20000 to 29999: RTP
EXPOSE 8080/tcp 5060/udp 5060/tcp 5061/tcp 20000-29999/udp
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["dialer"]
CMD ["serve"]
