"""Makes `corpora/logs`: what free programs wrote to their logs while they were used, for the primer of logs.

    python corpora/make_logs.py [--only NAME,NAME] [--out corpora/logs]

Each function of RUNS starts one program (Debian 12's, or a Python package) on 127.0.0.1 in a folder of its own, uses
it the way such a program is used, stops it, and returns what it logged. Nothing here writes a line of a log: formats
are the programs' own or set by their own options. None of the programs is one whose logs a benchmark holds, and no
format is: no syslog lines, no common or combined access logs, no Log4j layout.

`scrubbed` then replaces what names a machine or a person, always by the same rule. Clients connect from many
addresses of 127.0.0.0/8, which become those of the documentation ranges (RFC 5737).

A second run gives other clocks, process ids and orders, so what was gathered is part of the tree: the primer is made
from that (`make_primers.py`). Programs that are missing are named and left out.
"""

# ruff: noqa: E501 - configurations of programs have long lines

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

MOST = 30_000  # characters that one log gives, about: from its start, and from its end
PORT = 42_700
FAKETIME = next(map(str, Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), "")  # Debian's package faketime

Logs = dict[str, str]
DICE = random.Random(11)
WORDS = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "jasper", "kelp", "larch", "maple", "north", "olive", "pearl", "quartz", "river", "slate", "thorn", "umber", "vale", "willow", "yarrow", "zephyr"]


def word() -> str:
    return DICE.choice(WORDS)


def address(client: int) -> str:
    """Return the loopback address of client number `client`."""
    return f"127.{1 + client % 3}.0.{1 + client * 37 % 250}"


