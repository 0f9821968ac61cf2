"""
The simulation of `capacity` beside a real run: the same recordings, faster, through a real sttproxy with a queue.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean

import attrs
import httpx

from .capacity import Demand, Job, jobs, quantile, waits
from .processes import free_port, running

#: Recordings that are replayed.
COUNT = 200
_CHECKOUT = Path(__file__).parents[1]
_FORM = {"file": ("a.wav", b"RIFF" * 1000)}


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A speech server, as far as it matters: it takes as long as the request says."""
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        fields = dict(line.split(": ", 1) for line in head.decode("latin-1").lower().split("\r\n")[1:] if ": " in line)
        await reader.readexactly(int(fields.get("content-length", "0")))
        await asyncio.sleep(float(fields.get("x-takes", "0")))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()


async def _replay(arrived: Sequence[Job], url: str) -> list[float]:
    """Send the recordings at their moments; return how long each has waited, in seconds."""
    loop = asyncio.get_running_loop()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(timeout=None, limits=limits, trust_env=False) as client:
        began = loop.time()

        async def send(job: Job) -> float:
            await asyncio.sleep(began + job.arrives - loop.time())
            asked = loop.time()
            answer = await client.post(url, files=_FORM, headers={"X-Takes": str(job.takes)})
            answer.raise_for_status()
            return max(0.0, loop.time() - asked - job.takes)

        return list(await asyncio.gather(*map(send, arrived)))


async def _measured(arrived: Sequence[Job], servers: int, folder: Path) -> list[float]:
    """The waits in a real run: sttproxy lets as many transcriptions pass as there are servers."""
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    target = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    port = free_port()
    command = [sys.executable, "-c", "from sttproxy.console import main; main()", "--host", "127.0.0.1"]
    command += [
        "--port",
        str(port),
        "--target",
        target,
        "--max-transcriptions",
        str(servers),
        "--max-queue",
        str(COUNT),
    ]
    with running(command, port, folder, environment={"PYTHONPATH": str(_CHECKOUT)}):
        measured = await _replay(arrived, f"http://127.0.0.1:{port}/v1/audio/transcriptions")
    server.close()
    return measured


def compare(demand: Demand, speed: float, servers: Sequence[int], seconds: float) -> Iterator[str]:
    """
    The lines of a Markdown table: the waits of the simulation and those of a real run.

    :param seconds: about how long the real run takes.
    """
    arrived = jobs(demand, speed, COUNT)
    faster = arrived[-1].arrives / seconds
    quick = [attrs.evolve(job, arrives=job.arrives / faster, takes=job.takes / faster) for job in arrived]
    yield f"{COUNT} recordings, {faster:.0f} times as fast"
    yield ""
    yield "| servers | mean wait: simulated | measured | p95: simulated | measured |"
    yield "|---:|---:|---:|---:|---:|"
    for number in servers:
        with tempfile.TemporaryDirectory() as folder:
            measured = asyncio.run(_measured(quick, number, Path(folder)))
        simulated = waits(quick, number)
        pairs = [(measure(simulated), measure(measured)) for measure in (mean, _p95)]
        cells = "".join(f" {one * faster:.1f} s | {other * faster:.1f} s |" for one, other in pairs)
        yield f"| {number} |{cells}"


def _p95(values: Sequence[float]) -> float:
    return quantile(values, 0.95)
