"""nginx with what the comparisons ask for, which also counts the requests."""
import pathlib, re, shutil, socket, subprocess, tempfile, time, urllib.request

CONFIG = """
worker_processes 1; daemon off; pid {dir}/pid; error_log {dir}/error.log crit; worker_rlimit_nofile 60000;
events {{ worker_connections 30000; multi_accept on; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; default_type application/json;
  client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir}; uwsgi_temp_path {dir}; scgi_temp_path {dir};
  ssl_certificate {dir}/certificate; ssl_certificate_key {dir}/key; ssl_session_tickets off; ssl_session_cache off;
  server {{
    listen 127.0.0.1:{port} backlog=8192;
    listen 127.0.0.1:{tls_port} ssl backlog=8192;
    location / {{ {cookie} return 200 '{{"result": "OK"}}'; }}
    location = /close {{ keepalive_timeout 0; return 200 '{{"result": "OK"}}'; }}
    location = /large {{ alias {dir}/large; }}
    location = /status {{ stub_status; }}
  }}
}}
"""


class Nginx:
    """nginx with one worker process, on free ports, for as long as the block lasts.

    `/` answers with JSON and keeps the connection open, `/close` closes it, and `/large` answers with 100 KB."""

    def __init__(self, cookie="", pin="0"):
        self.port, self.tls_port = free_ports(2)
        self.dir = pathlib.Path(tempfile.mkdtemp())
        self.url, self.tls_url = f"http://127.0.0.1:{self.port}/", f"https://127.0.0.1:{self.tls_port}/"
        # Programs that read `SSL_CERT_FILE` trust it.
        self.certificate = self.dir / "certificate"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1"
        command += f" -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE -keyout {self.dir}/key -out {self.certificate}"
        subprocess.run(command.split(), check=True, stderr=subprocess.DEVNULL)
        (self.dir / "large").write_bytes(b"x" * 100 * 1024)
        cookie = f'add_header Set-Cookie "{cookie}";' if cookie else ""
        (self.dir / "conf").write_text(CONFIG.format(dir=self.dir, port=self.port, tls_port=self.tls_port, cookie=cookie))
        binary = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = subprocess.Popen(["taskset", "-c", pin, binary, "-p", str(self.dir), "-c", f"{self.dir}/conf"])

    def __enter__(self):
        for _ in range(100):
            try:
                self.served()
                return self
            except OSError:
                time.sleep(0.05)
        raise SystemExit("nginx did not start; is it installed?")

    def served(self):
        """Returns the number of requests so far, without this one."""
        page = urllib.request.urlopen(self.url + "status").read().decode()
        return int(re.findall(r"\n (\d+) (\d+) (\d+)", page)[0][2]) - 1

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def free_ports(number):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
