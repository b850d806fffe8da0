#!/usr/bin/env python3
"""Compares whole requests: this library on each host, other libraries, and hosts without either.

    cargo build --release --manifest-path benches/end_to_end/Cargo.toml
    npm ci --prefix benches/end_to_end/node
    benches/end_to_end/compare.py --chart src/manual/costs.svg

Needs wrk and node, and two cores: the server runs on one, the load and the tenant on the other. Each
request carries one of 1,000 tokens. The servers take turns; the figures are medians of the rounds. A
ratio compares processor time, which other load on the machine changes less than requests per second.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import chart

HERE = Path(__file__).resolve().parent
PROGRAM = HERE / "target/release/monocloud-backend-end-to-end"
ALGORITHMS = ["RS256", "ES256"]
HOSTS = ["poem-openapi", "poem", "axum", "salvo"]
UNCACHED = {"MONOCLOUD_BACKEND_JWT_CACHE": "0"}


@dataclass
class Server:
    """A server that is compared: what it is called in the results, and how it is started."""

    name: str
    command: list
    settings: dict
    is_protected: bool = True


def servers():
    for host in HOSTS:
        yield Server(f"{host} without authentication", [PROGRAM, host], {}, is_protected=False)
    yield Server("poem, signature check alone", [PROGRAM, "poem-signature"], {})
    for host in HOSTS:
        yield Server(f"monocloud-backend on {host}, cached", [PROGRAM, f"ours-{host}"], {})
    for host in HOSTS:
        yield Server(f"monocloud-backend on {host}", [PROGRAM, f"ours-{host}"], UNCACHED)
    for peer in ["poem-jsonwebtoken", "axum-oauth-resource-server", "axum-jwt-authorizer"]:
        yield Server(peer.replace("-", " + ", 1), [PROGRAM, peer], {})
    for peer in ["jose", "fast-jwt"]:
        yield Server(f"fastify + {peer}", ["node", HERE / "node/server.js", peer], {})


class Running:
    """A server on its core."""

    def __init__(self, server, tenant):
        self.server = server
        environment = os.environ | tenant | server.settings
        command = ["taskset", "-c", "0", *server.command]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        port = self.process.stdout.readline().strip()
        if not port:
            sys.exit(f"{server.name} does not start")
        self.url = f"http://127.0.0.1:{port}/posts"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def check(self, token):
        """What is measured must be a server that accepts the token, and nothing without one."""
        expected = 401 if self.server.is_protected else 200
        if (status(self.url, token), status(self.url)) != (200, expected):
            sys.exit(f"{self.server.name} does not protect its API as expected")

    def processor_time(self):
        """The time on the core of all its threads, in microseconds."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1000

    def load(self, tokens, seconds):
        """Requests per second, and microseconds of processor time per request."""
        command = ["taskset", "-c", "1", "wrk", "-t1", "-c16", f"-d{seconds}s"]
        command += ["-s", HERE / "requests.lua", self.url, "--", tokens]
        before = self.processor_time()
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        spent = self.processor_time() - before
        if "Non-2xx" in output or "Socket errors" in output:
            sys.exit(f"{self.server.name}: not every request was answered\n{output}")
        requests = int(re.search(r"(\d+) requests in", output)[1])
        return requests / seconds, spent / requests


def status(url, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def measure(rounds, seconds):
    """Medians: a list of rows, one for each server, with figures for each algorithm."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tenant = stack.enter_context(Tenant(folder))
        running = [stack.enter_context(Running(server, tenant.vars)) for server in servers()]
        first = folder.joinpath("RS256").read_text().split()[0]
        for server in running:
            server.check(first)
        figures = {}
        for number in range(rounds + 1):
            for algorithm in ALGORITHMS:
                for server in running:
                    turn = server.load(folder / algorithm, seconds)
                    # The first round warms up.
                    if number > 0:
                        figures.setdefault((server.server.name, algorithm), []).append(turn)
            print(f"round {number} of {rounds}", file=sys.stderr)
        return [
            {"server": server.server.name}
            | {
                algorithm: {
                    "requests_per_second": median(figures, server, algorithm, 0),
                    "microseconds": median(figures, server, algorithm, 1),
                }
                for algorithm in ALGORITHMS
            }
            for server in running
        ]


def median(figures, server, algorithm, column):
    turns = figures[server.server.name, algorithm]
    return round(statistics.median(turn[column] for turn in turns), 1)


class Tenant:
    """The tenant whose tokens all servers accept, on the core of the load."""

    def __init__(self, folder):
        command = ["taskset", "-c", "1", PROGRAM, "tenant", folder]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        lines = iter(self.process.stdout.readline, "\n")
        self.vars = dict(line.strip().split("=", 1) for line in lines)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="after one that warms up (default: 5)")
    parser.add_argument("--seconds", type=int, default=2, help="of each turn (default: 2)")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="write a chart of the ratios")
    arguments = parser.parse_args()
    rows = measure(arguments.rounds, arguments.seconds)
    base = rows[1]
    print("| | " + " | ".join(f"{name} | µs | requests/s" for name in ALGORITHMS) + " |")
    print("|---|" + "---|---|---|" * len(ALGORITHMS))
    for row in rows:
        cells = [row["server"]]
        for algorithm in ALGORITHMS:
            figures = row[algorithm]
            ratio = base[algorithm]["microseconds"] / figures["microseconds"]
            figures["ratio"] = round(ratio, 2)
            cells += [f"{ratio:.2f}", f"{figures['microseconds']:.1f}"]
            cells.append(f"{figures['requests_per_second']:,.0f}")
        print("| " + " | ".join(cells) + " |")
    if arguments.chart:
        arguments.chart.write_text(chart.draw(rows, ALGORITHMS))


if __name__ == "__main__":
    main()