class Program:
    """A program that runs while the block is entered; its output goes to `out`."""

    def __init__(self, work: Path, *command: str, user: str | None = None, out: str = "out.log"):
        if user:
            command = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command)
        self.path = work / out
        self.command, self.work = command, work

    def __enter__(self) -> Program:
        environment = {"PATH": os.environ["PATH"] + ":/usr/sbin", "HOME": str(self.work), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        # Programs have clocks of their own, of many years.
        day = sum(map(ord, " ".join(self.command[:4]))) * 131
        clock = f"{2015 + day % 11}-{1 + day % 12:02}-{1 + day % 28:02} {day % 24:02}:{day % 60:02}:{day % 59:02}"
        if FAKETIME and self.command[0] != "env":
            environment |= {"LD_PRELOAD": FAKETIME, "FAKETIME": f"@{clock}", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
        self.file = self.path.open("ab")
        self.process = subprocess.Popen(
            self.command, cwd=self.work, env=environment, stdin=subprocess.DEVNULL, stdout=self.file, stderr=self.file
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.file.close()

    def text(self) -> str:
        return self.path.read_text("utf-8", "replace")


def run(work: Path, *command: str, text: str = "", user: str | None = None) -> str:
    """Return what a program wrote to its output and its errors."""
    if user:
        command = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command)
    done = subprocess.run(
        command, cwd=work, input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240,
        env={"PATH": os.environ["PATH"] + ":/usr/sbin", "HOME": str(work), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
    )  # fmt: skip
    return done.stdout.decode("utf-8", "replace")


def opened(port: int, client: int = 0, seconds: float = 20) -> socket.socket:
    """Return a connection to `port` from a client's address; waits until somebody listens."""
    end = time.monotonic() + seconds
    while True:
        link = socket.socket()
        link.settimeout(5)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            link.bind((address(client), 0))
            link.connect(("127.0.0.1", port))
            return link
        except OSError:
            link.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def talk(port: int, data: bytes, client: int = 0, wait: float = 0.0) -> bytes:
    """Send `data` from a client, and return what comes back."""
    with opened(port, client) as link:
        answer = b""
        with suppress(OSError):
            link.sendall(data)
            link.settimeout(0.3 + wait)
            while piece := link.recv(65536):
                answer += piece
        return answer


AGENTS = ("curl/7.88.1", "Wget/1.21.3", "python-httpx/0.27.0", "Go-http-client/1.1", "okhttp/4.12.0", "PostmanRuntime/7.37.0")
PATHS = ("/", "/{w}/", "/{w}/{v}.html", "/static/{w}.css", "/img/{w}-{n}.png", "/api/{w}/{n}", "/api/{w}?page={n}&sort={v}", "/{w}/../{v}", "/search?q={w}+{v}", "/healthz")


def http(port: int, count: int, clients: int = 12, proxy: str = "") -> None:
    """Ask a server or proxy for `count` pages, some of which are not there or not allowed."""
    for _ in range(count):
        method = DICE.choice(("GET", "GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"))
        path = DICE.choice(PATHS).format(w=word(), v=word(), n=DICE.randrange(400))
        body = "x" * DICE.randrange(300) if method in ("POST", "PUT") else ""
        request = f"{method} {proxy}{path} HTTP/1.1\r\nHost: {word()}.example.org\r\nUser-Agent: {DICE.choice(AGENTS)}\r\n"
        request += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
        talk(port, request.encode(), DICE.randrange(clients))


def postgresql(work: Path) -> Logs:
    tools = next(Path("/usr/lib/postgresql").glob("*/bin"))
    shutil.chown(work, "postgres", "postgres")
    found = {}
    for name, settings in (
        ("text", ("log_destination=stderr", "log_line_prefix=%m [%p] %q%u@%d %a %h ")),
        ("json", ("log_destination=jsonlog", "logging_collector=on", "log_directory=log", "log_filename=a.log")),
        ("csv", ("log_destination=csvlog", "logging_collector=on", "log_directory=log", "log_filename=b.log")),
    ):
        data = work / name
        run(work, str(tools / "initdb"), "-D", str(data), "-U", "app", "--auth=trust", user="postgres")
        options = [
            "listen_addresses=127.0.0.1", f"port={PORT}", f"unix_socket_directories={work}", "log_connections=on", "log_disconnections=on",
            "log_statement=all", "log_duration=on", "log_checkpoints=on", "log_lock_waits=on", "log_temp_files=0", "log_autovacuum_min_duration=0",
            "autovacuum_naptime=2s", "work_mem=64kB", *settings,
        ]  # fmt: skip
        command = [str(tools / "postgres"), "-D", str(data), *(part for option in options for part in ("-c", option))]
        with Program(work, *command, user="postgres", out=f"{name}.log") as server:
            opened(PORT).close()
            time.sleep(0.5)
            ask = ("psql", "-h", "127.0.0.1", "-p", str(PORT), "-U", "app")
            for table in WORDS[:6]:
                statements = f"""create table {table} (id serial primary key, name text not null, price numeric(8,2), made timestamptz default now());
                    insert into {table} (name, price) select md5(g::text), g * 0.37 from generate_series(1, 2000) g;
                    select count(*), avg(price) from {table} where name like 'a%';
                    select * from {table} a join {table} b using (name) order by a.price limit 3;
                    update {table} set price = price * 1.1 where id % 7 = 0; delete from {table} where id = 13;
                    select nothing from {table}; insert into {table} (name) values (null); selec 1; select 1/0;
                    create index on {table} (name); explain analyze select * from {table} where name = 'b';
                    begin; lock table {table}; rollback; commit; vacuum analyze {table}; select pg_sleep(0.01);
                    alter table {table} add column note varchar(3); update {table} set note = 'too long' where id = 1;"""
                for part in statements.split(";"):
                    if part.strip() and DICE.random() < 0.8:
                        run(work, *ask, "-d", "postgres" if DICE.random() < 0.9 else "missing", "-c", part.strip())
            run(work, *ask, "-d", "postgres", "-c", "checkpoint")
        log = {"json": data / "log" / "a.json", "csv": data / "log" / "b.csv"}.get(name, server.path)
        found[f"postgresql-{name}"] = log.read_text("utf-8", "replace")
    return found


def redis(work: Path) -> Logs:
    first = ("redis-server", "--bind", "127.0.0.1", "--loglevel", "debug", "--save", "2 1", "--dir", str(work))
    with Program(work, *first, "--port", str(PORT), "--appendonly", "yes", "--dbfilename", "a.rdb") as one:
        opened(PORT).close()
        with Program(work, *first, "--port", str(PORT + 1), "--replicaof", f"127.0.0.1 {PORT}", "--dbfilename", "b.rdb", out="replica.log") as two:
            opened(PORT + 1).close()
            for client in range(30):
                lines = [f"SET {word()}:{DICE.randrange(999)} {word()} EX {1 + DICE.randrange(3)}" for _ in range(20)]
                lines += ["BGREWRITEAOF", f"CLIENT SETNAME {word()}", "DEBUG SLEEP 0.01", "CONFIG SET maxmemory 90mb", "QUIT"][DICE.randrange(5) :]
                talk(PORT, ("\r\n".join(lines) + "\r\n").encode(), client)
            time.sleep(6)
            talk(PORT + 1, b"REPLICAOF NO ONE\r\nBGSAVE\r\nQUIT\r\n")
            time.sleep(2)
    return {"redis": one.text(), "redis-replica": two.text()}


def nginx(work: Path) -> Logs:
    (work / "www/static").mkdir(parents=True)
    for name in WORDS:
        (work / "www/static" / f"{name}.css").write_text("x" * DICE.randrange(4000))
        (work / "www" / name).mkdir()
        (work / "www" / name / "index.html").write_text("y" * DICE.randrange(9000))
    formats = {
        "timed": "$time_iso8601 $remote_addr $request_method $scheme://$host$request_uri $status $body_bytes_sent $request_time $upstream_response_time $http_user_agent",
        "pairs": "ts=$msec level=info conn=$connection reqs=$connection_requests client=$remote_addr method=$request_method uri=\"$request_uri\" status=$status bytes=$bytes_sent rt=$request_time cache=$upstream_cache_status",
        "columns": "$msec\\t$remote_addr\\t$remote_port\\t$server_port\\t$request_length\\t$status\\t$body_bytes_sent\\t$request_method\\t$uri\\t$args",
    }
    json_format = 'log_format asjson escape=json \'{"time":"$time_iso8601","host":"$host","remote":"$remote_addr","request":{"method":"$request_method","path":"$uri","query":"$args"},"status":$status,"bytes":$bytes_sent,"duration":$request_time,"agent":"$http_user_agent"}\';'
    text = "\n".join(f"log_format {name} '{shape}';" for name, shape in formats.items()) + "\n" + json_format
    logs = "\n".join(f"access_log {work}/{name}.log {name};" for name in (*formats, "asjson"))
    (work / "nginx.conf").write_text(
        f"daemon off; pid {work}/pid; error_log {work}/error.log info; worker_processes 2; user root;\n"
        f"events {{}}\nhttp {{ {text}\n{logs}\n limit_req_zone $binary_remote_addr zone=slow:1m rate=20r/s;\n"
        f"server {{ listen 127.0.0.1:{PORT}; root {work}/www; location /api/ {{ proxy_pass http://127.0.0.1:{PORT + 9}; }}\n"
        f"location /search {{ limit_req zone=slow; try_files $uri =403; }} location /img/ {{ deny all; }} location /healthz {{ return 204; }} }} }}\n"
    )
    with Program(work, "nginx", "-p", str(work), "-c", str(work / "nginx.conf")) as server:
        opened(PORT).close()
        http(PORT, 260)
        server.process.send_signal(1)
        time.sleep(1)
    return {f"nginx-{name}": (work / f"{name}.log").read_text() for name in (*formats, "asjson", "error")}


def haproxy(work: Path) -> Logs:
    (work / "c.cfg").write_text(
        "global\n log stdout format raw local0 info\ndefaults\n log global\n option httplog\n mode http\n timeout connect 500ms\n timeout client 3s\n timeout server 3s\n"
        f"frontend web\n bind 127.0.0.1:{PORT}\n acl api path_beg /api\n http-request deny if {{ path_beg /img }}\n use_backend apps if api\n default_backend files\n"
        f"backend apps\n balance roundrobin\n server app1 127.0.0.1:{PORT + 1} check inter 300ms\n server app2 127.0.0.1:{PORT + 2} check inter 300ms\n"
        f"backend files\n server disk 127.0.0.1:{PORT + 3} maxconn 8\n"
    )
    page = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1")
    with (
        Program(work, *page, str(PORT + 1), out="a"), Program(work, *page, str(PORT + 3), out="b"),
        Program(work, "haproxy", "-db", "-f", "c.cfg") as server,
    ):  # fmt: skip
        opened(PORT).close()
        http(PORT, 90)
        with Program(work, *page, str(PORT + 2), out="c"):
            http(PORT, 60)
        http(PORT, 60)
    return {"haproxy": server.text()}


def memcached(work: Path) -> Logs:
    with Program(work, "memcached", "-vv", "-u", "nobody", "-l", "127.0.0.1", "-p", str(PORT), "-m", "2") as server:
        opened(PORT).close()
        for client in range(60):
            key, value = f"{word()}:{DICE.randrange(40)}", word() * DICE.randrange(1, 9)
            lines = f"set {key} 0 {DICE.randrange(90)} {len(value)}\r\n{value}\r\nget {key} {word()}\r\nincr hits 1\r\ntouch {key} 9\r\ndelete {word()}:1\r\ngets {key}\r\nbad {key}\r\nquit\r\n"
            talk(PORT, lines.encode(), client)
    return {"memcached": server.text()}


def mosquitto(work: Path) -> Logs:
    (work / "c.conf").write_text(f"listener {PORT} 127.0.0.1\nallow_anonymous true\nlog_type all\nlog_dest stdout\nlog_timestamp_format %Y-%m-%dT%H:%M:%S\n")
    with Program(work, "mosquitto", "-c", "c.conf") as server:
        opened(PORT).close()
        with Program(work, "mosquitto_sub", "-p", str(PORT), "-t", "site/#", "-v", "-i", "collector", out="sub"):
            for _ in range(70):
                run(work, "mosquitto_pub", "-p", str(PORT), "-i", f"sensor-{word()}", "-q", str(DICE.randrange(3)), "-t", f"site/{word()}/temperature", "-m", str(DICE.randrange(400) / 10))
    return {"mosquitto": server.text()}


def lighttpd(work: Path) -> Logs:
    (work / "www").mkdir()
    (work / "c.conf").write_text(
        f'server.document-root = "{work}/www"\nserver.port = {PORT}\nserver.bind = "127.0.0.1"\nserver.modules = ("mod_accesslog")\nserver.errorlog = "{work}/error.log"\n'
        f'accesslog.filename = "{work}/access.log"\naccesslog.format = "%{{%Y-%m-%d %H:%M:%S}}t|%h|%m|%U|%q|%s|%O|%D us|%X"\ndebug.log-request-handling = "enable"\ndebug.log-response-header = "enable"\n'
    )
    with Program(work, "lighttpd", "-D", "-f", "c.conf"):
        opened(PORT).close()
        http(PORT, 120)
    return {"lighttpd-access": (work / "access.log").read_text(), "lighttpd-error": (work / "error.log").read_text()}


def squid(work: Path) -> Logs:
    shutil.chown(work, "proxy", "proxy")
    (work / "c.conf").write_text(
        f"http_port 127.0.0.1:{PORT}\nhttp_access allow all\npid_filename {work}/pid\ncache_log {work}/cache.log\naccess_log stdio:{work}/access.log squid\ncache_store_log stdio:{work}/store.log\ncoredump_dir {work}\nshutdown_lifetime 1 seconds\nacl no dstdomain vale.example.org\nhttp_access deny no\nvisible_hostname proxy.example.org\n"
    )
    page = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(PORT + 1))
    with Program(work, *page, out="a"), Program(work, "squid", "-N", "-f", str(work / "c.conf")):
        opened(PORT).close()
        http(PORT, 90, proxy=f"http://127.0.0.1:{PORT + 1}")
        time.sleep(1)
    return {f"squid-{name}": (work / f"{name}.log").read_text("utf-8", "replace") for name in ("access", "cache", "store")}


def tinyproxy(work: Path) -> Logs:
    shutil.chown(work, "tinyproxy", "tinyproxy")
    (work / "c.conf").write_text(f'Port {PORT}\nListen 127.0.0.1\nTimeout 3\nLogFile "{work}/t.log"\nLogLevel Info\nMaxClients 20\nUser tinyproxy\nGroup tinyproxy\n')
    page = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(PORT + 1))
    with Program(work, *page, out="a"), Program(work, "tinyproxy", "-d", "-c", "c.conf"):
        opened(PORT).close()
        http(PORT, 60, proxy=f"http://127.0.0.1:{PORT + 1}")
    return {"tinyproxy": (work / "t.log").read_text()}


def query(port: int, name: str, kind: int = 1) -> None:
    """Ask a server of names by UDP."""
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0" + bytes([0, kind, 0, 1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link, suppress(OSError):
        link.bind((address(DICE.randrange(20)), 0))
        link.settimeout(0.2)
        link.sendto(DICE.randbytes(2) + b"\1\0\0\1\0\0\0\0\0\0" + question, ("127.0.0.1", port))
        link.recv(4096)


def unbound(work: Path) -> Logs:
    zone = "\n".join(f' local-data: "{name}.example.org. IN A 192.0.2.{k + 1}"' for k, name in enumerate(WORDS))
    (work / "c.conf").write_text(
        f'server:\n interface: 127.0.0.1@{PORT}\n do-daemonize: no\n username: ""\n chroot: ""\n pidfile: "{work}/pid"\n directory: "{work}"\n use-syslog: no\n logfile: ""\n verbosity: 3\n log-queries: yes\n log-replies: yes\n log-time-ascii: no\n access-control: 127.0.0.0/8 allow\n local-zone: "example.org." static\n{zone}\nremote-control:\n control-enable: no\n'
    )
    with Program(work, "unbound", "-d", "-c", "c.conf") as server:
        time.sleep(1)
        for _ in range(120):
            query(PORT, f"{word()}.{DICE.choice(('example.org', 'example.org', 'sub.example.org', 'invalid'))}", DICE.choice((1, 1, 28, 15, 16)))
    return {"unbound": server.text()}


def named(work: Path) -> Logs:
    (work / "db").write_text("$TTL 300\n@ SOA ns.example.org. root.example.org. 1 60 60 60 60\n@ NS ns\nns A 192.0.2.1\n" + "".join(f"{name} A 192.0.2.{k + 2}\n" for k, name in enumerate(WORDS)))
    (work / "c.conf").write_text(
        f'options {{ directory "{work}"; listen-on port {PORT} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file "{work}/pid"; session-keyfile "{work}/key"; recursion no; querylog yes; dnssec-validation no; }};\nzone "example.org" {{ type primary; file "{work}/db"; }};\ncontrols {{ }};\n'
    )
    with Program(work, "named", "-g", "-c", str(work / "c.conf")) as server:
        time.sleep(2)
        for _ in range(120):
            query(PORT, f"{word()}.{DICE.choice(('example.org', 'example.org', 'example.net'))}", DICE.choice((1, 1, 28, 15, 16, 255)))
    return {"named": server.text()}


def mariadb(work: Path) -> Logs:
    run(work, "mariadb-install-db", "--no-defaults", f"--datadir={work}/data", "--auth-root-authentication-method=normal", "--skip-test-db", "--user=root")
    options = ("--no-defaults", f"--datadir={work}/data", "--user=root", "--bind-address=127.0.0.1", f"--port={PORT}", f"--socket={work}/s", f"--pid-file={work}/pid",
               f"--log-error={work}/error.log", "--log-warnings=9", "--general-log=1", f"--general-log-file={work}/general.log", "--slow-query-log=1", f"--slow-query-log-file={work}/slow.log", "--long-query-time=0.001")  # fmt: skip
    with Program(work, "mariadbd", *options):
        opened(PORT, seconds=60).close()
        run(work, "mariadb", "-uroot", f"-S{work}/s", "-e", "create user app@'%'; grant all on *.* to app@'%'; create database shop")
        for table in WORDS[:8]:
            for part in (f"create table {table} (id int auto_increment primary key, name varchar(40), made datetime default now())", f"insert into {table} (name) select seq from seq_1_to_3000",
                         f"select count(*) from {table} a, {table} b where a.name < b.name and a.id < 300", f"select * from {table} where missing = 1", f"update {table} set name = reverse(name) limit 100", f"show create table {table}", f"delete from {table} where id % 3 = 0", "select sleep(0.01)"):  # fmt: skip
                run(work, "mariadb", "-h127.0.0.1", f"-P{PORT}", f"-u{DICE.choice(('app', 'app', 'app', 'guest'))}", "shop", "-e", part)
    return {f"mariadb-{name}": (work / f"{name}.log").read_text("utf-8", "replace") for name in ("error", "general", "slow")}


def vsftpd(work: Path) -> Logs:
    (work / "pub").mkdir()
    for name in WORDS:
        (work / "pub" / f"{name}.tar.gz").write_bytes(bytes(DICE.randrange(9000)))
    (work / "c.conf").write_text(
        f"listen=YES\nlisten_address=127.0.0.1\nlisten_port={PORT}\nbackground=NO\nanonymous_enable=YES\nanon_root={work}/pub\nno_anon_password=NO\nxferlog_enable=YES\nvsftpd_log_file={work}/v.log\nlog_ftp_protocol=YES\nsecure_chroot_dir={work}/pub\nseccomp_sandbox=NO\nrun_as_launching_user=YES\n"
    )
    with Program(work, "vsftpd", "c.conf"):
        time.sleep(1)
        for client in range(16):
            talk(PORT, f"USER {DICE.choice(('anonymous', 'anonymous', word()))}\r\nPASS {word()}@example.org\r\nPWD\r\nTYPE I\r\nSIZE {word()}.tar.gz\r\nCWD {word()}\r\nEPSV\r\nSTAT\r\nNOOP\r\nQUIT\r\n".encode(), client, 1)
    return {"vsftpd": (work / "v.log").read_text()}


def slapd(work: Path) -> Logs:
    (work / "db").mkdir()
    (work / "c.conf").write_text(f"include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\ndatabase mdb\nsuffix dc=example,dc=org\nrootdn cn=admin,dc=example,dc=org\nrootpw word\ndirectory {work}/db\n")
    with Program(work, "slapd", "-f", "c.conf", "-h", f"ldap://127.0.0.1:{PORT}", "-d", "256") as server:
        time.sleep(1)
        for client in range(25):
            bind = bytes.fromhex("300c020101600702010304008000")
            search = bytes.fromhex("3037020102633204") + bytes([17]) + b"dc=example,dc=org" + bytes.fromhex("0a01020a0100020100020100010100870b") + b"objectClass" + bytes.fromhex("3000")
            talk(PORT, bind + search + bytes.fromhex("30050201034200"), client)
    return {"slapd": server.text()}


def stunnel(work: Path) -> Logs:
    run(work, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=example.org", "-keyout", "k.pem", "-out", "c.pem")
    (work / "c.conf").write_text(f"foreground=yes\ndebug=7\npid=\noutput=/dev/stdout\ncert={work}/c.pem\nkey={work}/k.pem\n[web]\naccept=127.0.0.1:{PORT}\nconnect=127.0.0.1:{PORT + 1}\n")
    page = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(PORT + 1))
    with Program(work, *page, out="a"), Program(work, "stunnel4", "c.conf") as server:
        opened(PORT).close()
        for _ in range(6):
            run(work, "curl", "-sk", "--max-time", "3", f"https://127.0.0.1:{PORT}/{word()}")
            talk(PORT, b"GET / HTTP/1.0\r\n\r\n")
    return {"stunnel": server.text()}


def varnish(work: Path) -> Logs:
    page = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(PORT + 1))
    with Program(work, *page, out="a"), Program(work, "varnishd", "-F", "-n", str(work / "v"), "-a", f"127.0.0.1:{PORT}", "-b", f"127.0.0.1:{PORT + 1}", "-j", "none"):
        opened(PORT).close()
        time.sleep(1)
        with Program(work, "varnishlog", "-n", str(work / "v"), out="log") as log:
            time.sleep(1)
            http(PORT, 40)
            time.sleep(1)
    return {"varnishlog": log.text()}


