#!/usr/bin/python3
"""Becomes an nginx with one worker and no master: nginx.py FOLDER [CERTIFICATE_FILE KEY_FILE].

`/` is 13 bytes; with a certificate it is TLS, and `/bulk` 16 MiB. FOLDER is for what nginx keeps in
files. nginx takes no port 0: this script binds one that is free, without listening, and holds it
while nginx, with SO_REUSEPORT, binds it, too."""
import os
import pathlib
import socket
import sys
import time

NGINX = "/usr/sbin/nginx"
BULK_BYTES = 16 << 20
START_SECONDS = 5

CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr crit;
worker_rlimit_nofile 65536;
events {{
  worker_connections 32768;
  multi_accept on;
}}
http {{
  access_log off;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  server_tokens off;
  default_type text/plain;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen {address} reuseport backlog=4096{tls};
    {certificate}
    location = / {{ return 200 "Hello, World!"; }}
    location = /bulk {{ root {folder}; }}
  }}
}}
"""


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind(("127.0.0.1", 0))
    address = "127.0.0.1:%d" % held.getsockname()[1]
    tls, certificate = "", ""
    if len(sys.argv) > 2:
        tls = " ssl"
        certificate = (f"ssl_certificate {os.path.abspath(sys.argv[2])}; "
                       f"ssl_certificate_key {os.path.abspath(sys.argv[3])}; "
                       "ssl_protocols TLSv1.3;")
        with open(folder / "bulk", "wb") as bulk:
            bulk.write(b"b" * BULK_BYTES)
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, address=address, tls=tls,
                                    certificate=certificate))
    os.set_inheritable(held.fileno(), True)
    if os.fork() == 0:
        announce(held.getsockname(), address)
        os._exit(0)
    os.execv(NGINX, [NGINX, "-p", str(folder), "-c", str(config)])


def announce(where, address):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(where).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
            continue
        print("listening on", address, flush=True)
        return


main()