def rabbitmq(work: Path) -> Logs:
    (work / "c.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{PORT}\nlog.console = true\nlog.console.level = debug\nlog.file = false\n")
    path = next(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    settings = {"RABBITMQ_NODENAME": "queue@localhost", "RABBITMQ_CONFIG_FILE": f"{work}/c.conf", "RABBITMQ_MNESIA_BASE": f"{work}/m", "RABBITMQ_LOG_BASE": f"{work}/l", "RABBITMQ_DIST_PORT": str(PORT + 1),
                "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(PORT + 2), "RABBITMQ_ENABLED_PLUGINS_FILE": f"{work}/p", "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}"}  # fmt: skip
    pairs = [f"{key}={value}" for key, value in settings.items()]
    with Program(work, "env", *pairs, str(path)) as server:
        opened(PORT, seconds=60).close()
        time.sleep(2)
        for client in range(15):
            talk(PORT, DICE.choice((b"AMQP\0\0\x09\x01", b"GET / HTTP/1.0\r\n\r\n", b"AMQP\1\1\0\x0a")), client, 1)
        run(work, "env", *pairs, str(path.with_name("rabbitmqctl")), "stop")
    subprocess.run(["env", *pairs, "epmd", "-kill"], capture_output=True)
    return {"rabbitmq": server.text()}


JAVA = """
import java.util.*; import java.util.logging.*;
public class Shop {
    static final Logger LOG = Logger.getLogger(Shop.class.getName());
    static int price(Map<String, Integer> m, String k) { return m.get(k).intValue(); }
    public static void main(String[] a) throws Exception {
        LOG.setLevel(Level.ALL); Random r = new Random(5); List<byte[]> held = new ArrayList<>(); Map<String, Integer> m = new HashMap<>();
        for (int i = 0; i < 400; i++) {
            for (int k = 0; k < 60; k++) { held.add(new byte[r.nextInt(200000)]); if (held.size() > 150) held.remove(r.nextInt(150)); }
            try { switch (r.nextInt(9)) { case 0: price(m, "k" + i); case 1: Integer.parseInt("x" + i); case 2: new ArrayList<Integer>().get(i); case 3: LOG.warning("queue of " + held.size() + " waits"); default: if (r.nextInt(5) == 0) LOG.info("order " + r.nextInt(9999) + " accepted"); } }
            catch (RuntimeException e) { LOG.log(Level.SEVERE, "order failed", e); }
        } } }
"""


def java(work: Path) -> Logs:
    (work / "Shop.java").write_text(JAVA)
    run(work, "javac", "Shop.java")
    found = {}
    for name, options in (("g1", ("-XX:+UseG1GC", "-Xlog:gc*:file=gc.log:time,uptime,level,tags")), ("serial", ("-XX:+UseSerialGC", "-Xlog:gc*,safepoint:file=gc.log:uptimenanos,level,tags"))):
        found["java-util-logging"] = run(work, "java", "-Xmx64m", *options, "Shop")
        found[f"java-gc-{name}"] = (work / "gc.log").read_text()
        (work / "gc.log").unlink()
    return found


def packages(work: Path) -> Logs:
    """What the package manager logged today: of the packages that the others here need."""
    today = time.strftime("%Y-%m-%d")
    found = {}
    with suppress(OSError):
        lines = Path("/var/log/dpkg.log").read_text("utf-8", "replace").splitlines(keepends=True)
        found["dpkg"] = "".join(line for line in lines if line.startswith(today))
    with suppress(OSError):
        parts = Path("/var/log/apt/term.log").read_text("utf-8", "replace").split("\nLog started: ")
        found["apt-term"] = "".join("\nLog started: " + part for part in parts if part.startswith(today))
    return found


C_FAULTS = """
#include <stdio.h>
struct %(w)s { int size; char *name; };
static int unused_%(w)s(void) { int x; return x; }
int count_%(w)s(struct %(w)s *p, unsigned n) { for (int i = 0; i < n; i++) if (p[i].size = 3) printf("%%s\\n", p[i].size); int y = %(v)s; }
"""


def builds(work: Path) -> Logs:
    (work / "src").mkdir()
    names = WORDS[:14]
    for k, name in enumerate(names):
        (work / "src" / f"{name}.c").write_text(C_FAULTS % {"w": name, "v": name + "_total" if k % 5 == 0 else "7"})
    (work / "Makefile").write_text("OBJ := $(patsubst src/%.c,build/%.o,$(wildcard src/*.c))\nall: lib.a\nlib.a: $(OBJ)\n\tar rcs $@ $^\nbuild/%.o: src/%.c | build\n\tgcc -O2 -Wall -Wextra -c $< -o $@\nbuild:\n\tmkdir -p $@\n")
    found = {"make-gcc": run(work, "make", "-k", "-j2", "--output-sync") + run(work, "make", "--debug=b", "-n", "-k")}
    (work / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.20)\nproject(shop C)\nfind_package(Threads REQUIRED)\nfind_package(ZLIB)\nfind_package(OpenSSL)\ninclude(CheckFunctionExists)\ncheck_function_exists(strlcpy HAVE_STRLCPY)\ncheck_function_exists(qsort_r HAVE_QSORT_R)\nfile(GLOB S src/*.c)\nadd_library(shop STATIC ${S})\n")
    found["cmake"] = run(work, "cmake", "-S", ".", "-B", "cm") + run(work, "cmake", "--build", "cm", "--", "-k")
    found["git"] = run(work, "git", "init", "-q", "-b", "main", ".")
    for name in names:
        (work / "src" / f"{name}.c").write_text(C_FAULTS % {"w": name, "v": "8"} * DICE.randrange(1, 4))
        run(work, "git", "add", "-A")
        found["git"] += run(work, "git", "-c", f"user.name={name.title()} Example", "-c", f"user.email={name}@example.org", "commit", "-m", f"{word()}: count {word()} by {word()}")
    found["git"] += run(work, "git", "log", "--stat") + run(work, "git", "log", "--oneline", "--decorate") + run(work, "git", "fsck", "--verbose")
    found["rsync"] = run(work, "rsync", "-aivv", "--stats", "src", "cm", "copy") + run(work, "rsync", "-aivv", "--delete", "src", "copy")
    found["strace"] = run(work, "strace", "-f", "-tt", "-T", "ls", "-l", "src")[:40000]
    return found


RUST = """
pub fn unused(n: u32) -> u32 { let total = 3; n }
pub fn sum(v: Vec<i32>) -> i32 { let mut s = 0; for x in v.iter() { s += x; } s }
#[cfg(test)] mod tests { %s }
"""


def cargo(work: Path) -> Logs:
    (work / "src").mkdir()
    (work / "Cargo.toml").write_text('[package]\nname = "shop"\nversion = "0.1.0"\nedition = "2021"\n')
    tests = " ".join(f"#[test] fn {name}_adds() {{ assert_eq!(super::sum(vec![1, {k}]), {1 + k + (k % 4 == 0)}); }}" for k, name in enumerate(WORDS))
    (work / "src/lib.rs").write_text(RUST % tests)
    home = ("env", f"RUSTUP_HOME={Path.home()}/.rustup", f"CARGO_HOME={work}/cargo")
    return {"cargo": run(work, *home, "cargo", "build", "-v", "--offline") + run(work, *home, "cargo", "test", "--offline", "--no-fail-fast")}


def npm(work: Path) -> Logs:
    (work / "package.json").write_text('{"name": "shop", "version": "1.0.0", "scripts": {"test": "exit 3", "build": "node -e 0"}}')
    run(work, "npm", "run", "build", "--loglevel=silly")
    run(work, "npm", "test")
    run(work, "npm", "ls", "--all", "--loglevel=silly")
    run(work, "npm", "pack", "--loglevel=silly")
    logs = sorted((work / ".npm/_logs").glob("*.log"))
    return {"npm": "".join(path.read_text() for path in logs)}


TESTS = """
import logging, time, pytest
log = logging.getLogger("shop.%(w)s")
@pytest.fixture
def stock(): return {"%(w)s": 3}
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_count_%(w)s(stock, n):
    log.info("taking %%d of %%s", n, "%(w)s"); log.debug("stock is %%r", stock)
    assert n <= stock["%(w)s"], f"only {stock['%(w)s']} left"
def test_missing_%(w)s(stock):
    with pytest.raises(KeyError): stock["%(v)s"]
@pytest.mark.skip(reason="needs %(v)s")
def test_later_%(w)s(): pass
def test_parse_%(w)s(): assert int("%(v)s"[:1] + "1") == 1
"""


def python(work: Path) -> Logs:
    for name in WORDS[:8]:
        (work / f"test_{name}.py").write_text(TESTS % {"w": name, "v": word()})
    found = {"pytest": run(work, sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--durations=5", "-o", "log_cli=true", "-o", "log_cli_level=DEBUG")}
    (work / "web.py").write_text(
        "def app(e, start):\n    p = e['PATH_INFO']\n    if p.startswith('/api/a'): raise ValueError('no such item: ' + p)\n    start('404 Not Found' if 'img' in p else '200 OK', [('Content-Type', 'text/plain')])\n    return [p.encode() * 3]\n"
    )
    gunicorn = (sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{PORT}", "--log-level", "debug", "--access-logfile", "-", "--access-logformat", "%(p)s %(h)s %(m)s %(U)s %(q)s -> %(s)s in %(D)sus (%(B)s bytes)", "-w", "2", "web:app")
    with Program(work, *gunicorn) as server:
        opened(PORT).close()
        http(PORT, 90)
    found["gunicorn"] = server.text()
    (work / "jobs.py").write_text(
        "from celery import Celery\nfrom celery.utils.log import get_task_logger\nimport time, random\nlog = get_task_logger(__name__)\napp = Celery('jobs', broker='filesystem://', backend=None, broker_transport_options=dict(data_folder_in='q', data_folder_out='q', control_folder='ctl'))\n"
        "@app.task(bind=True, max_retries=2)\ndef resize(self, name, width):\n    log.info('resizing %s to %d', name, width)\n    time.sleep(random.random() / 50)\n    if width % 5 == 0:\n        raise self.retry(exc=OSError('disk is full'), countdown=1)\n    if width % 7 == 0:\n        raise ZeroDivisionError(name)\n    return width * 2\n"
    )
    (work / "q").mkdir()
    (work / "ctl").mkdir()
    with Program(work, sys.executable, "-m", "celery", "-A", "jobs", "worker", "-l", "DEBUG", "-c", "2", out="celery.log") as worker:
        time.sleep(4)
        run(work, sys.executable, "-c", f"import jobs\nfor k in range(60): jobs.resize.delay({WORDS!r}[k % 24] + '.png', k * 3)")
        time.sleep(9)
    found["celery"] = worker.text()
    (work / "super.conf").write_text(
        "[supervisord]\nnodaemon=true\nloglevel=debug\nlogfile=super.log\nuser=root\n"
        + "".join(f"[program:{name}]\ncommand=/bin/sh -c 'sleep 0.{k}; exit {k % 3}'\nautorestart={('true', 'unexpected')[k % 2]}\nstartsecs={k % 2}\nstartretries=3\n" for k, name in enumerate(WORDS[:9]))
    )
    with Program(work, sys.executable, "-m", "supervisor.supervisord", "-c", "super.conf", out="s"):
        time.sleep(9)
    found["supervisord"] = (work / "super.log").read_text()
    (work / "flow.py").write_text(
        "import luigi, random\nclass Load(luigi.Task):\n    name = luigi.Parameter()\n    part = luigi.IntParameter()\n    done = False\n    def run(self):\n        if self.part % 4 == 3: raise IOError('part %d of %s is missing' % (self.part, self.name))\n        self.done = True\n    def complete(self): return self.done\n"
        "class All(luigi.WrapperTask):\n    def requires(self): return [Load(n, p) for n in 'amber birch cedar delta'.split() for p in range(4)]\n"
    )
    found["luigi"] = run(work, sys.executable, "-m", "luigi", "--module", "flow", "All", "--local-scheduler", "--log-level", "DEBUG")
    (work / "twisted_site.py").write_text("from twisted.web import server, static\nfrom twisted.application import service, internet\napplication = service.Application('site')\n")
    (work / "spider.py").write_text(
        f"import scrapy\nclass S(scrapy.Spider):\n    name = 'shop'\n    start_urls = ['http://127.0.0.1:{PORT + 1}/%s' % w for w in {[*WORDS, 'site/']!r}]\n    custom_settings = {{'TELNETCONSOLE_ENABLED': False}}\n    def parse(self, r):\n        yield {{'url': r.url, 'size': len(r.body)}}\n        for a in r.css('a::attr(href)').getall(): yield r.follow(a)\n"
    )
    (work / "site").mkdir()
    for name in WORDS:
        (work / "site" / f"{name}.html").write_text(f"<a href={word()}.html>{name}</a>")
    with Program(work, sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(PORT + 1), out="h"):
        opened(PORT + 1).close()
        found["scrapy"] = run(work, sys.executable, "-m", "scrapy", "runspider", "spider.py")
    return found


RUNS: dict[str, Callable[[Path], Logs]] = {
    run.__name__: run
    for run in (
        postgresql, redis, nginx, haproxy, memcached, mosquitto, lighttpd, squid, tinyproxy, unbound, named, mariadb, vsftpd, slapd, stunnel,
        varnish, rabbitmq, java, packages, builds, cargo, npm, python,
    )
}  # fmt: skip


def scrubbed(text: str, work: Path, name: str) -> str:
    """Replace what names this machine or a person, always by the same rule."""
    host = socket.gethostname()
    user = WORDS[sum(map(ord, name)) % len(WORDS)]
    for pattern, by in (
        (re.escape(str(work)), f"/srv/{user}"),
        (re.escape(sys.prefix), "/opt/python"),
        (re.escape(str(Path.home())) + r"(?=/)", f"/home/{user}"),
        (r"/tmp/[\w./-]*?(?=[\s\"':,)\]]|$)", f"/var/tmp/{user}"),
        (rf"(?<![\w.]){re.escape(host)}(?![\w.])", f"{user}.example.org"),
        (r"\b127\.1\.0\.(\d+)", r"192.0.2.\1"),
        (r"\b127\.2\.0\.(\d+)", r"198.51.100.\1"),
        (r"\b127\.3\.0\.(\d+)", r"203.0.113.\1"),
        (r"https?://(?!127\.0\.0\.1|[\w.]*example\.)[\w.-]+(:\d+)?", "https://mirror.example.net"),
        (r"[\w.+-]+@(?!example\.|localhost)[\w-]+(\.[\w-]+)+", "someone@example.org"),
        (r"\x1b\[[0-9;]*m", ""),
        (r"\r", ""),
    ):
        text = re.sub(pattern, by, text)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(RUNS))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("logs"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.only.split(","):
        with tempfile.TemporaryDirectory(prefix="logs-") as folder:
            Path(folder).chmod(0o755)
            try:
                logs = RUNS[name](Path(folder))
            except (OSError, StopIteration, subprocess.SubprocessError) as error:
                print(f"{name}: left out: {error!r}", file=sys.stderr)
                continue
            for log, text in logs.items():
                lines = scrubbed(text, Path(folder), log).splitlines(keepends=True)
                head = tail = 0
                kept: tuple[list[str], list[str]] = ([], [])
                while lines and head + tail < MOST:  # start and stop, and what lies beside them
                    if head <= 3 * tail:
                        kept[0].append(lines.pop(0))
                        head += len(kept[0][-1])
                    else:
                        kept[1].append(lines.pop())
                        tail += len(kept[1][-1])
                whole = "".join(kept[0] + kept[1][::-1])
                (args.out / f"{log}.log").write_text(whole)
                print(f"{log}: {len(whole):,} of {len(text):,} characters", flush=True)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(args.out.glob("*.log"))]
    (args.out / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    main()
